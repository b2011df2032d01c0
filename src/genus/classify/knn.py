"""k nearest neighbours by cosine, with votes that fade with distance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genus.classify.bench import Bench, Floats
from genus.classify.head import Head
from genus.errors import ParameterError
from genus.graph import GraphBuilder
from genus.normalize import rounded_rows

_ROWS_AT_ONCE = 2048
_DOUBT = np.float32(0.01)  # share of every vote that is spread over all classes, so that no logit is -inf


class KNNHead(Head):
    """Votes of the `n_neighbors` most similar training rows, weighted by `exp(cosine / temperature)`.

    The fitted head holds the training rows (at most `max_stored` of them), and so does an exported file.

    Parameters
    ----------
    n_neighbors : int, default 15
        How many neighbours vote; all of them where there are fewer.
    temperature : float, default 0.05
        How fast a vote fades with distance; large values give all neighbours one vote each.
    max_stored : int, default 4096
        The most training rows to hold; above, a random choice of them.
    power, blocks, use
        Normalisation of the features; see `BlockNormalizer`.
    class_weight : None, "balanced" or dict
        "balanced" makes the votes of rare classes count more.
    random_state : int or None, default 0
        Which rows are kept when there are more than `max_stored`.

    Attributes
    ----------
    rows_ : (m, w) float32 array
        Normalised training rows.
    votes_ : (m, n_classes) float32 array
        What a row votes for: its weight in its class's column. With several labels a row, (m, 2 n_classes): its
        weight for each label that it has, then against each that it has not.
    n_stored_examples : int
        `m`.
    classes_ : (n_classes,) array
    n_features_in_ : int

    Notes
    -----
    O(n m d) to predict. The weighting is that of Wu et al. (2018), "Unsupervised feature learning via
    non-parametric instance discrimination".

    Examples
    --------
    >>> X = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    >>> KNNHead(n_neighbors=3).fit(X, ["cat", "cat", "dog", "dog"]).predict([[1.0, 0.2]])
    array(['cat'], dtype='<U3')
    """

    learns_label_sets = True
    weighs_labels = True

    def __init__(
        self,
        n_neighbors: int = 15,
        temperature: float = 0.05,
        *,
        max_stored: int = 4096,
        power: float = 0.5,
        blocks: Sequence[tuple[int, int]] | None = None,
        use: Sequence[int] | None = None,
        class_weight: Any = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.temperature = temperature
        self.max_stored = max_stored
        self.power = power
        self.blocks = blocks
        self.use = use
        self.class_weight = class_weight
        self.random_state = random_state

    @property
    def n_stored_examples(self) -> int:  # type: ignore[override]
        """How many training rows the fitted head holds."""
        return len(self.rows_) if hasattr(self, "rows_") else 0

    def cv_logits(self, bench: Bench, grid: Sequence[Mapping[str, Any]]) -> Iterator[Floats]:
        """Yield out-of-fold logits for each setting; see `SharesWork.cv_logits`."""
        settings = [self._checked(setting) for setting in grid]
        widest = max((k for k, _ in settings), default=1)
        nearest = [
            (rows, kept, *top(bench.Z[rows] @ bench.Z[kept].T, widest))
            for rows, kept in ((rows, self._kept(bench.train(f))) for f, rows in bench.held_out())
        ]
        votes = _votes(bench)
        for k, temperature in settings:
            logits = np.empty_like(bench.one_hot)
            for rows, kept, cosines, indices in nearest:
                chosen = votes[kept][indices[:, :k]]
                logits[rows] = _tally(cosines[:, :k], chosen, temperature, several=bench.labels is not None)
            yield logits

    def _learn(self, bench: Bench) -> None:
        self._checked({})
        kept = self._kept(bench.train(0))
        self.rows_ = np.ascontiguousarray(rounded_rows(bench.Z[kept]), np.float32)
        self.votes_ = np.ascontiguousarray(_votes(bench)[kept], np.float32)

    def _score(self, Z: NDArray[np.float32]) -> Floats:
        logits = np.empty((len(Z), len(self.classes_)), np.float32)
        for start in range(0, len(Z), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            cosines, indices = top(Z[rows] @ self.rows_.T, self.n_neighbors)
            logits[rows] = _tally(cosines, self.votes_[indices], self.temperature, several=self.multilabel_)
        return logits

    def _export_scores(self, graph: GraphBuilder, z: str) -> str:
        k, n_classes = min(self.n_neighbors, len(self.rows_)), len(self.classes_)
        cosines = graph.op("MatMul", z, graph.half_constant(np.ascontiguousarray(self.rows_.T)))
        nearest, indices = graph.op_many(
            "TopK",
            [cosines, graph.constant(np.array([k], np.int64))],
            [graph.fresh("nearest"), graph.fresh("indices")],
            axis=1,
        )
        closest = graph.op("ReduceMax", nearest, axes=[1], keepdims=1)
        faded = graph.op("Div", graph.op("Sub", nearest, closest), _scalar(graph, self.temperature))
        weights = graph.op("Unsqueeze", graph.op("Exp", faded), graph.constant(np.array([1], np.int64)))
        votes = graph.op("Gather", graph.constant(self.votes_), indices, axis=0)
        counted = graph.op(
            "Squeeze", graph.op("MatMul", weights, votes), graph.constant(np.array([1], np.int64))
        )
        return _export_odds(graph, counted) if self.multilabel_ else _export_shares(graph, counted, n_classes)

    def _checked(self, setting: Mapping[str, Any]) -> tuple[int, float]:
        k = int(setting.get("n_neighbors", self.n_neighbors))
        temperature = float(setting.get("temperature", self.temperature))
        if k < 1 or not 0 < temperature < np.inf or self.max_stored < 1:
            raise ParameterError(
                f"n_neighbors={k!r}, temperature={temperature!r}, max_stored={self.max_stored!r}: "
                "expected positive numbers."
            )
        return k, temperature

    def _kept(self, candidates: NDArray[np.bool_]) -> NDArray[np.intp]:
        rows = np.flatnonzero(candidates)
        if len(rows) <= self.max_stored:
            return rows
        return np.sort(np.random.default_rng(self.random_state).choice(rows, self.max_stored, replace=False))


def top(similarity: Floats, k: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return the `k` largest values of each row, descending, and their columns; of equals the first, as in ONNX."""
    k = min(k, similarity.shape[1])
    columns = np.sort(np.argpartition(similarity, similarity.shape[1] - k, axis=1)[:, -k:], axis=1)
    values = np.take_along_axis(similarity, columns, axis=1)
    tied = (similarity >= values.min(axis=1, keepdims=True)).sum(axis=1) > k
    if tied.any():
        columns[tied] = np.argsort(-similarity[tied], axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(similarity, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(columns, order, axis=1)


def vote(cosines: Floats, votes: Floats, temperature: float) -> Floats:
    """Return log-shares (n, n_classes) of the votes (n, k, n_classes) of neighbours at these cosines (n, k)."""
    weights = np.exp((cosines - cosines[:, :1]) / temperature)
    counted = np.einsum("nk,nkc->nc", weights, votes)
    shares = counted / np.maximum(counted.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(np.log(shares * (1 - _DOUBT) + _DOUBT / votes.shape[2]))


def vote_odds(cosines: Floats, votes: Floats, temperature: float) -> Floats:
    """Return each label's log-odds (n, c) by the votes (n, k, 2c) for and against it."""
    weights = np.exp((cosines - cosines[:, :1]) / temperature)
    counted = np.einsum("nk,nkc->nc", weights, votes)
    in_favour, against = np.split(counted, 2, axis=1)
    total = in_favour + against + _DOUBT
    return np.asarray(np.log((in_favour + _DOUBT * total) / (against + _DOUBT * total)))


def _tally(cosines: Floats, votes: Floats, temperature: float, *, several: bool) -> Floats:
    return vote_odds(cosines, votes, temperature) if several else vote(cosines, votes, temperature)


def _votes(bench: Bench) -> Floats:
    if bench.labels is None:
        return bench.one_hot * bench.weights[:, None]
    cells = (bench.knowns if bench.cells is None else bench.cells) * bench.weights[:, None]
    has = bench.labels == 1
    return np.concatenate([cells * has, cells * ~has], axis=1)


def _export_shares(graph: GraphBuilder, counted: str, n_classes: int) -> str:
    total = graph.op("ReduceSum", counted, graph.constant(np.array([1], np.int64)), keepdims=1)
    shares = graph.op("Mul", graph.op("Div", counted, total), _scalar(graph, 1 - _DOUBT))
    return graph.op("Log", graph.op("Add", shares, _scalar(graph, _DOUBT / n_classes)))


def _export_odds(graph: GraphBuilder, counted: str) -> str:
    in_favour, against = graph.op_many(
        "Split", [counted], [graph.fresh("in_favour"), graph.fresh("against")], axis=1
    )
    total = graph.op("Add", graph.op("Add", in_favour, against), _scalar(graph, _DOUBT))
    doubt = graph.op("Mul", total, _scalar(graph, _DOUBT))
    odds = graph.op("Div", graph.op("Add", in_favour, doubt), graph.op("Add", against, doubt))
    return graph.op("Log", odds)


def _scalar(graph: GraphBuilder, value: float | np.float32) -> str:
    return graph.constant(np.array(value, np.float32))
