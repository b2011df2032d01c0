"""Groups of verbs that are imported when they are asked for, so that help and completion are instant."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from genus.cli.outcome import settled

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class LazyVerbs(TyperGroup):
    """A group of verbs, each in a file of its own.

    Attributes
    ----------
    verbs : mapping of str to str
        Each verb with the first line of its help, in the order in which people need them.
    prefix : str
        The verb `x` is the function `{prefix}x` in the file `{prefix}x.py` beside this one; where it is a Typer
        application instead, it is a group itself.
    """

    verbs: ClassVar[Mapping[str, str]] = {}
    prefix: ClassVar[str] = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the verbs."""
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one verb and turn it into a command."""
        if cmd_name not in self.verbs:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _command(cmd_name, find_verb(self.prefix + cmd_name))
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs in the help without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.verbs.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; all are imported only to suggest one for a wrong name."""
        if args and args[0] not in self.verbs:
            for name in self.verbs:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def find_verb(name: str) -> Any:
    """Import what stands behind a verb: a function, or a Typer application with verbs of its own."""
    return getattr(import_module(f"genus.cli.{name}"), name)


def _command(name: str, verb: Any) -> Any:
    if isinstance(verb, typer.Typer):
        return typer.main.get_command(verb)
    one = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP_OPTIONS)
    one.command(name, help=help_of(verb))(settled(verb))
    return typer.main.get_command(one)


def help_of(verb: Callable[..., None]) -> str:
    """Return the help text of a verb: its docstring, with examples left as they are."""
    return verbatim_examples(inspect.getdoc(verb) or "")


def verbatim_examples(text: str) -> str:
    r"""Mark the paragraphs of a help text that have indented lines, so that they are not wrapped.

    Examples
    --------
    >>> verbatim_examples("Train.\n\nExamples:\n  genus train flowers/")
    'Train.\n\n\x08\nExamples:\n  genus train flowers/'
    """
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"\b\n{part}" if "\n  " in part else part for part in paragraphs)
