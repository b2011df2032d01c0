"""The command `genus`: verbs are imported when they are asked for, so that help and completion are instant."""

import signal
import sys
import warnings
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from genus._version import __version__
from genus.cli.outcome import INTERRUPTED, settle
from genus.cli.verbs import HELP_OPTIONS, LazyVerbs, help_of

VERBS = {
    "data": "Describe images before training: how many, of what kind, what is wrong with them.",
    "audit": "Find out whether images and labels are fit to learn from.",
    "train": "Train a classifier on labelled images.",
    "cluster": "Sort unlabelled images into groups.",
    "name": "Give groups names, and make labels of them.",
    "evaluate": "Measure a model on labelled images it was not trained on.",
    "predict": "Say what is in images.",
    "search": "Find images like this one.",
    "explain": "Show where in images the evidence for a class is.",
    "cnn": "Look into convolutional networks.",
    "features": "Turn images into feature vectors.",
    "info": "Show what is inside a model file.",
    "compare": "Find out which of two models is better.",
    "cache": "Show, bound or clear the cache of computed features.",
    "doctor": "Check the installation: engines, extras, processor, cache.",
}
"""Each verb with the first line of its help; the file of that name beside this one has the rest."""

_TERMINATED = 143  # 128 + SIGTERM, as shells report it


class Verbs(LazyVerbs):
    """The group of verbs."""

    verbs = VERBS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the command line, for the record in the model file."""
        ctx.obj = ["genus", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Verbs,
    rich_markup_mode=None,  # Rich's help takes twice as long to appear, and docs/cli.md is made of the plain one
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"genus {__version__}")
        raise typer.Exit


@app.callback()
def genus(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """From a folder of images to an honest, portable classifier in seconds: offline, on a CPU.

    Examples:
      genus predict cat.jpg                       the built-in model, 1000 classes
      genus train flowers/                        a folder a class: flowers.onnx, flowers.report.html
      genus evaluate flowers.onnx flowers-test/
      genus predict -m flowers.onnx new/ --csv found.csv

    Results go to stdout, messages to stderr; every command has --json. `genus COMMAND --help` tells more.
    """


app.registered_callback.help = help_of(genus)  # type: ignore[union-attr]


def run() -> None:
    """Run the command line: the entry point of `genus`."""
    signal.signal(signal.SIGTERM, _stop)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of the libraries; what concerns the user is said by the verbs
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="genus")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (BrokenPipeError, ImportError) as error:
        sys.exit(settle(error))


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    """On SIGTERM leave through the exception handlers, which remove half-written files."""
    sys.exit(_TERMINATED)
