"""The winner, fitted on all images that may be learned from, as a model file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.fitted import FittedHead, fit_final
from genus.estimators.adding import memory_of
from genus.estimators.contest import Contest
from genus.estimators.decision import Decision
from genus.estimators.learned import Learned
from genus.estimators.parity import N_IMAGES, measure_parity
from genus.estimators.provenance import data_hash, provenance_of
from genus.estimators.training_options import TrainingOptions
from genus.judgement import EvaluationResult
from genus.model_file import ModelFile, build_model_file, image_marks


@dataclass(frozen=True, slots=True, eq=False)
class Final:
    """What goes into the file: fitted on `rows`."""

    contest: Contest
    rows: NDArray[np.int64]
    head: FittedHead
    notes: tuple[str, ...] = ()


def refit(contest: Contest, judged: FittedHead, options: TrainingOptions) -> Final:
    """Fit the winner on all images that may be learned from."""
    division, codes = contest.learned.division, contest.learned.codes
    rows = np.flatnonzero(~division.marked_test if options.refit else ~division.test)
    rows = rows[codes[rows] >= 0]
    n_notes = len(contest.notes)
    if contest.again is not None and options.refit:
        contest = contest.again(contest, rows)
    elif len(rows) == len(contest.learned.train):
        return Final(contest, rows, judged)
    learned, notes = contest.learned, contest.notes[n_notes:]
    head = fit_final(contest.selection, learned.table.X[rows], learned.y[rows])
    return Final(contest, rows, head, notes)


def write_model(
    final: Final, frozen: Learned, decision: Decision, test: EvaluationResult, options: TrainingOptions
) -> tuple[ModelFile, dict[str, float]]:
    """Write the model file; returns also how far it is from the model as trained."""
    contest, head, rows = final.contest, final.head, final.rows
    learned, selection = contest.learned, contest.selection
    contents = learned.table.content_hashes
    details: dict[str, Any] = {
        "head": {
            "name": selection.winner_row.name,
            "params": {k: str(v) for k, v in selection.winner_row.params.items()},
            "n_stored_examples": head.n_stored_examples,
        },
        "metrics": test.evaluation.to_dict(),
        "leaderboard": [row.to_dict() for row in selection.leaderboard],
        "calibration": head.calibration.to_dict(),
        **decision.to_dict(),
        "counts": learned.data.counts(),
        "provenance": _provenance(learned, options),
        "learned_from": image_marks([contents[i] for i in rows]),
    }
    if contest.network is not None:
        details["network"] = contest.network.to_dict()
    if options.memory and not learned.multilabel and not contest.network_won:
        details |= memory_of(learned, rows)
    novelty = None
    if decision.unknown is not None:
        novelty = decision.unknown.finished(frozen, rows)
        details["unknown"] = decision.unknown.to_dict(len(novelty.rows))
    model = build_model_file(contest.feature_set, head, learned.classes, details, novelty)
    some = np.concatenate([learned.test, learned.train])[:N_IMAGES]
    sources = [learned.data.sources[i] for i in some]
    parity = measure_parity(model, head, learned.table.X[some], sources, options.runtime)
    return model.with_details(parity=parity), parity


def _provenance(learned: Learned, options: TrainingOptions) -> dict[str, Any]:
    return {
        **provenance_of(options.command, options.random_state),
        "data": learned.data.origin,
        "data_hash": data_hash(learned.table.content_hashes, learned.data),
        "n_images": len(learned.data),
        "split": {"kind": learned.division.kind, "n_train": len(learned.train), "n_test": len(learned.test)},
        "refit_on_all": options.refit,
    }
