"""How a training went, epoch by epoch; light to import, and plain values when written."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch.

    Attributes
    ----------
    number : int
        From 1.
    loss : float
        Mean training loss, of the augmented images.
    rate : float
        The learning rate at its end.
    seconds : float
        From the beginning of the training to its end.
    validation_loss : float or None
        Mean loss on the validation images as they are; None where they were not looked at.
    validation_score : float or None
        Likewise; higher is better.
    """

    number: int
    loss: float
    rate: float
    seconds: float
    validation_loss: float | None = None
    validation_score: float | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Epoch":
        """Read what `dataclasses.asdict` wrote."""
        return cls(**values)


def score_in_words(score: float) -> str:
    """Write a score as a share in per cent; one that is no share, such as a log-loss below 0, as it is.

    Examples
    --------
    >>> score_in_words(0.95), score_in_words(-0.35)
    ('95.0%', '-0.350')
    """
    return f"{score:.1%}" if 0 <= score <= 1 else f"{score:.3f}"


@dataclass(frozen=True, slots=True)
class History:
    """A whole training.

    Attributes
    ----------
    epochs : tuple of Epoch
    stopped : str
        Why it ended: "finished", "no better for a while", "time", "not finite".
    best : int
        The number of the epoch whose weights were taken.
    n_parameters : int
        How many numbers were learned.
    place : str
        Where: "cpu, float32".
    seconds : float
        In all, earlier runs that were resumed counted in.
    notes : tuple of str
        What happened on the way.
    """

    epochs: tuple[Epoch, ...]
    stopped: str
    best: int
    n_parameters: int
    place: str
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def taken(self) -> Epoch | None:
        """The epoch whose weights were taken; None if there was none."""
        return self.epochs[self.best - 1] if self.best else None

    def then(self, other: "History") -> "History":
        """Return this training and one that went on with what it had taken, as one."""
        so_far = self.epochs[: self.best]
        seconds = so_far[-1].seconds if so_far else 0.0
        later = (
            replace(epoch, number=len(so_far) + epoch.number, seconds=round(seconds + epoch.seconds, 3))
            for epoch in other.epochs
        )
        return replace(
            other,
            epochs=(*so_far, *later),
            best=len(so_far) + other.best,
            seconds=round(self.seconds + other.seconds, 3),
            notes=(*self.notes, *other.notes),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "epochs": [asdict(epoch) for epoch in self.epochs], "notes": list(self.notes)}
