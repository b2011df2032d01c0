"""Is the forecast of what more images give as good as its word?

`python benchmarks/learning_curve.py [--quick]` learns from 5, 10, 20, 40 and 80 images a class of every
single-label set, five times each, forecasts what twice as many will give, and then learns from twice as many. The truth
is measured on up to 2,000 other images, so chance alone moves it by a point or so.

Prints Markdown; writes benchmarks/out/learning_curve.json.
"""

import argparse
import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from few_shot import Features, draw, features_of
from genus.classify.few import few_shot_head, is_few, judge_beforehand
from genus.classify.fitted import fit_final
from genus.classify.learning_curve import learning_curve
from genus.classify.selection import select
from genus.data.splits import stratified_folds
from real_sets import OUT, SINGLE_LABEL

COUNTS = (5, 10, 20, 40, 80)
N_DRAWS = 5
N_JUDGES = 2000


@dataclass(frozen=True, slots=True)
class Backtest:
    """One forecast and what came of it, as shares."""

    name: str
    count: int
    gain: float
    low: float
    high: float
    truth: float
    noise: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest set, one draw")
    args = parser.parse_args()
    found = []
    for name in ("hymenoptera",) if args.quick else SINGLE_LABEL:
        known = features_of(name)
        for count in COUNTS:
            for seed in range(1 if args.quick else N_DRAWS):
                found += backtest(name, known, count, seed)
    show(found)
    OUT.mkdir(exist_ok=True)
    (OUT / "learning_curve.json").write_text(json.dumps([asdict(row) for row in found], indent=1), "utf-8")


def backtest(name: str, known: Features, count: int, seed: int) -> list[Backtest]:
    """Forecast from `count` images a class; nothing where the set is too small to learn from twice as many."""
    twice, others = draw(known, 2 * count, seed)
    if np.bincount(known.codes[twice]).min() < 2 * count or len(others) < 100:
        return []
    once, _ = draw(known, count, seed)  # the first of the same order
    judges = others[:N_JUDGES]
    X, codes = known.X[once], known.codes[once]
    keys = [str(i) for i in once]
    folds = stratified_folds(codes, keys, known.groups[once], n_folds=5, random_state=seed)
    if is_few(codes, known.groups[once]):
        found = judge_beforehand(few_shot_head(known.blocks), X, codes, folds)
    else:
        found = select(X, codes, folds, heads="fast", blocks=known.blocks)
    curve = learning_curve(found.winner, X, codes, folds, found.logits, now=count, random_state=seed)
    if curve is None or not curve.forecasts:
        return []
    step = min(curve.forecasts, key=lambda step: abs(step.more - count))
    before, after = (
        fit_final(found, known.X[rows], known.codes[rows]).predict(known.X[judges]) == known.codes[judges]
        for rows in (once, twice)
    )
    noise = _error(after, before)
    truth = float(after.mean() - before.mean())
    return [Backtest(name, count, step.gain, step.low, step.high, truth, noise)]


def show(found: list[Backtest]) -> None:
    """Print the forecasts beside the truth, for each number of images."""
    print("| from | forecasts | forecast | truth | mean error | interval holds the truth | within 1 point |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for count in (*COUNTS, 0):
        rows = [row for row in found if count in (row.count, 0)]
        if not rows:
            continue
        gains, truths = (100 * np.array([getattr(row, key) for row in rows]) for key in ("gain", "truth"))
        held = [row.low - 2 * row.noise <= row.truth <= row.high + 2 * row.noise for row in rows]
        print(
            f"| {count or 'all'} | {len(rows)} | +{gains.mean():.1f} | {truths.mean():+.1f} "
            f"| {np.abs(gains - truths).mean():.1f} | {np.mean(held):.0%} "
            f"| {np.mean(np.abs(gains - truths) <= 1):.0%} |"
        )


def _error(after: NDArray[np.bool_], before: NDArray[np.bool_]) -> float:
    """Return the standard error of the difference of two accuracies on the same images."""
    return float((after.astype(float) - before).std() / len(after) ** 0.5)


if __name__ == "__main__":
    main()
