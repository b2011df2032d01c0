"""From probabilities to a set of labels: one threshold a label, tuned for a stated aim."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genus.errors import DataError, ParameterError

Floats = NDArray[np.float64]

_TRUST = 20.0  # images with a label that weigh as much as its probabilities do
_NEVER = 1.0 + 1e-6  # no probability reaches it
_FORMS = 'expected "f1", "precision>=0.9", "recall>=0.9" or "cost=5"'


@dataclass(frozen=True, slots=True)
class Aim:
    """What thresholds are tuned for.

    Attributes
    ----------
    kind : {"f1", "precision", "recall", "cost"}
        The best F1; the most labels found at a precision of at least `value`; the fewest false ones at a recall of
        at least `value`; the least cost where a missed label costs `value` times a false one.
    value : float
        Without meaning for "f1".
    """

    kind: Literal["f1", "precision", "recall", "cost"] = "f1"
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "f1", "precision>=0.9", "recall>=0.95" or "cost=5".

        Raises
        ------
        ParameterError
            It is none of these, or the number makes no sense.

        Examples
        --------
        >>> Aim.parse("recall>=0.95")
        Aim(kind='recall', value=0.95)
        """
        plain = text.strip().lower()
        if plain == "f1":
            return cls()
        found = re.fullmatch(r"(precision|recall)\s*>=\s*([0-9.]+)|(cost)\s*=\s*([0-9.]+)", plain)
        if found is None:
            raise ParameterError(f"aim {text!r}: {_FORMS}.")
        kind, number = found[1] or found[3], found[2] or found[4]
        try:
            value = float(number)
        except ValueError as error:
            raise ParameterError(f"aim {text!r}: {number!r} is no number; {_FORMS}.") from error
        if not (0 < value < 1 if kind != "cost" else value > 0):
            between = "between 0 and 1" if kind != "cost" else "above 0"
            raise ParameterError(f"aim {text!r}: the number must be {between}.")
        return cls(kind, value)  # type: ignore[arg-type]  # one of the four, by the pattern

    def __str__(self) -> str:
        if self.kind == "f1":
            return "f1"
        return f"{self.kind}{'=' if self.kind == 'cost' else '>='}{self.value:g}"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least probability at which each label is named.

    Attributes
    ----------
    names : tuple of c str
    values : tuple of c float
        Above 1: never.
    aim : str
        What they were tuned for; "given" where a person set them.
    notes : tuple of str
        Labels for which the aim could not be had.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    aim: str = "f1"
    notes: tuple[str, ...] = ()

    def apply(self, proba: ArrayLike) -> NDArray[np.bool_]:
        """Return which labels are named, bool (n, c), from probabilities (n, c)."""
        return np.asarray(np.asarray(proba) >= np.asarray(self.values), np.bool_)

    def changed(self, given: float | Mapping[str, float]) -> "Thresholds":
        """Return thresholds with one value for all labels, or with the named ones changed.

        Raises
        ------
        ParameterError
            A value is not between 0 and 1, or a name is no label.
        """
        changes = given if isinstance(given, Mapping) else dict.fromkeys(self.names, given)
        if unknown := [name for name in changes if name not in self.names]:
            raise ParameterError(
                f"threshold for {unknown[0]!r}: no such label; there are {_some(self.names)}."
            )
        for name, value in changes.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise ParameterError(f"the threshold of {name!r} must be between 0 and 1, not {value!r}.")
        known = dict(zip(self.names, self.values, strict=True))
        values = tuple(float(changes.get(name, known[name])) for name in self.names)
        return Thresholds(self.names, values, "given")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a model file."""
        return {
            "aim": self.aim,
            "values": dict(zip(self.names, self.values, strict=True)),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], names: Sequence[str]) -> "Thresholds":
        """Read what `to_dict` wrote, in the order of `names`.

        Raises
        ------
        DataError
            It is something else.
        """
        try:
            numbers = tuple(float(values["values"][name]) for name in names)
            return cls(tuple(names), numbers, str(values["aim"]), tuple(map(str, values["notes"])))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("these are not thresholds as Thresholds.to_dict() writes them.") from error


def tune_thresholds(
    proba: ArrayLike, truth: ArrayLike, names: Sequence[str], aim: Aim | str = "f1"
) -> Thresholds:
    """Choose each label's threshold on images that the model was not fitted on.

    Parameters
    ----------
    proba : (n, c) float
        Calibrated out-of-fold probabilities.
    truth : (n, c) int
        1 has the label, 0 has it not, -1 unknown (left out).
    names : sequence of c str
    aim : Aim or str, default "f1"

    Returns
    -------
    Thresholds
        Halfway between the probabilities of the last image named and the first one not. With few images the one
        best cut is luck, so for F1 and precision what was counted is mixed with what the probabilities promise,
        the latter weighing as much as 20 images with the label would.

    Notes
    -----
    Lipton, Elkan and Naryanaswamy (2014), "Optimal thresholding of classifiers to maximize F1 measure", ECML.
    O(c n log n).

    Examples
    --------
    >>> proba = np.array([[0.9], [0.4], [0.1], [0.1]])
    >>> tuned = tune_thresholds(proba, [[1], [1], [0], [0]], ["cat"])
    >>> tuned.values, int(tuned.apply(proba).sum())
    ((0.25,), 2)
    """
    wanted = Aim.parse(aim) if isinstance(aim, str) else aim
    p, y = np.asarray(proba, np.float64), np.asarray(truth)
    if p.ndim != 2 or p.shape != y.shape or p.shape[1] != len(names):
        raise DataError(f"{len(names)} labels cannot be tuned on arrays of shapes {p.shape} and {y.shape}.")
    values, notes = [], []
    for label, name in enumerate(names):
        known = y[:, label] >= 0
        order = np.argsort(-p[known, label], kind="stable")
        value, note = _threshold(p[known, label][order], y[known, label][order] == 1, wanted)
        values.append(value)
        if note:
            notes.append(f"{name}: {note}")
    return Thresholds(tuple(names), tuple(values), str(wanted), tuple(notes))


def _threshold(p: Floats, has: NDArray[np.bool_], aim: Aim) -> tuple[float, str]:
    """Tune one label on falling probabilities `p` and whether the images have it."""
    if aim.kind == "cost":  # the probabilities are honest, so there is nothing to tune
        return 1 / (1 + aim.value), ""
    n_has = int(has.sum())
    if n_has == 0:
        return 0.5, "no image to tune the threshold on; 0.5"
    if aim.kind == "recall":
        return _for_recall(p, has, aim.value)
    trust = n_has / (n_has + _TRUST)
    k = np.arange(1, len(p) + 1)
    hits = trust * np.cumsum(has) + (1 - trust) * np.cumsum(p)
    if aim.kind == "f1":
        total = trust * n_has + (1 - trust) * p.sum()
        return _between(p, int((2 * hits / (k + total)).argmax())), ""
    # one standard error to spare, or the laxest of many cuts would be the luckiest
    spare = np.sqrt(aim.value * (1 - aim.value) / k)
    enough = np.flatnonzero(hits / k - spare >= aim.value)
    if len(enough):
        return _between(p, int(enough[-1])), ""
    return _NEVER, f"no threshold has a precision of {aim.value:.0%} on the training images; never named"


def _for_recall(p: Floats, has: NDArray[np.bool_], recall: float) -> tuple[float, str]:
    """Take the highest threshold that a new image with the label passes with this probability (conformal)."""
    rising = p[has][::-1]
    missed = int(np.floor((len(rising) + 1) * (1 - recall) + 1e-9))
    if missed < 1:
        return 0.0, f"{len(rising)} images are too few for a recall of {recall:.0%}; always named"
    return float(rising[missed - 1]), ""


def _between(p: Floats, last: int) -> float:
    following = p[last + 1] if last + 1 < len(p) else 0.0
    return float((p[last] + following) / 2) if following < p[last] else float(p[last])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
