"""What the page of an audit, and the command line, say of what was found."""

from genus.audit.finding import SUSPECT
from genus.classify.learning_curve import LearningCurve
from genus.estimators.audit import Audit
from genus.wording import count

HOW: dict[str, tuple[str, str]] = {
    "label": (
        "Labels that look wrong",
        "First the image, then the most similar ones that have the suggested label.",
    ),
    "conflict": (
        "One picture, two labels",
        "The same picture is there with different labels. At most one is right.",
    ),
    "leak": ("Leaks between parts", "The same picture is in the training images and in those that judge."),
    "near_duplicate": ("Near duplicates", "The same picture, cropped, mirrored, recoloured or saved again."),
    "exact_duplicate": ("Identical files", "The same file, several times."),
    "outlier": (
        "Unlike all others",
        "Far from every other image; beside each, the most similar one there is.",
    ),
    "unreadable": ("Cannot be read", "Training leaves these out."),
    "dark": ("Nearly black", ""),
    "bright": ("Blown out", ""),
    "blurry": ("Blurred", "Much less sharp than is usual here."),
    "low_information": ("Empty", "One colour, or nearly."),
    "grey": ("Grey among coloured ones", ""),
    "tiny": ("Tiny", ""),
    "odd_size": ("Of unusual size", ""),
    "odd_aspect": ("Of unusual shape", ""),
    "border": ("With a frame or bars", ""),
}
"""For each issue a heading, and what is seen below it."""

_WORDS = {
    "label": ("label looks wrong", "labels look wrong"),
    "conflict": ("image is there under two labels", "images are there under two labels"),
    "leak": ("image leaks between parts", "images leak between parts"),
    "near_duplicate": ("image has near copies", "images have near copies"),
    "exact_duplicate": ("image has identical copies", "images have identical copies"),
    "outlier": ("image is unlike all others", "images are unlike all others"),
    "unreadable": ("image cannot be read", "images cannot be read"),
}


def issue_words(issue: str, n: int) -> str:
    """Say how many images have an issue.

    Examples
    --------
    >>> issue_words("label", 3), issue_words("blurry", 1)
    ('3 labels look wrong', '1 image: blurry')
    """
    if issue in _WORDS:
        return count(n, *_WORDS[issue])
    return f"{count(n, 'image')}: {issue.replace('_', ' ')}"


def headline(audit: Audit) -> str:
    """Say in one sentence how fit the data are."""
    if not audit.counts and not any(remark.severity >= SUSPECT for remark in audit.remarks):
        return "Nothing was found that speaks against these images."
    serious = [
        name for name in ("leak", "conflict", "label", "unreadable", "near_duplicate") if name in audit.counts
    ]
    said = [issue_words(name, audit.counts[name]) for name in serious[:3]]
    if not said and not audit.counts:
        return "No single image looks wrong, but the set as a whole should be looked at."
    if not said:
        n = len({row.image for row in audit.rows if row.severity >= SUSPECT})
        return f"{count(n, 'image')} should be looked at."
    text = ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1]
    return f"{text[0].upper()}{text[1:]}."


def basis(audit: Audit) -> str:
    """Say what was looked at."""
    labelled = f", {audit.n_labelled:,} of them with a label" if audit.n_labelled else ", none with a label"
    return f"{count(audit.n_images, 'image')} from {audit.origin}{labelled}."


def advice(audit: Audit) -> list[str]:
    """Say what to do, the most urgent first."""
    counts = audit.counts
    steps = []
    if counts.get("leak"):
        steps.append(
            "Take the leaked images out of the judging part: the accuracy that they give is not one."
        )
    if counts.get("conflict"):
        steps.append("Decide which label is right where one picture has two.")
    if counts.get("label"):
        steps.append("Look through the labels that look wrong, and accept those that are.")
    if any(remark.severity >= SUSPECT for remark in audit.about("shortcut")):
        steps.append(
            "Let all classes be taken, cut and saved in the same way: metadata alone give labels away."
        )
    if audit.about("overlap"):
        steps.append("Say more clearly what belongs in the classes that overlap, or join them.")
    if counts.get("exact_duplicate") or counts.get("near_duplicate"):
        steps.append(
            "Identical copies may stay, though they count several times: Genus never lets a split tear them apart. "
            "Crops and mirror images it may: leave them out, or give them a common group."
        )
    return steps


def more_images(curve: LearningCurve | None) -> str:
    """Say whether more images would help; nothing where that is not known."""
    if curve is None or not curve.forecasts:
        return ""
    last = curve.forecasts[-1]
    low, high = max(last.low, 0.0), max(last.high, 0.0)
    return (
        f"{last.more:,} more images a class should add {100 * last.gain:.1f} points to the accuracy of a plain model "
        f"(9 times in 10 between {100 * low:.1f} and {100 * high:.1f})."
    )
