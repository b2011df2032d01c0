"""The names of ImageNet's 1000 classes.

`imagenet_classes.tsv` holds the WordNet id of each class (Fellbaum, "WordNet: An Electronic Lexical Database", 1998;
Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015) and its first English name; two
cranes and two maillots are told apart in brackets.
"""

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1000 class names in the order of the networks' outputs; all different.

    Examples
    --------
    >>> names = imagenet_classes()
    >>> len(names), names[0], names[985]
    (1000, 'tench', 'daisy')
    """
    lines = (files("genus.weights") / "imagenet_classes.tsv").read_text("utf-8").splitlines()
    return tuple(line.split("\t")[1] for line in lines)
