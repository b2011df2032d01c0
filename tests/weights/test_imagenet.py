"""The 1000 class names of ImageNet."""

from genus.weights.imagenet import imagenet_classes


def test_there_are_a_thousand_different_names() -> None:
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    assert all(name == name.strip() and name for name in names)


def test_well_known_places_in_the_order() -> None:
    names = imagenet_classes()
    known = {0: "tench", 1: "goldfish", 207: "golden retriever", 985: "daisy", 999: "toilet tissue"}
    assert {i: names[i] for i in known} == known
