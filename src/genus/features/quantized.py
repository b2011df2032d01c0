"""The activation ranges that int8 networks need, as a small table that ships with the package.

`benchmarks/calibrate_int8.py` made it: the 3rd percentile of the per-image minima and the 97th of the maxima over a few
hundred photographs, each at the native size and at 320 pixels.
"""

import json
from functools import lru_cache
from importlib.resources import files

Ranges = dict[str, tuple[float, float]]


@lru_cache(maxsize=1)
def _table() -> dict[str, Ranges]:
    text = (files("genus.features") / "int8_ranges.json").read_text("utf-8")
    return {
        name: {tensor: (low, high) for tensor, (low, high) in ranges.items()}
        for name, ranges in json.loads(text).items()
    }


def int8_ranges(backbone: str) -> Ranges | None:
    """Return the ranges of a backbone's activations, or None where it has none and stays float32.

    Examples
    --------
    >>> low, high = int8_ranges("efficientnet-lite0")["_conv_stem"]
    >>> low == 0 and 0 < high <= 6
    True
    >>> int8_ranges("hog") is None
    True
    """
    return _table().get(backbone)
