"""What training says of the data by itself: the cheap part of an audit, on what it has computed anyway."""

import numpy as np
from numpy.typing import NDArray

from genus.audit.facts import Facts
from genus.audit.finding import SUSPECT
from genus.audit.label_noise import doubt, noise_rate, probability_wrong
from genus.audit.shortcuts import check_shortcuts
from genus.classify.head import softmax
from genus.estimators.contest import Contest
from genus.estimators.learned import Learned
from genus.neighbors import Neighbors
from genus.wording import count

_LEAST = 50  # images: below, one odd label says little
_HOW = "`genus audit` shows more"


def data_warnings(learned: Learned, contest: Contest) -> list[str]:
    """Return what is worth knowing of the labels and the metadata; of copies and leaks others speak."""
    return [said for said in (_label_note(learned, contest), _shortcut_note(learned)) if said]


def _label_note(learned: Learned, contest: Contest) -> str:
    """Say how many labels the winner, where it had not seen the image, finds very unlikely."""
    selection, rows = contest.selection, contest.rows
    if learned.multilabel or len(rows) < _LEAST or len(selection.logits) != len(rows):
        return ""
    known = np.asarray(selection.classes)
    codes = np.searchsorted(known, learned.codes[rows])
    if not np.array_equal(known[np.minimum(codes, len(known) - 1)], learned.codes[rows]):
        return ""
    proba = softmax(selection.logits.astype(np.float64)).astype(np.float64)
    wrong = probability_wrong(doubt(proba, codes), noise_rate(proba, codes).value)
    n = int((wrong >= SUSPECT).sum())
    if not n:
        return ""
    first = int(wrong.argmax())
    likely = learned.classes[int(known[proba[first].argmax()])]
    given = learned.classes[int(learned.codes[rows[first]])]
    labels = count(n, "label looks", "labels look")
    name = learned.data.sources[int(rows[first])].name
    return f"{labels} wrong, first of all {given!r} of {name}, which looks like {likely!r}; {_HOW}"


def _shortcut_note(learned: Learned) -> str:
    if learned.multilabel or len(learned.data) < _LEAST:
        return ""
    found = check_shortcuts(_facts(learned)).remarks
    return f"{found[0].text}; {_HOW}" if found and found[0].severity >= SUSPECT else ""


def _facts(learned: Learned) -> Facts:
    """Return what is known of the training images beside their pixels."""
    rows = learned.train
    infos = [learned.table.infos[i] for i in rows]
    sizes: dict[str, NDArray[np.float64]] = {
        name: np.array([getattr(info, name) for info in infos], np.float64)
        for name in ("width", "height", "n_bytes")
    }
    words = {name: np.array([getattr(info, name) for info in infos]) for name in ("format", "mode")}
    nobody = Neighbors(np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0), np.float32))
    return Facts(
        np.empty((len(rows), 0), np.float32),
        np.array([info.content_hash for info in infos]),
        learned.division.groups[rows],
        nobody,
        learned.classes,
        learned.codes[rows],
        statistics=sizes,
        metadata=words,
    )
