"""What is worth knowing of an index, and what has become of its files."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from genus.estimators.index_hits import FileState, IndexCheck
from genus.estimators.index_images import IndexedImages, file_stamp
from genus.estimators.index_state import IndexState
from genus.progress import Progress


def facts_of(state: IndexState) -> dict[str, Any]:
    """Return size, metric and what was measured, in plain values."""
    recall = state.vectors.recall
    return {
        "n_images": len(state.vectors),
        "n_labelled": int((state.images.labels.codes[state.vectors.alive] >= 0).sum()),
        "labels": list(state.images.labels.texts),
        "features": state.feature_set.name,
        "width": state.vectors.width,
        "storage": state.vectors.storage,
        "method": "exact" if state.vectors.is_exact else "graph",
        "recall": None if recall is None else recall.to_dict(),
        **state.figures,
        "origin": state.origin,
        "notes": list(state.notes),
        "provenance": dict(state.provenance),
    }


def check_files(state: IndexState, progress: Progress) -> IndexCheck:
    """Look at every file."""
    places = [i for i in np.flatnonzero(state.vectors.alive).tolist() if state.images.paths[i]]
    found: dict[str, list[str]] = {"changed": [], "vanished": []}
    with progress.task("checking", total=len(places), unit="images") as task:
        for place in places:
            if (now := file_state(state.images, place)) in found:
                found[now].append(state.images.names[place])
            task.advance()
    return IndexCheck(len(places), tuple(found["changed"]), tuple(found["vanished"]))


def file_state(images: IndexedImages, place: int) -> FileState:
    """Tell whether an image's file is still what the index knows; its contents are read only if it was written to."""
    path = images.paths[place]
    if not path:
        return "unknown"
    stamp = file_stamp(Path(path))
    if stamp == (0, 0):
        return "vanished"
    if stamp == tuple(images.stamps[place].tolist()):
        return "ok"
    try:
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return "vanished"
    return "ok" if content == images.content(place) else "changed"
