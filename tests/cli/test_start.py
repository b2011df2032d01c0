"""The command itself: help, version, completion, and how quickly it is there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer.main

import genus as package
from genus.cli.cnn import VERBS as CNN_VERBS
from genus.cli.main import VERBS, app
from genus.cli.options import MAX_PIXELS, EngineName, PresetName
from genus.images.decode import Limits

from .command import done, finished, genus, start

HEAVY = (
    "numpy torch sklearn scipy cv2 PIL onnx onnxruntime openvino pandas pyarrow jinja2 rich.progress".split()
)

EVERY = {**VERBS, **{f"cnn {verb}": text for verb, text in CNN_VERBS.items()}}


def loaded_after(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules it has loaded by then."""
    code = (
        "import sys\nfrom genus.cli.main import run\n"
        "try:\n    run()\nfinally:\n    print('\\nmodules:', *sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    out, _, modules = ended.stdout.rpartition("\nmodules:")
    return out, set(modules.split())


def test_the_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="genus")
    assert command.value == "genus.cli.main:run"


def test_it_runs_as_a_process_of_its_own(model: Path, fresh: Path) -> None:
    outcome = finished(start("predict", "-m", model, fresh / "2"))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == done("predict", "-m", model, fresh / "2").out


def test_the_version() -> None:
    assert done("--version").out == f"genus {package.__version__}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_verb_with_what_it_does(option: str) -> None:
    shown = " ".join(done(option).out.split())
    for verb, text in VERBS.items():
        assert f" {verb} {text} " in f"{shown} "
    assert " Examples: " in shown


def test_without_anything_it_shows_the_help() -> None:
    outcome = genus()
    assert done("--help").out.strip() in (outcome.out + outcome.err).strip()


@pytest.mark.parametrize("verb", EVERY)
def test_the_help_of_a_verb_begins_with_what_the_list_says(verb: str) -> None:
    out = done(*verb.split(), "--help").out
    assert out == done(*verb.split(), "-h").out
    assert " ".join(out.split("\n\n")[1].split()) == EVERY[verb]


def examples(verb: str) -> list[str]:
    """The commands below "Examples:" in the help of a verb, or of `genus` itself."""
    text = done(*verb.split(), "--help").out
    below = text.partition("Examples:\n")[2].split("\n\n")[0]
    return [line.strip() for line in below.splitlines()]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and the words behind it."""
    found: Any = typer.main.get_command(app)
    while words and hasattr(found, "list_commands"):
        found, words = found.get_command(None, words[0]), words[1:]
    return found, words


def parsed(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Let the real parser read each `genus ...` of a line."""
    for part in re.sub(r"  .*", "", line).split("|"):
        name, *words = shlex.split(part)
        if name == "genus":
            found, rest = command(words)
            yield " ".join(words), found.make_context(words[0], rest).params


@pytest.mark.parametrize("verb", ["", *EVERY])
def test_the_examples_of_the_help_are_commands_that_work(verb: str) -> None:
    lines = examples(verb)
    assert len(lines) >= 2
    for line in lines:
        commands = list(parsed(line))
        assert commands, line
        assert commands[0][0].startswith(verb)


@pytest.mark.parametrize("verb", EVERY)
def test_every_option_is_explained(verb: str) -> None:
    for parameter in command(verb.split())[0].params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize("verb", [verb for verb in EVERY if verb != "doctor"])
def test_every_verb_has_json(verb: str) -> None:
    assert "--json" in done(*verb.split(), "--help").out


class TestSpeed:
    """Help and completion must feel instant: nothing heavy is loaded for them, and no verb that was not named."""

    def test_the_help_loads_no_verb(self) -> None:
        out, modules = loaded_after("--help")
        assert "train" in out
        assert not modules & {*HEAVY, *(f"genus.cli.{verb}" for verb in VERBS)}

    @pytest.mark.parametrize("verb", EVERY)
    def test_the_help_of_a_verb_loads_that_verb_alone(self, verb: str) -> None:
        out, modules = loaded_after(*verb.split(), "--help")
        assert out.startswith(f"Usage: genus {verb}")
        files = {other: f"genus.cli.{other.replace(' ', '_')}" for other in EVERY}
        others = {file for other, file in files.items() if not verb.startswith(other)} & modules
        assert not modules & set(HEAVY) and not others - {"genus.cli.data", "genus.cli.features"}

    @pytest.mark.parametrize("arguments", [("train",), ("predict", "--bogus"), ("frain",)])
    def test_neither_does_wrong_usage(self, arguments: tuple[str, ...]) -> None:
        assert not loaded_after(*arguments)[1] & set(HEAVY)


class TestCompletion:
    def complete(self, line: str, shell: str = "bash") -> tuple[list[str], set[str]]:
        words = line.split(" ")
        known = {
            "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
            "zsh": {"_TYPER_COMPLETE_ARGS": line},
            "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        }
        out, modules = loaded_after(_GENUS_COMPLETE=f"complete_{shell}", **known[shell])
        return out.split("\n"), modules

    def test_the_verbs(self) -> None:
        words, modules = self.complete("genus ")
        assert [word for word in words if word] == list(VERBS)
        assert not modules & set(HEAVY)

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_the_verbs_in_other_shells_with_what_they_do(self, shell: str) -> None:
        words, modules = self.complete("genus ", shell)
        assert all(any(verb in word for word in words) for verb in VERBS)
        assert "Train a classifier on labelled images" in "\n".join(words)
        assert not modules & set(HEAVY)

    def test_a_verb_that_is_begun(self) -> None:
        assert [word for word in self.complete("genus tr")[0] if word] == ["train"]

    def test_options(self) -> None:
        words, modules = self.complete("genus train --pre")
        assert {"--preset", "--precision"} == {word for word in words if word}
        assert not modules & set(HEAVY)

    def test_values_of_options(self) -> None:
        assert [w for w in self.complete("genus train --preset ")[0] if w] == ["fast", "balanced", "best"]

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_shell_is_told_how(self, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, shell))
        said = done("--show-completion").out
        assert "_GENUS_COMPLETE" in said and f"complete_{shell}" in said


class TestAgreement:
    """Lists that are spelt out here, so that help needs nothing heavy, agree with what they stand for."""

    def test_presets(self) -> None:
        from genus.features.feature_set import PRESETS

        assert [name.value for name in PresetName] == list(PRESETS)

    def test_engines(self) -> None:
        from genus.features.engines import ENGINES

        assert {name.value for name in EngineName} == {"auto", *ENGINES}

    def test_metrics(self) -> None:
        from genus.classify.label_scores import LABEL_METRICS
        from genus.classify.scores import METRICS
        from genus.cli.train import MetricName

        assert {name.value for name in MetricName} == {"auto", *METRICS, *LABEL_METRICS}

    def test_heads_of_the_help(self) -> None:
        from genus.classify.heads import HEADS

        out = " ".join(done("train", "--help").out.split())
        assert all(re.search(rf"\b{name}\b", out) for name in HEADS)

    def test_the_largest_image(self) -> None:
        assert Limits().max_pixels == MAX_PIXELS

    def test_tables(self) -> None:
        from genus.cli.images import _TABLES
        from genus.data.read import _TABLES as READABLE

        assert set(READABLE) == _TABLES
