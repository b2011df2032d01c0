"""Keeping groups in a file between two commands: plain arrays and JSON, nothing executable."""

import json
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.cluster.given import Given
from genus.cluster.preparation import Preparation
from genus.data.dataset import SkippedImage
from genus.errors import DataError
from genus.estimators.grouped import GroupedImages
from genus.files import atomic_write

FORMAT_VERSION = 1
_PREPARATION = ("n_components", "whiten", "power", "blocks", "use", "random_state")
_ARRAYS = ("row", "labels", "prototypes", "prototype_labels", "mean", "components", "placed")


def write_grouping(grouped: GroupedImages, path: str | PathLike[str]) -> None:
    """Write everything that splitting, merging and naming need; whole or not at all.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    found, prepared = grouped.clusterer, grouped.preparation
    about: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "origin": grouped.origin,
        "names": list(grouped.names),
        "skipped": [[s.source, s.reason] for s in grouped.skipped],
        "truth": None if grouped.truth is None else list(grouped.truth),
        "features": dict(grouped.features),
        "view": grouped.view,
        "numbers": list(grouped.numbers),
        "temperature": grouped.temperature,
        "radius": None if np.isinf(found.radius_) else found.radius_,
        "preparation": {name: getattr(prepared, name) for name in _PREPARATION},
        "n_features": prepared.n_features_in_,
        "comparison": dict(grouped.comparison),
        "provenance": dict(grouped.provenance),
        "group_names": {str(number): name for number, name in grouped.group_names.items()},
    }
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode("ascii"), np.uint8),
        "row": grouped.row,
        "labels": found.labels_,
        "prototypes": found.prototypes_,
        "prototype_labels": found.prototype_labels_,
        "mean": prepared.mean_,
        "components": prepared.components_,
        "placed": grouped.map_places,
        **{f"view {name}": rows for name, rows in grouped.views.items()},
    }
    with atomic_write(path) as file:
        np.savez(file, **arrays)


def read_grouping(path: str | PathLike[str]) -> GroupedImages:
    """Read what `write_grouping` wrote.

    Raises
    ------
    DataError
        It is missing, damaged, or written by a newer version.
    """
    source = Path(path)
    try:
        with source.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop("about").tobytes())
        if about["format"] > FORMAT_VERSION:
            raise DataError(f"{source}: written by a newer Genus. Upgrade: pip install --upgrade genus")
        return _restored(about, arrays)
    except FileNotFoundError as error:
        raise DataError(f"{source}: no groups there; make them with genus cluster DATA -o FOLDER.") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{source}: damaged, or not written by genus cluster ({error}).") from error


def _restored(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> GroupedImages:
    views = {name.removeprefix("view "): rows for name, rows in arrays.items() if name.startswith("view ")}
    _check_shapes(about, arrays, views)
    return GroupedImages(
        origin=about["origin"],
        names=tuple(about["names"]),
        row=arrays["row"],
        skipped=tuple(SkippedImage(*pair) for pair in about["skipped"]),
        truth=None if about["truth"] is None else tuple(about["truth"]),
        features=about["features"],
        views=views,
        view=about["view"],
        preparation=_preparation(about, arrays),
        clusterer=Given.restored(
            arrays["labels"],
            views[about["view"]],
            arrays["prototypes"],
            arrays["prototype_labels"],
            np.inf if about["radius"] is None else float(about["radius"]),
        ),
        numbers=tuple(about["numbers"]),
        temperature=float(about["temperature"]),
        comparison=about["comparison"],
        provenance=about["provenance"],
        group_names={int(number): str(name) for number, name in about["group_names"].items()},
        placed=arrays["placed"],
    )


def _check_shapes(
    about: dict[str, Any], arrays: dict[str, NDArray[Any]], views: dict[str, NDArray[Any]]
) -> None:
    m, d = views[about["view"]].shape
    labels, row = arrays["labels"], arrays["row"]
    fits = (
        all(len(rows) == m for rows in views.values())
        and labels.shape == (m,)
        and row.shape == (len(about["names"]),)
        and arrays["prototypes"].shape[1:] == (d,)
        and arrays["placed"].shape == (m, 2)
        and int(row.max(initial=-1)) < m
        and int(labels.max(initial=-1)) + 1 == len(about["numbers"])
        and all(name in arrays for name in _ARRAYS)
    )
    if not fits:
        raise ValueError("its parts do not fit together")


def _preparation(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Preparation:
    known = dict(about["preparation"])
    blocks = known.pop("blocks")
    made = Preparation(blocks=None if blocks is None else [(int(a), int(b)) for a, b in blocks], **known)
    made.mean_, made.components_ = arrays["mean"], arrays["components"]
    made.n_components_, made.n_features_in_ = made.components_.shape[1], int(about["n_features"])
    return made
