"""One progress interface for everything that takes longer than a second.

Lower floors report to a `Progress`; the command line shows it with Rich, Python users see nothing unless
they pass one of their own, and tests pass a recorder.
"""

from types import TracebackType
from typing import Protocol, Self


class Task(Protocol):
    """One running job with a known or unknown number of steps; a context manager."""

    def advance(self, n: int = 1) -> None:
        """Report `n` more steps done."""

    def show(self, text: str) -> None:
        """Show how things stand, beside the label; the next text takes its place."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """Where long jobs report to."""

    def task(self, label: str, total: int | None = None, unit: str = "") -> Task:
        """Begin a job: `label` says what ("features"), `unit` what is counted ("images")."""

    def say(self, text: str) -> None:
        """Tell the person one thing worth knowing: a decision made, a file skipped."""


class _SilentTask:
    def advance(self, n: int = 1) -> None:
        """Ignore it."""

    def show(self, text: str) -> None:
        """Show it to nobody."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class SilentProgress:
    """The default: reports nothing.

    Examples
    --------
    >>> with SILENT.task("features", total=3, unit="images") as task:
    ...     task.advance(3)
    """

    def task(self, label: str, total: int | None = None, unit: str = "") -> Task:
        """Begin a job that nobody watches."""
        return _SilentTask()

    def say(self, text: str) -> None:
        """Say it to nobody."""


SILENT = SilentProgress()
