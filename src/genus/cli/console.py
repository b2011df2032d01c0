"""What a person sees on stderr while a command works: a progress bar when it lasts, and the odd line.

Results are no business of this file; they go to stdout (`genus.cli.output`).
"""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_PATIENCE = 0.7  # seconds; a job that is over by then needs no bar
_BESIDE = "  "  # between a label and how things stand


def printable(text: str) -> str:
    r"""Escape what must not reach a terminal: line breaks, control characters, bytes that are no text.

    Names of files may hold all of these; printed raw, a newline would fake a line and an escape sequence would
    be obeyed.

    Examples
    --------
    >>> print(printable("a\nb\x1b[2J \udcff é"))
    a\nb\x1b[2J \udcff é
    """
    return "".join(c if _is_plain(c) else c.encode("unicode_escape").decode("ascii") for c in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character == "\u3000"


class Console:
    """The command line's `genus.progress.Progress`.

    Parameters
    ----------
    quiet : bool, default False
        Show and say nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.shows_bars = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bars: Bars | None = None
        self._n_open = 0

    def task(self, label: str, total: int | None = None, unit: str = "") -> "Job":
        """Begin a job; its bar appears once it has lasted a while, and goes when it ends."""
        return Job(self, label, total, unit)

    def say(self, text: str) -> None:
        """Print one line on stderr, above the bar if there is one."""
        if self.quiet:
            return
        if self._bars is not None:
            self._bars.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
        else:
            print(printable(text), file=sys.stderr, flush=True)

    def open_bar(self, label: str, total: int | None, unit: str) -> "tuple[Bars, TaskID]":
        """Show one more bar."""
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        self._n_open += 1
        return self._bars, self._bars.add_task(label, total=total, unit=unit)

    def close_bar(self, bar: "TaskID") -> None:
        """Take a bar away."""
        if self._bars is None:
            return
        self._bars.remove_task(bar)
        self._n_open -= 1
        if not self._n_open:
            self._bars.stop()
            self._bars = None


class Job:
    """One running job of a `Console`."""

    def __init__(self, console: Console, label: str, total: int | None, unit: str) -> None:
        self._console = console
        self._what = label, total, unit
        self._begun = time.monotonic()
        self._done = 0
        self._bar: tuple[Bars, TaskID] | None = None

    def advance(self, n: int = 1) -> None:
        """Report `n` more steps done."""
        self._done += n
        if self._bar is not None:
            bars, bar = self._bar
            bars.advance(bar, n)
        elif self._console.shows_bars and time.monotonic() - self._begun > _PATIENCE:
            self._bar = bars, bar = self._console.open_bar(*self._what)
            bars.advance(bar, self._done)

    def show(self, text: str) -> None:
        """Show how things stand, beside the label."""
        label, total, unit = self._what
        self._what = f"{label.partition(_BESIDE)[0]}{_BESIDE}{printable(text)}", total, unit
        if self._bar is not None:
            bars, bar = self._bar
            bars.update(bar, description=self._what[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._console.close_bar(self._bar[1])
            self._bar = None


def _make_bars() -> "Bars":
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            unit = task.fields.get("unit") or ""
            speed = f"{task.speed:.0f} {unit}/s" if unit and task.speed else unit
            return Text(speed, style="progress.data.speed")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
        redirect_stdout=False,  # Rich would send results to stderr
        redirect_stderr=False,
    )
