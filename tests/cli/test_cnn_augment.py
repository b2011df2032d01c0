"""`genus cnn augment`: a page of what augmentation does."""

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from genus.cli.cnn_augment import cnn_augment as augment
from genus.cli.outcome import settled

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    seen = load_digits()
    for i in range(12):
        folder = tmp_path / "digits" / str(seen.target[i] % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((seen.images[i] * 15.9).astype("uint8")).save(folder / f"{i}.png")
    return tmp_path / "digits"


def run(*arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command("augment")(settled(augment))
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_it_writes_a_page_and_says_so(digits: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, _ = run(digits, "-o", page, "--size", 8, "-n", 3)
    assert code == 0 and out == f"6 images, each in 3 epochs of training: {page}\n"
    assert page.read_text("utf-8").count("in epoch ") == 18
    code, _, err = run(digits, "-o", page)
    assert code == 2 and "exists already" in err
    assert run(digits, "-o", page, "--force", "--size", 8)[0] == 0


def test_json_says_what_was_done(digits: Path, tmp_path: Path) -> None:
    (digits / "0" / "bad.png").write_bytes(b"no image")
    spec = "small,cutmix=1,mirror=off"
    code, out, _ = run(
        digits, "-o", tmp_path / "sheet.png", "--augment", spec, "--size", 8, "--images", 50, "--json"
    )
    said = json.loads(out)
    assert code == 0 and said["augmentation"]["cutmix"] == 1 and said["augmentation"]["mirror"] == "off"
    assert len(said["images"]) == 12 and len(said["images"][0]["mixed"]) == 8
    assert [Path(image["source"]).name for image in said["skipped"]] == ["bad.png"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--augment", "fancy"), "no augmentation is called 'fancy'"),
        (("--augment", "light,rotate=999"), "rotate must be from 0 to 180"),
        (("-o", "page.pdf"), "must end in .html or .png"),
        (("-o", "no/such/page.html"), "its folder does not exist"),
    ],
)
def test_bad_wishes_are_one_line(digits: Path, arguments: tuple[str, ...], reason: str) -> None:
    code, _, err = run(digits, *arguments)
    assert code == 2 and reason in err and err.count("\n") == 1


def test_without_the_extra_it_is_one_line(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genus.report.augmentation.find_spec", lambda name: None)
    code, _, err = run(digits, "-o", digits / "page.html")
    assert code == 2 and err == "Error: Augmentation needs the extra 'cnn': pip install \"genus[cnn]\"\n"
