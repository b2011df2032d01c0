"""What every verb promises: results on stdout, messages on stderr, one object with --json, silence with --quiet."""

import io
import json
import math
from pathlib import Path

import pytest

from genus.cli import console
from genus.cli.console import Console, printable
from genus.cli.output import plain

from .command import CHEAP, QUICK, done, genus

VERBS: dict[str, tuple[str, ...]] = {
    "data": ("data", "PILE"),
    "data, preview": ("data", "PILE", "--preview", "x.html"),
    "train": ("train", "PILE", *QUICK),
    "train, dry": ("train", "PILE", "--dry-run", *QUICK),
    "evaluate": ("evaluate", "MODEL", "PILE"),
    "evaluate, report": ("evaluate", "MODEL", "PILE", "--report", "x.html"),
    "predict": ("predict", "-m", "MODEL", "PILE"),
    "predict, table": ("predict", "-m", "MODEL", "PILE", "--csv", "x.csv"),
    "predict, sorting": ("predict", "-m", "MODEL", "PILE", "--sort-into", "sorted"),
    "features": ("features", "PILE", "-o", "x.npz", *CHEAP),
    "compare": ("compare", "MODEL", "OTHER", "PILE"),
    "info": ("info", "MODEL"),
    "cache": ("cache",),
}
HAVE_NO_MESSAGES = ("info", "cache")


@pytest.fixture
def given(here: Path, digits: Path, model: Path, other_model: Path) -> dict[str, str]:
    """A pile of good images with a bad one among them, and two models."""
    for path in digits.rglob("*.png"):
        target = here / "pile" / path.relative_to(digits)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (here / "pile" / "1" / "bad.jpg").write_text("text")
    return {"PILE": "pile", "MODEL": str(model), "OTHER": str(other_model)}


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_one_object_and_nothing_else(verb: str, given: dict[str, str]) -> None:
    out = done(*(given.get(word, word) for word in VERBS[verb]), "--json").out
    value, end = json.JSONDecoder(parse_constant=refuse).raw_decode(out)
    assert isinstance(value, dict) and value
    assert out[end:] == "\n"


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in HAVE_NO_MESSAGES])
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_quiet_leaves_stderr_empty(verb: str, given: dict[str, str], json: tuple[str, ...]) -> None:
    outcome = done(*(given.get(word, word) for word in VERBS[verb]), "--quiet", *json)
    assert outcome.err == "" and outcome.out


@pytest.mark.parametrize("verb", VERBS)
def test_there_is_no_progress_where_no_terminal_is(
    verb: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_PATIENCE", 0)
    outcome = done(*(given.get(word, word) for word in VERBS[verb]))
    said = ["Skipped pile/1/bad.jpg: it is text, not an image"] if verb.startswith("predict") else []
    assert outcome.err.splitlines() == said


@pytest.mark.parametrize("verb", [v for v in VERBS if v not in (*HAVE_NO_MESSAGES, "train, dry")])
def test_a_skipped_image_is_in_the_results_with_its_reason(verb: str, given: dict[str, str]) -> None:
    words = [given.get(word, word) for word in VERBS[verb]]
    found = done(*words, "--json").json
    if verb == "compare":  # what both skipped is among neither's figures
        assert found["paired"]["n"] == 48
        return
    assert found["skipped"] == [{"source": "pile/1/bad.jpg", "reason": "it is text, not an image"}]


class Terminal(io.StringIO):
    """A screen that remembers all that was ever on it."""

    def isatty(self) -> bool:
        return True


def look_on(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a screen in the place of stderr; not as a fixture, since pytest itself replaces stderr after set-up."""
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "_PATIENCE", 0)
    return screen


class TestProgress:
    def work(self, where: Console) -> None:
        with where.task("looking at [bold]images[/bold]", total=40, unit="images") as job:
            for _ in range(40):
                job.advance()
                where.say("[red]odd\nname[/red]") if job._done == 20 else None

    def test_a_bar_with_its_name_and_the_messages_above_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = look_on(monkeypatch)
        self.work(Console())
        assert "looking at [bold]images[/bold]" in screen.getvalue()
        assert r"[red]odd\nname[/red]" in screen.getvalue()

    def test_none_where_it_is_not_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = look_on(monkeypatch)
        self.work(Console(quiet=True))
        assert screen.getvalue() == ""
        monkeypatch.setenv("TERM", "dumb")
        self.work(Console())
        assert screen.getvalue() == "[red]odd\\nname[/red]\n"

    def test_none_for_what_is_over_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = look_on(monkeypatch)
        monkeypatch.setattr(console, "_PATIENCE", 100)
        with Console().task("quick", total=1) as job:
            job.advance()
        assert screen.getvalue() == ""

    def test_an_error_takes_the_bar_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        look_on(monkeypatch)
        where = Console()
        with pytest.raises(KeyError), where.task("work", total=3) as job:
            job.advance()
            raise KeyError
        assert where._bars is None

    def test_features_on_a_terminal_show_one(
        self, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from genus.data.read import read_dataset
        from genus.features.feature_set import parse_feature_set
        from genus.features.runtime import Runtime
        from genus.features.stream import extract

        screen = look_on(monkeypatch)
        sources = read_dataset("pile").sources
        extract(sources, parse_feature_set("lbp@32"), runtime=Runtime(cache=False), progress=Console())
        assert "features" in screen.getvalue() and "/49" in screen.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünï 花 🙂", "plain ünï 花 🙂"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udcff", r"\udcff"),
        ("\u2028", r"\u2028"),
        ("wide\u3000space", "wide\u3000space"),
    ],
)
def test_what_must_not_reach_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_json_cannot_hold_becomes_null() -> None:
    value = {"a": math.nan, "b": [math.inf, 1.5], 3: (None, True), "path": Path("x")}
    assert plain(value) == {"a": None, "b": [None, 1.5], "3": [None, True], "path": "x"}


def test_results_have_no_colours_or_other_marks(model: Path, fresh: Path) -> None:
    for arguments in (("info", model), ("predict", "-m", model, fresh), ("evaluate", model, fresh)):
        assert "\x1b" not in genus(*arguments).out
