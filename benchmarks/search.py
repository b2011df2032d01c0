"""Searching: how much of the truth is found, how quickly, and whether what is found is of the same class.

`python benchmarks/search.py [--quick] [--only speed|retrieval] [--rows N,N]`

Speed: rows of 1,280 numbers (EfficientNet-Lite0) of the images of the labelled sets. There are only some thousands of
these, so each row is the features of one image plus half the difference of two others, drawn at random: as many rows as
wanted, in the directions in which real features differ. The queries are more such rows. Beside Genus run faiss (HNSW
with 8-bit rows) and hnswlib (float32), where they are installed, with the same number of neighbours and the same effort
in building. Each is asked with rising effort until it finds 98% of the ten nearest that an exact search finds; the
figures are those of that effort. What would not fit into `--memory` is left out, and that is said.

Retrieval: of each labelled set a quarter of the images (copies on one side, three seeds) is asked for among the others:
mean average precision and share of queries with an image of their class first, with the features as they are, centred,
and as the index chose.

Prints Markdown; writes benchmarks/out/search.json.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.data.duplicates import duplicate_groups
from genus.data.splits import split_off
from genus.features.comparable import comparable
from genus.features.feature_set import feature_set_for, parse_feature_set
from genus.features.runtime import available_cores
from genus.features.stream import extract
from genus.search.judging import Material, choose_metric
from genus.search.metric import RAW, centred, unit_rows
from genus.search.retrieval import query_figures, retrieval_of
from genus.search.storage import StoredRows
from genus.search.vector_index import _LEAST_POOL, _POOL, VectorIndex
from real_sets import OUT, SINGLE_LABEL, load_set

TARGET, AT = 0.98, 10
EFFORTS = (16, 32, 64, 128, 256, 512, 1024, 2048)
NEIGHBOURS, BUILD_EFFORT = 16, 128
BLOCK, N_QUERIES = 16_384, 500
SEEDS = (0, 1, 2)

Rows = NDArray[np.float32]
Ask = Callable[[Rows, int], NDArray[np.int64]]  # queries, effort -> (m, 10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="5,000 rows; two small sets, one seed")
    parser.add_argument("--only", choices=("speed", "retrieval"))
    parser.add_argument("--rows", default="100000,1000000", help="how many, with commas between")
    parser.add_argument("--memory", type=float, default=6.0, help="GB that one library may take")
    args = parser.parse_args()
    names = ("hymenoptera", "trashnet") if args.quick else SINGLE_LABEL
    sizes = [5000] if args.quick else [int(n) for n in args.rows.split(",")]
    results: dict[str, Any] = {}
    if args.only != "retrieval":
        results["speed"] = [row for n in sizes for row in speed(n, names, args.memory)]
    if args.only != "speed":
        results["retrieval"] = {name: retrieval(name, SEEDS[: 1 if args.quick else None]) for name in names}
        show_retrieval(results["retrieval"])
    OUT.mkdir(exist_ok=True)
    (OUT / "search.json").write_text(json.dumps(results, indent=1), "utf-8")


def real_rows(names: tuple[str, ...]) -> Rows:
    features = parse_feature_set("efficientnet-lite0")
    return np.concatenate(
        [comparable(extract(load_set(n).sources, features).X, features.blocks) for n in names]
    )


def drawn(real: Rows, n: int, rng: np.random.Generator) -> Rows:
    one, two, three = (rng.integers(len(real), size=n) for _ in range(3))
    return unit_rows(real[one] + np.float32(0.5) * (real[two] - real[three]))


def stored_rows(real: Rows, n: int, folder: Path) -> StoredRows:
    """Write the rows in half precision, block by block, and map them."""
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float16, (n, real.shape[1]))
    for start in range(0, n, BLOCK):
        rows[start : start + BLOCK] = drawn(real, min(BLOCK, n - start), rng)
    rows.flush()
    return StoredRows(np.load(folder / "rows.npy", mmap_mode="r"))


def speed(n: int, names: tuple[str, ...], memory: float) -> list[dict[str, Any]]:
    real = real_rows(names)
    print(f"\n{n:,} rows of {real.shape[1]} numbers, made of the features of {len(real):,} images; ", end="")
    print(f"{available_cores()} cores\n")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:  # a killed run leaves it behind: git ignores it
        stored = stored_rows(real, n, Path(folder))
        queries = drawn(real, N_QUERIES, np.random.default_rng(1))
        exact = VectorIndex(stored)
        begun = time.perf_counter()
        true = exact.search(queries, AT, exact=True).rows
        exact_rate = N_QUERIES / (time.perf_counter() - begun)
        print(
            "| library | rows | rows/s built | GB | effort | recall@10 | queries/s, one at a time | all at once |"
        )
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        print(f"| exact | float16 | | {2 * stored.values.size / 1e9:.1f} | | 1.000 | | {exact_rate:.1f} |")
        found = []
        for library in (genus, faiss_hnsw, hnswlib_hnsw):
            row = library(stored, queries, true, memory)
            found.append({"rows": n, **row})
            print(row.pop("line"))
    return found


def genus(stored: StoredRows, queries: Rows, true: NDArray[np.int64], memory: float) -> dict[str, Any]:
    index = VectorIndex(stored)
    begun = time.perf_counter()
    index.make_graph()
    seconds = time.perf_counter() - begun  # with the measuring of its recall

    def ask(rows: Rows, effort: int) -> NDArray[np.int64]:
        pool = max(_LEAST_POOL, _POOL * AT)
        assert index.graph is not None
        return index._by_graph(index.graph, rows, AT, index.alive, pool, effort).rows

    size = (stored.values.size + 2 * 4 * NEIGHBOURS * len(stored)) / 1e9
    row = asked("Genus", "int8, compared again in float16", ask, queries, true, len(stored) / seconds, size)
    assert index.recall is not None
    return {**row, "measured_at_build": index.recall.to_dict()}


def faiss_hnsw(stored: StoredRows, queries: Rows, true: NDArray[np.int64], memory: float) -> dict[str, Any]:
    try:
        import faiss
    except ImportError:
        return {"library": "faiss", "line": "| faiss | not installed | | | | | | |"}
    faiss.omp_set_num_threads(available_cores())
    kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWSQ(stored.width, kind, NEIGHBOURS, metric)
    index.hnsw.efConstruction = BUILD_EFFORT
    begun = time.perf_counter()
    index.train(stored.read(slice(0, BLOCK)))
    for rows in blocks(stored):
        index.add(rows)
    seconds = time.perf_counter() - begun

    def ask(rows: Rows, effort: int) -> NDArray[np.int64]:
        index.hnsw.efSearch = effort
        return index.search(rows, AT)[1]

    size = (stored.values.size + 2 * 4 * NEIGHBOURS * len(stored)) / 1e9
    return asked("faiss", "8 bits", ask, queries, true, len(stored) / seconds, size)


def hnswlib_hnsw(stored: StoredRows, queries: Rows, true: NDArray[np.int64], memory: float) -> dict[str, Any]:
    size = (4 * stored.values.size + 2 * 4 * NEIGHBOURS * len(stored)) / 1e9
    if size > memory:
        line = f"| hnswlib | float32 | left out: it would take {size:.1f} GB | | | | | |"
        return {"library": "hnswlib", "left_out": True, "line": line}
    try:
        import hnswlib
    except ImportError:
        return {"library": "hnswlib", "line": "| hnswlib | not installed | | | | | | |"}
    index = hnswlib.Index(space="ip", dim=stored.width)
    index.init_index(len(stored), ef_construction=BUILD_EFFORT, M=NEIGHBOURS)
    index.set_num_threads(available_cores())
    begun = time.perf_counter()
    for rows in blocks(stored):
        index.add_items(rows)
    seconds = time.perf_counter() - begun

    def ask(rows: Rows, effort: int) -> NDArray[np.int64]:
        index.set_ef(max(effort, AT))
        return index.knn_query(rows, AT)[0].astype(np.int64)

    return asked("hnswlib", "float32", ask, queries, true, len(stored) / seconds, size)


def blocks(stored: StoredRows) -> Iterator[Rows]:
    for start in range(0, len(stored), BLOCK):
        yield stored.read(slice(start, start + BLOCK))


def asked(
    library: str, kept: str, ask: Ask, queries: Rows, true: NDArray[np.int64], build_rate: float, size: float
) -> dict[str, Any]:
    """Ask with rising effort until enough is found; then measure."""
    recall, effort = 0.0, 0
    for effort in EFFORTS:
        found = ask(queries, effort)
        recall = float(
            np.mean([len(set(a) & set(b)) / AT for a, b in zip(found.tolist(), true.tolist(), strict=True)])
        )
        if recall >= TARGET:
            break
    begun = time.perf_counter()
    for query in queries[:, None]:
        ask(query, effort)
    one = len(queries) / (time.perf_counter() - begun)
    begun = time.perf_counter()
    ask(queries, effort)
    batch = len(queries) / (time.perf_counter() - begun)
    cells = f"{build_rate:,.0f} | {size:.1f} | {effort} | {recall:.3f} | {one:,.0f} | {batch:,.0f}"
    figures = {"build_rate": build_rate, "effort": effort, "recall": recall, "one": one, "batch": batch}
    return {
        "library": library,
        "kept": kept,
        "gigabytes": size,
        **figures,
        "line": f"| {library} | {kept} | {cells} |",
    }


def retrieval(name: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    features, data = feature_set_for("balanced"), load_set(name)
    table = extract(data.sources, features)
    rows, labels = comparable(table.X, table.blocks), np.asarray(data.take(table.kept).labels)
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    groups = duplicate_groups(table.content_hashes, table.hashes, table.X)
    runs = []
    for seed in seeds:
        new = split_off(codes, list(table.content_hashes), groups, size=0.25, random_state=seed)
        known = Material(rows[~new], codes[~new], groups[~new])
        choice = choose_metric(known, random_state=seed)
        metrics = {
            "as they are": RAW,
            "centred": centred(known.rows, random_state=seed),
            "chosen": choice.metric,
        }
        run: dict[str, Any] = {"metric": choice.metric.name}
        for called, metric in metrics.items():
            placed = metric.apply(rows)
            scores, same = placed[new] @ placed[~new].T, codes[new][:, None] == codes[~new]
            run[called] = retrieval_of(query_figures(scores, same, np.ones_like(same))).to_dict()
        run["bytes"] = {called: 4 * metric.width(rows.shape[1]) for called, metric in metrics.items()}
        run["promised"] = choice.chosen.retrieval.to_dict()
        runs.append(run)
    return {"n": len(rows), "n_classes": int(codes.max()) + 1, "runs": runs}


def show_retrieval(results: dict[str, Any]) -> None:
    ways = ("as they are", "centred", "chosen")
    head = ("set", "images", "classes", "mAP as they are", "centred", "as chosen", "promised at build")
    print(f"\n| {' | '.join(head)} | same class first, as they are | as chosen |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, found in results.items():
        precision = [mean(found, way, "mean_average_precision") for way in (*ways, "promised")]
        first = [mean(found, way, "recall_at_1") for way in (ways[0], ways[2])]
        cells = [f"{value:.3f}" for value in precision] + [f"{value:.1%}" for value in first]
        print(f"| {name} | {found['n']:,} | {found['n_classes']} | {' | '.join(cells)} |")


def mean(found: dict[str, Any], way: str, figure: str) -> float:
    return float(np.mean([run[way][figure] for run in found["runs"]]))


if __name__ == "__main__":
    main()
