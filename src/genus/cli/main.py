"""The command `genus`: verbs are imported when they are asked for, so that help and completion are instant."""

import inspect
import signal
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from genus._version import __version__
from genus.cli.outcome import INTERRUPTED, settle, settled

VERBS = {
    "data": "Describe images before training: how many, of what kind, what is wrong with them.",
    "train": "Train a classifier on labelled images.",
    "cluster": "Sort unlabelled images into groups.",
    "name": "Give groups names, and make labels of them.",
    "evaluate": "Measure a model on labelled images it was not trained on.",
    "predict": "Say what is in images.",
    "explain": "Show where in images the evidence for a class is.",
    "features": "Turn images into feature vectors.",
    "info": "Show what is inside a model file.",
    "compare": "Find out which of two models is better.",
    "cache": "Show, bound or clear the cache of computed features.",
    "doctor": "Check the installation: engines, extras, processor, cache.",
}
"""Each verb with the first line of its help; the file of that name beside this one has the rest."""

_TERMINATED = 143  # 128 + SIGTERM, as shells report it


class Verbs(TyperGroup):
    """The group of verbs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the verbs, in the order in which people need them."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one verb and turn it into a command."""
        if cmd_name not in VERBS:
            return None
        if cmd_name not in self.commands:
            verb = getattr(import_module(f"genus.cli.{cmd_name}"), cmd_name)
            self.commands[cmd_name] = _command(cmd_name, verb)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs in the help without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; all are imported only to suggest one for a wrong name."""
        if args and args[0] not in VERBS:
            for name in VERBS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the command line, for the record in the model file."""
        ctx.obj = ["genus", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Verbs,
    rich_markup_mode=None,  # Rich's help takes twice as long to appear, and docs/cli.md is made of the plain one
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
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


def _command(name: str, verb: Callable[..., None]) -> Any:
    one = typer.Typer(
        add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
    )
    one.command(name, help=verbatim_examples(inspect.getdoc(verb) or ""))(settled(verb))
    return typer.main.get_command(one)


def verbatim_examples(text: str) -> str:
    r"""Mark the paragraphs of a help text that have indented lines, so that they are not wrapped.

    Examples
    --------
    >>> verbatim_examples("Train.\n\nExamples:\n  genus train flowers/")
    'Train.\n\n\x08\nExamples:\n  genus train flowers/'
    """
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"\b\n{part}" if "\n  " in part else part for part in paragraphs)


app.registered_callback.help = verbatim_examples(inspect.getdoc(genus) or "")  # type: ignore[union-attr]


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
