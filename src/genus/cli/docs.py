"""The command reference, made of the commands' own help: `python -m genus.cli.docs > docs/cli.md`."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import typer.main

from genus.cli.main import VERBS, app
from genus.cli.verbs import LazyVerbs, find_verb

_INTRODUCTION = """\
# The command line

<!-- Made by `python -m genus.cli.docs > docs/cli.md`; change the help texts in src/genus/cli instead. -->

Results go to stdout, messages and progress to stderr. With `--json` stdout holds one JSON object and nothing else.
Progress bars appear where a job lasts longer than a second and stderr is a terminal.

| exit code | meaning |
|---:|---|
| 0 | done; images that could not be read are listed |
| 1 | the answer is no: a check failed |
| 2 | bad usage or bad input: one line on stderr says what is wrong and what to do |
| 130 | interrupted with Ctrl-C |
| 141 | whoever read the output closed it, as `head` does; no error |

`genus --install-completion` teaches the shell to complete commands and options with the Tab key, and
`genus --version` shows the version.
"""


def reference() -> str:
    """Return the whole page as Markdown."""
    group: Any = typer.main.get_command(app)
    contents = "\n".join(f"- [`genus {verb}`](#genus-{verb}): {text}" for verb, text in VERBS.items())
    sections = (_sections(verb, find_verb(verb), group.get_command(None, verb)) for verb in VERBS)
    parts = [_INTRODUCTION, contents, *(part for of_verb in sections for part in of_verb)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _sections(verb: str, target: Any, command: Any) -> list[str]:
    """Return the section of a verb; where it has verbs of its own, theirs follow."""
    if not isinstance(command, LazyVerbs):
        return [_section(verb, target, command)]
    function = target.registered_callback.callback
    parts = [_head(verb, f"genus {verb} COMMAND", function)]
    for name in command.verbs:
        inner = find_verb(command.prefix + name)
        parts += _sections(f"{verb} {name}", inner, command.get_command(None, name))
    return parts


def _head(verb: str, usage: str, function: Callable[..., None]) -> str:
    text, _, examples = (inspect.getdoc(function) or "").partition("Examples:")
    return "\n".join(
        [
            f"## genus {verb}",
            "",
            f"`{usage}`",
            "",
            text.strip(),
            "",
            "```console",
            *(f"$ {line.strip()}" for line in examples.strip().splitlines()),
            "```",
        ]
    )


def _section(verb: str, function: Callable[..., None], command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join(["genus", verb, "[OPTIONS]", *(_argument(p) for p in arguments)])
    rows = [_row(f"`{p.metavar or p.name.upper()}`", p) for p in arguments]
    rows += [_row(_spelling(p), p) for p in options]
    return "\n".join([_head(verb, usage, function), "", "| | |", "|---|---|", *rows])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _spelling(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"`{names}`" if option.is_flag else f"`{names} {option.metavar}`"


def _row(name: str, parameter: Any) -> str:
    name, text = (cell.replace("|", r"\|") for cell in (name, "".join(_sentences(parameter))))
    return f"| {name} | {text} |"


def _sentences(parameter: Any) -> Iterator[str]:
    yield parameter.help or ""
    shown = getattr(parameter.default, "value", parameter.default)
    is_plain = isinstance(shown, str | int | float) and not isinstance(shown, bool)
    if is_plain and "[default" not in (parameter.help or "") and not parameter.required:
        yield f" [default: {shown}]"


if __name__ == "__main__":
    print(reference(), end="")
