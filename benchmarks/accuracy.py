"""What the presets are worth: errors beside those of a plain logistic regression, on the same splits.

`python benchmarks/accuracy.py [--quick]` runs every single-label set with three seeds. Each seed sets a quarter of
the images aside (stratified, exact and near duplicates on one side). The baseline is what most people write first:
scikit-learn's L2 logistic regression on frozen float32 EfficientNet-Lite0 features at 224 pixels. Intervals are 95%,
from a bootstrap over images; an image that is tested under several seeds is one unit.

Prints Markdown; writes benchmarks/out/accuracy.json after every set, so that a stopped run is not lost.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genus._version import __version__
from genus.data.dataset import Dataset
from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.estimators.classifier import ImageClassifier
from genus.features.feature_set import parse_feature_set
from genus.features.runtime import Runtime
from genus.features.stream import extract
from genus.features.table import FeatureTable
from real_sets import OUT, SINGLE_LABEL, load_set

BASELINE = "logistic regression"
PRESETS = ("fast", "balanced", "best")
GOALS = {"fast": 0.0, "balanced": 25.0, "best": 35.0}  # per cent fewer errors than the baseline
TEST_SHARE = 0.25
N_BOOTSTRAP = 2000


@dataclass(frozen=True)
class Answers:
    """Who got which test image right, for one set, seed and method."""

    dataset: str
    seed: int
    method: str
    images: list[str]
    right: list[bool]
    seconds: float
    detail: str


def main() -> None:
    args = arguments()
    found: list[Answers] = []
    for name in args.sets:
        found += list(run_set(name, args.seeds, args.presets))
        write(found)
    report = "\n\n".join([per_set_table(found, args.presets), pooled_table(found, args.presets)])
    print(f"\n{report}\n")
    (OUT / "accuracy.md").write_text(report + "\n", "utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=list(SINGLE_LABEL), choices=SINGLE_LABEL)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="the smallest set, one seed, the fast preset")
    args = parser.parse_args()
    if args.quick:
        args.sets, args.seeds, args.presets = ["hymenoptera"], [0], ["fast"]
    return args


def run_set(name: str, seeds: Sequence[int], presets: Iterable[str]) -> Iterable[Answers]:
    """Yield the answers of every method for every seed."""
    data, table = with_baseline_features(name)
    for seed, test in zip(seeds, sets_aside(data, table, seeds), strict=True):
        yield said(baseline(name, seed, data, table, test))
        for preset in presets:
            yield said(genus(name, seed, preset, data, test))


def with_baseline_features(name: str) -> tuple[Dataset, FeatureTable]:
    """Read the images of a set that can be read, and what the baseline learns from."""
    data = load_set(name)
    # plain ONNX Runtime: OpenVINO may compute in bfloat16, and the baseline is float32
    plain = parse_feature_set("efficientnet-lite0@224", precision="float32")
    table = extract(data.sources, plain, runtime=Runtime(engine="onnxruntime"))
    return data.take(table.kept), table


def sets_aside(data: Dataset, table: FeatureTable, seeds: Iterable[int]) -> Iterator[NDArray[np.bool_]]:
    """Yield for every seed which images only judge: a quarter, stratified, duplicates on one side."""
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    codes = np.searchsorted(np.array(sorted(data.classes)), np.asarray(data.labels))
    for seed in seeds:
        yield split_off(codes, table.content_hashes, groups, size=TEST_SHARE, random_state=seed)


def said(answers: Answers) -> Answers:
    accuracy = np.mean(answers.right)
    print(
        f"{answers.dataset} seed {answers.seed} {answers.method}: {accuracy:.2%} of {len(answers.right)}, "
        f"{answers.seconds:.0f} s, {answers.detail}",
        flush=True,
    )
    return answers


def baseline(name: str, seed: int, data: Dataset, table: FeatureTable, test: NDArray[np.bool_]) -> Answers:
    """Fit scikit-learn's logistic regression, as it is, on the features, as they are."""
    from sklearn.linear_model import LogisticRegression

    start = time.perf_counter()
    y = np.asarray(data.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 1000 steps are enough, whether or not it says so
        model = LogisticRegression(max_iter=1000).fit(table.X[~test], y[~test])
    right = model.predict(table.X[test]) == y[test]
    names = [data.names[i] for i in np.flatnonzero(test)]
    return Answers(
        name, seed, BASELINE, names, right.tolist(), time.perf_counter() - start, "lite0@224 float32"
    )


def genus(name: str, seed: int, preset: str, data: Dataset, test: NDArray[np.bool_]) -> Answers:
    """Train a preset with the same images marked as test."""
    start = time.perf_counter()
    marked = replace(data, splits=tuple("test" if aside else "train" for aside in test))
    result = ImageClassifier(preset, random_state=seed).fit(marked).result_
    guesses = np.asarray(result.test.classes)[result.test.proba.argmax(axis=1)]
    right = dict(zip(result.test.names, (guesses == result.test.true).tolist(), strict=True))
    names = [data.names[i] for i in np.flatnonzero(test)]
    seconds = time.perf_counter() - start
    return Answers(name, seed, preset, names, [right[n] for n in names], seconds, f"{result.head}")


def errors_by_image(found: Iterable[Answers], methods: tuple[str, str]) -> tuple[NDArray[np.float64], ...]:
    """Sum errors over seeds: one row an image, for the two methods; and how often each was tested."""
    sums: dict[tuple[str, str], list[float]] = {}
    for answers in found:
        if answers.method in methods:
            column = methods.index(answers.method)
            for image, right in zip(answers.images, answers.right, strict=True):
                row = sums.setdefault((answers.dataset, image), [0.0, 0.0, 0.0])
                row[column] += not right
                row[2] += column == 0
    rows = np.array(list(sums.values()))
    return rows[:, 0], rows[:, 1], rows[:, 2]


def compare(found: Iterable[Answers], method: str) -> Mapping[str, float]:
    """Hold a method against the baseline: error rates, difference and reduction, with intervals."""
    ours, theirs, tested = errors_by_image(found, (method, BASELINE))
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(ours), (N_BOOTSTRAP, len(ours)))
    n, a, b = tested[draws].sum(axis=1), ours[draws].sum(axis=1), theirs[draws].sum(axis=1)
    difference, reduction = (a - b) / n, 100 * (1 - a / np.maximum(b, 1))
    low, high = np.quantile(difference, [0.025, 0.975])
    least, most = np.quantile(reduction, [0.025, 0.975])
    return {
        "n": float(tested.sum()),
        "errors": float(ours.sum()),
        "baseline_errors": float(theirs.sum()),
        "difference": float((ours - theirs).sum() / tested.sum()),
        "difference_low": float(low),
        "difference_high": float(high),
        "reduction": float(100 * (1 - ours.sum() / max(theirs.sum(), 1))),
        "reduction_low": float(least),
        "reduction_high": float(most),
    }


