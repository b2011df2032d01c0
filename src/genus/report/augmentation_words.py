"""What an augmentation does, in words for people."""

from genus.cnn.augmentation import Augmentation
from genus.report.content import Fact

_MIRROR = {
    "random": "left and right, every second image",
    "alternate": "left and right, in every second epoch",
}


def augmentation_facts(augmentation: Augmentation) -> tuple[Fact, ...]:
    """Say what is done, as names and values; what is off is left out.

    Examples
    --------
    >>> [(fact.label, fact.value) for fact in augmentation_facts(Augmentation(crop=(0.5, 1), rotate=10.0))]
    [('Crop', '50% to 100% of the area'), ('Turn', 'up to 10° either way')]
    """
    a = augmentation
    facts = [
        ("Mirror", _MIRROR.get(a.mirror, "")),
        ("Upside down", "every second image" if a.upside_down else ""),
        ("Quarter turns", "0°, 90°, 180° or 270°" if a.quarter_turns else ""),
        ("Crop", f"{a.crop[0]:.0%} to {a.crop[1]:.0%} of the area" if a.crop else ""),
        ("Shift", f"up to {a.shift:.1%} of the side" if a.shift else ""),
        ("Turn", f"up to {a.rotate:g}° either way" if a.rotate else ""),
        ("Shear", f"up to {a.shear:g}° either way" if a.shear else ""),
        ("Zoom", f"up to {1 + a.zoom:.3g} times, in or out" if a.zoom else ""),
        *_colour_facts(a),
        ("Blur", f"{a.blur:.0%} of the images" if a.blur else ""),
        ("Erase", _erased(a) if a.erase else ""),
        ("RandAugment", f"{a.operations} operations of strength {a.magnitude:g}" if a.operations else ""),
        *_mixing_facts(a),
    ]
    return tuple(Fact(label, value) for label, value in facts if value)


def _colour_facts(a: Augmentation) -> list[tuple[str, str]]:
    names = (("Brightness", a.brightness), ("Contrast", a.contrast), ("Saturation", a.saturation))
    facts = [(label, f"± {strength:.0%}" if strength else "") for label, strength in names]
    return [
        *facts,
        ("Hue", f"up to {360 * a.hue:.0f}° round the circle of colours" if a.hue else ""),
        ("Grey", f"{a.grey:.0%} of the images" if a.grey else ""),
    ]


def _mixing_facts(a: Augmentation) -> list[tuple[str, str]]:
    if not a.mixes:
        return []
    names = [f"{name} (α = {alpha:g})" for name, alpha in (("MixUp", a.mixup), ("CutMix", a.cutmix)) if alpha]
    some = "" if a.mix == 1 else f", {a.mix:.0%} of the images"
    return [("Mixed", " or ".join(names) + some)]


def _erased(a: Augmentation) -> str:
    low, high = a.erase_area
    area = f"{low:.1%}" if low == high else f"{low:.0%} to {high:.0%}"
    return f"{area} of the area, in {a.erase:.0%} of the images"
