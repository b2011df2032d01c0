"""What mistakes cost: answers with the least expected cost, and what they cost in the end.

NumPy only: `genus.predictor` imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError, ParameterError

UNKNOWN_NAME = "unknown"
UNKNOWN = -1
"""The code of the answer "unknown"."""
_EQUAL = (
    1e-12  # of the largest cost: expected costs closer than that are equal, and the more probable class wins
)

Floats = NDArray[np.float64]


def unknown_name(classes: Sequence[str]) -> str:
    """Return what an answer of no class is called: "unknown", in parentheses where a class has that name.

    Examples
    --------
    >>> unknown_name(["cat", "dog"]), unknown_name(["cat", "unknown"])
    ('unknown', '(unknown)')
    """
    name, taken = UNKNOWN_NAME, set(classes)
    while name in taken:
        name = f"({name})"
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What it costs to take an image of one class for another.

    Attributes
    ----------
    classes : tuple of c str
    matrix : (c, c) float64
        Rows are true classes, columns predicted ones.
    unknown : (c,) float64 or None
        What it costs to answer "unknown" instead; None where that is no answer.

    Notes
    -----
    The answer with the least expected cost is optimal for honest probabilities: Elkan (2001), "The foundations of
    cost-sensitive learning", IJCAI. With a price for "unknown" it is the rule of Chow (1970), "On optimum recognition
    error and reject tradeoff", IEEE Transactions on Information Theory. Probabilities stay as they are.

    Examples
    --------
    >>> costs = Costs.of({"tumour": {"healthy": 20}}, ["healthy", "tumour"])
    >>> costs.matrix.tolist()
    [[0.0, 1.0], [20.0, 0.0]]
    >>> costs.answers([[0.9, 0.1], [0.99, 0.01]]).tolist()
    [1, 0]
    """

    classes: tuple[str, ...]
    matrix: Floats
    unknown: Floats | None = None

    @classmethod
    def of(cls, costs: Any, classes: Sequence[str]) -> Self:
        """Read costs as users give them.

        Parameters
        ----------
        costs : (c, c) array, or mapping of str to mapping of str to float
            True class by predicted class, in the order of `classes`; a further column is the cost of "unknown". A
            mapping names classes, as in `{"true": {"predicted": 5}}`: what it leaves out costs 1 (nothing where both
            are the same). "unknown" may be among the predicted; where only some classes name it, it costs the others 1.
        classes : sequence of c str

        Raises
        ------
        ParameterError
            The shape or a name is wrong, or a cost is negative or not finite.
        """
        names = tuple(str(name) for name in classes)
        if isinstance(costs, cls):
            return cls.of(costs.to_dict()["costs"], names)
        full = _of_names(costs, names) if isinstance(costs, Mapping) else _of_array(costs, names)
        bad = np.argwhere(~(np.isfinite(full) & (full >= 0)))
        if len(bad):
            true, predicted = bad[0].tolist()
            answer = names[predicted] if predicted < len(names) else UNKNOWN_NAME
            raise ParameterError(
                f"costs must be numbers from 0 on; taking {names[true]!r} for {answer!r} costs {full[true, predicted]}."
            )
        n = len(names)
        return cls(names, full[:, :n], full[:, n] if full.shape[1] > n else None)

    @property
    def full(self) -> Floats:
        """The matrix, with the column of "unknown" at the end where there is one."""
        return self.matrix if self.unknown is None else np.column_stack([self.matrix, self.unknown])

    def expected(self, proba: ArrayLike) -> Floats:
        """Return what each answer to each image would cost on average, (n, c), or (n, c + 1) with "unknown"."""
        rows = np.asarray(proba, np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.classes):
            raise DataError(
                f"the costs are for {len(self.classes)} classes; got probabilities of shape {rows.shape}."
            )
        found: Floats = rows @ self.full
        return found

    def answers(self, proba: ArrayLike) -> NDArray[np.int64]:
        """Return the cheapest answer to each image as a code, (n,); -1 is "unknown".

        Of answers that cost the same, the most probable class wins, and any class wins over "unknown".
        """
        expected = self.expected(proba)
        cheapest = expected.min(axis=1, keepdims=True, initial=np.inf)
        equal = expected <= cheapest + _EQUAL * max(1.0, float(self.full.max()))
        n = len(self.classes)
        preferred = np.where(equal[:, :n], np.asarray(proba, np.float64), -1.0)
        codes = preferred.argmax(axis=1)
        return np.asarray(np.where(equal[:, :n].any(axis=1), codes, UNKNOWN), np.int64)

    def paid(self, answers: ArrayLike, true: ArrayLike) -> Floats:
        """Return what answers cost once the truth is known, (n,).

        Parameters
        ----------
        answers : (n,) int
            Codes; -1 is "unknown", and free where that has no price.
        true : (n,) int
            Codes of the true classes.
        """
        given, codes = np.asarray(answers, np.int64), np.asarray(true, np.int64)
        unknown = np.zeros(len(self.classes)) if self.unknown is None else self.unknown
        table = np.column_stack([self.matrix, unknown])  # code -1 is the last column
        return np.asarray(table[codes, given], np.float64)

    def names(self, proba: ArrayLike) -> NDArray[np.str_]:
        """Return the cheapest answer to each image as a name, (n,)."""
        return np.asarray([*self.classes, unknown_name(self.classes)])[self.answers(proba)]

    def only(self, classes: Sequence[str]) -> "Costs":
        """Return the costs among some of the classes, in their order."""
        rows = [self.classes.index(name) for name in classes]
        unknown = None if self.unknown is None else self.unknown[rows]
        return Costs(tuple(classes), self.matrix[np.ix_(rows, rows)], unknown)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: by name, so that the order of classes cannot be mistaken."""
        answers = [*self.classes, unknown_name(self.classes)]
        named = {
            true: dict(zip(answers, row, strict=False))  # without a price for "unknown" a row is shorter
            for true, row in zip(self.classes, self.full.tolist(), strict=True)
        }
        return {"costs": named}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any], classes: Sequence[str]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            return cls.of(known["costs"], classes)
        except (KeyError, TypeError, ParameterError) as error:
            raise DataError("the costs of mistakes cannot be read.") from error


def _of_array(costs: Any, names: tuple[str, ...]) -> Floats:
    n = len(names)
    try:
        full = np.array(costs, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"costs must be a table of numbers, {n} by {n}, or name classes, not {costs!r:.60}."
        ) from error
    if full.shape not in ((n, n), (n, n + 1)):
        raise ParameterError(
            f"costs must have a row for each true class and a column for each predicted one, {n} by {n} (or one "
            f'column more, for "{UNKNOWN_NAME}"), not the shape {full.shape}.'
        )
    return full


def _of_names(costs: Mapping[Any, Any], names: tuple[str, ...]) -> Floats:
    code = {name: i for i, name in enumerate(names)}
    answers = {**code, unknown_name(names): len(names)}
    full = np.column_stack([1.0 - np.eye(len(names)), np.ones(len(names))])
    with_unknown = False
    for true, row in costs.items():
        _check_name(true, code, "true")
        if not isinstance(row, Mapping):
            raise ParameterError(
                f"the costs of {true!r} must name the classes it may be taken for, "
                f'as in {{"{true}": {{"{names[-1]}": 5}}}}, not {row!r:.60}.'
            )
        for predicted, cost in row.items():
            _check_name(predicted, answers, "predicted")
            with_unknown |= answers[str(predicted)] == len(names)
            full[code[str(true)], answers[str(predicted)]] = _number(cost, true, predicted)
    return full if with_unknown else full[:, : len(names)]


def _check_name(name: Any, known: Mapping[str, int], kind: str) -> None:
    if str(name) not in known:
        shown = ", ".join(list(known)[:8]) + (" ..." if len(known) > 8 else "")
        raise ParameterError(f"costs name the {kind} class {str(name)!r}; there are {shown}.")


def _number(cost: Any, true: Any, predicted: Any) -> float:
    try:
        return float(cost)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"taking {true!r} for {predicted!r} must cost a number, not {cost!r}."
        ) from error


@dataclass(frozen=True, slots=True)
class CostFigures:
    """What answers cost on labelled images.

    Attributes
    ----------
    mean : float
        Mean cost an image of the answers with the least expected cost.
    low, high : float or None
        Its 95% interval (`genus.metrics.intervals.mean_interval`); None for a single image.
    of_most_probable : float
        Mean cost if the most probable class were answered.
    changed : float
        Share of images whose answer is another one.
    unknown : float
        Share of images answered "unknown".
    n : int
    """

    mean: float
    low: float | None
    high: float | None
    of_most_probable: float
    changed: float
    unknown: float
    n: int


def measure_costs(costs: Costs, proba: ArrayLike, true: ArrayLike) -> CostFigures:
    """Count what answers cost on images whose class is known.

    Parameters
    ----------
    costs : Costs
    proba : (n, c) float
    true : (n,) int
        Codes of the true classes.

    Raises
    ------
    DataError
        There is nothing to measure.

    Examples
    --------
    >>> costs = Costs.of([[0, 1], [10, 0]], ["fine", "faulty"])
    >>> found = measure_costs(costs, [[0.8, 0.2], [0.7, 0.3], [0.95, 0.05]], [1, 0, 0])
    >>> round(found.mean, 2), round(found.of_most_probable, 2)
    (0.33, 3.33)
    """
    from genus.metrics.intervals import mean_interval

    rows, codes = np.asarray(proba, np.float64), np.asarray(true, np.int64)
    if not len(codes) or len(rows) != len(codes):
        raise DataError(f"{len(rows)} answers cannot be held against {len(codes)} classes.")
    cheapest, likeliest = costs.answers(rows), rows.argmax(axis=1)
    paid = costs.paid(cheapest, codes)
    low, high = mean_interval(paid) or (None, None)
    return CostFigures(
        mean=float(paid.mean()),
        low=None if low is None else max(0.0, low),
        high=high,
        of_most_probable=float(costs.paid(likeliest, codes).mean()),
        changed=float((cheapest != likeliest).mean()),
        unknown=float((cheapest == UNKNOWN).mean()),
        n=len(codes),
    )
