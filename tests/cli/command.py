"""Running `genus`: inside this process, which is quick, or as a process of its own, which is real."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from genus.cli.main import app

CHEAP = ("--features", "thumbnail@32")  # the quickest features there are: the pixels
QUICK = (*CHEAP, "--heads", "prototype")  # a classifier in a quarter of a second
_RUN = "from genus.cli.main import run; run()"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout; anything else there is an error."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """What went wrong: exit code 2, nothing but one line on stderr, and that one meant for people."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.err.endswith("\n") and self.err.count("\n") == 1, self.err
        assert self.err.startswith("Error: ") and "something in Genus went wrong" not in self.err, self.err
        return self.err.strip()


def genus(*arguments: object, stdin: bytes | None = None) -> Outcome:
    """Run a command in this process."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, prog_name="genus")
    return Outcome(done.exit_code, done.stdout, done.stderr)


def done(*arguments: object, stdin: bytes | None = None) -> Outcome:
    """Run a command that must succeed."""
    outcome = genus(*arguments, stdin=stdin)
    assert outcome.code == 0, outcome.err
    return outcome


def start(*arguments: object, before: str = "", **options: Any) -> "subprocess.Popen[bytes]":
    """Start a command as a process of its own; `before` is Python to run there first."""
    code = f"{before}\n{_RUN}"
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # as users have it: what a developer's machine sets hides what is wrong with buffers
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    how = {**pipes, "env": buffered, **options}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **how)


def finished(process: "subprocess.Popen[bytes]", stdin: bytes | None = None) -> Outcome:
    """Wait for a process."""
    out, err = process.communicate(stdin, timeout=60)
    return Outcome(process.returncode, (out or b"").decode(), (err or b"").decode())


def until(happened: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def figure(evaluation: Any, name: str) -> float:
    """One of the figures of an evaluation in JSON."""
    return next(float(metric["value"]) for metric in evaluation["metrics"] if metric["name"] == name)


def csv_rows(path: str | Path) -> list[dict[str, str]]:
    """A table as its reader finds it."""
    with Path(path).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def below(folder: Path) -> set[str]:
    """Everything in a folder, hidden files too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
