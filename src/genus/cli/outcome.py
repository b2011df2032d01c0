"""How a command ends: errors become one line on stderr and an exit code.

=====  ==========================================================================
code   meaning
=====  ==========================================================================
0      done
1      the answer is no: a check failed
2      bad usage or bad input; also an error in Genus itself
130    interrupted with Ctrl-C
141    whoever read the output closed it (`genus ... | head`), which is no error
=====  ==========================================================================
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec

import typer

from genus.cli.console import printable
from genus.errors import GenusError

NO = 1
BAD_INPUT = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
DEBUG = "GENUS_DEBUG"

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_P = ParamSpec("_P")


def settled(verb: Callable[_P, None]) -> Callable[_P, None]:
    """Wrap a verb so that whatever happens inside ends as the table above says."""

    @wraps(verb)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
            sys.stdout.flush()  # a full disk or closed pipe shows here, not after the last exception handler
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise typer.Exit(settle(error)) from error

    return run


def settle(error: BaseException) -> int:
    """Tell the person what went wrong, in one line; returns the exit code.

    With `GENUS_DEBUG=1` in the environment the traceback comes first.
    """
    if isinstance(error, BrokenPipeError):
        _forget_stdout()
        return PIPE_CLOSED
    if os.environ.get(DEBUG, "") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        _complain("Interrupted.")
        return INTERRUPTED
    if isinstance(error, GenusError):
        _complain(f"Error: {error}")
    elif isinstance(error, OSError) and error.errno in _NO_ROOM:
        _settle_stdout()
        _complain(f"Error: the results cannot be written: {error.strerror}.")
    elif isinstance(error, MemoryError):
        _complain("Error: there is not enough memory. Fewer --workers need less.")
    else:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        _complain(f"Error: something in Genus went wrong ({what}). Set {DEBUG}=1 to see where.")
    return BAD_INPUT


def _complain(text: str) -> None:
    with suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


def _settle_stdout() -> None:
    """Write what waits to be written to stdout; where that cannot be, it must not fail once more at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _forget_stdout()


def _forget_stdout() -> None:
    """Point stdout to nowhere, or Python complains when it flushes it at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