def per_set_table(found: list[Answers], presets: Iterable[str]) -> str:
    lines = ["| set | n tested | " + BASELINE + " | " + " | ".join(presets) + " |"]
    lines.append("|---|---:|---:|" + "---:|" * len(list(presets)))
    for name in dict.fromkeys(a.dataset for a in found):
        of_set = [a for a in found if a.dataset == name]
        rows = {preset: compare(of_set, preset) for preset in presets}
        first = next(iter(rows.values()))
        cells = [name, f"{first['n']:.0f}", f"{1 - first['baseline_errors'] / first['n']:.2%}"]
        for row in rows.values():
            points = [100 * -row[key] for key in ("difference", "difference_high", "difference_low")]
            accuracy = 1 - row["errors"] / row["n"]
            cells.append(f"{accuracy:.2%} ({points[0]:+.2f}; {points[1]:+.2f} to {points[2]:+.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("\nAccuracy (in brackets: points above the baseline, with the paired 95% interval).")
    return "\n".join(lines)


def pooled_table(found: list[Answers], presets: Iterable[str]) -> str:
    lines = ["| all sets together | errors | of the baseline | fewer errors | 95% interval | goal |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for preset in presets:
        row = compare(found, preset)
        lines.append(
            f"| {preset} | {row['errors']:.0f} | {row['baseline_errors']:.0f} | {row['reduction']:.1f}% "
            f"| {row['reduction_low']:.1f}% to {row['reduction_high']:.1f}% | {GOALS[preset]:.0f}% |"
        )
    return "\n".join(lines)


def write(found: list[Answers]) -> None:
    OUT.mkdir(exist_ok=True)
    presets = [p for p in PRESETS if any(a.method == p for a in found)]
    sets = {a.dataset for a in found}
    record = {
        "genus": __version__,
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
        "answers": [asdict(answers) for answers in found],
        "pooled": {preset: compare(found, preset) for preset in presets},
        "sets": {
            s: {p: compare([a for a in found if a.dataset == s], p) for p in presets} for s in sorted(sets)
        },
    }
    (OUT / "accuracy.json").write_text(json.dumps(record), "utf-8")


if __name__ == "__main__":
    main()
