"""Numbers of channels as they are written behind a network's name: "32-64-128"."""

from genus.cnn.spec import NetworkSpec
from genus.errors import ParameterError

_MAX_WIDTH = 4096
_MAX_STAGES = 8


def parse_widths(
    spec: NetworkSpec, default: tuple[int, ...], *, n_stages: int | None = None
) -> tuple[int, ...]:
    """Read the widths behind a network's name.

    Parameters
    ----------
    spec : NetworkSpec
    default : tuple of int
        What there is without any.
    n_stages : int or None
        How many there must be; None for any number.

    Raises
    ------
    ParameterError
        They are no numbers joined by "-", or too many, or too few.

    Examples
    --------
    >>> parse_widths(NetworkSpec("speedrun:32-64-128", 10), (64, 256, 256))
    (32, 64, 128)
    >>> parse_widths(NetworkSpec("speedrun:32x", 10), (64, 256, 256))
    Traceback (most recent call last):
    genus.errors.ParameterError: speedrun:32x: behind the colon come numbers of channels, such as speedrun:64-256-256.
    """
    if not spec.details:
        return default
    example = f"{spec.family}:{'-'.join(map(str, default))}"
    parts = spec.details.split("-")
    if not all(part.isdecimal() and 1 <= int(part) <= _MAX_WIDTH for part in parts):
        raise ParameterError(f"{spec.name}: behind the colon come numbers of channels, such as {example}.")
    n_wanted = len(parts) if n_stages is None else n_stages
    if len(parts) != n_wanted or len(parts) > _MAX_STAGES:
        raise ParameterError(
            f"{spec.name}: {len(parts)} numbers of channels; there must be {n_stages or f'1 to {_MAX_STAGES}'}, "
            f"such as {example}."
        )
    return tuple(map(int, parts))
