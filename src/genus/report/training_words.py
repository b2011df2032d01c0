"""What a training found out, in words: which images judged, and what more images would give."""

from genus.classify.learning_curve import Forecast, LearningCurve
from genus.estimators.result import IN_TURN, TrainingResult
from genus.wording import count

_WORTH = 0.03  # points of accuracy worth collecting images for
_PLATEAU = 0.01


def judged_on(result: TrainingResult) -> str:
    """Say which images were learned from and which judged."""
    if result.test_kind != IN_TURN:
        return f"Learned from {result.n_train:,}, judged on {result.n_test:,} others ({result.test_kind})."
    if not result.n_test:
        return f"Learned from all {result.n_train:,}; none is left to judge by."
    return f"Learned from all {result.n_train:,}; {result.n_test:,} judged in turn, each by what the others taught."


def more_images(curve: LearningCurve | None) -> str:
    """Say what more images a class should give; nothing where that was not measured.

    Examples
    --------
    >>> steps = (Forecast(20, 0.021, 0.01, 0.03, 0.87), Forecast(40, 0.032, 0.015, 0.05, 0.88))
    >>> print(more_images(LearningCurve(40.0, 200, (), steps)))
    About 40 more images a class should give +3 points of accuracy (+1.5 to +5.0).
    """
    if curve is None or not curve.forecasts:
        return ""
    enough = next((step for step in curve.forecasts if step.gain >= _WORTH), None)
    if enough is not None:
        points = f"+{100 * enough.gain:.0f} points"
        return (
            f"About {enough.more:,} more images a class should give {points} of accuracy ({_range(enough)})."
        )
    twice = doubled(curve)
    gain = f"about +{100 * twice.gain:.1f} points of accuracy ({_range(twice)})"
    if twice.gain < _PLATEAU:
        return f"More images of the same kind will hardly help: twice as many should give {gain}."
    return f"Twice as many images ({count(twice.more, 'more a class', 'more a class')}) should give {gain}."


def doubled(curve: LearningCurve) -> Forecast:
    """Return the forecast nearest to twice as many images."""
    return min(curve.forecasts, key=lambda step: abs(step.more - curve.now))


def _range(step: Forecast) -> str:
    return f"{100 * step.low:+.1f} to {100 * step.high:+.1f}"
