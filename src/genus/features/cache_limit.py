"""How large the feature cache may become: a setting of the user that outlives the process."""

from contextlib import suppress
from pathlib import Path

from genus.errors import ParameterError
from genus.files import cache_dir, output_error, write_text

DEFAULT_LIMIT = 4 << 30
_LEAST = 1 << 20


def read_limit() -> int:
    """Return the most bytes the feature cache may keep: what `write_limit` was told, else 4 GiB."""
    with suppress(OSError, ValueError):
        return max(_LEAST, int(_place().read_text("ascii")))
    return DEFAULT_LIMIT


def write_limit(n_bytes: int) -> None:
    """Remember the most bytes the feature cache may keep, for all processes to come.

    Raises
    ------
    ParameterError
        It is less than 1 MiB.
    OutputError
        The cache folder cannot be written.
    """
    if n_bytes < _LEAST:
        raise ParameterError(f"the cache needs a limit of at least {_LEAST:,} bytes; got {n_bytes:,}.")
    try:
        _place().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(_place().parent, error) from error
    write_text(_place(), f"{n_bytes}\n")


def _place() -> Path:
    return cache_dir() / "features.limit"
