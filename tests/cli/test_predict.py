"""`genus predict`: say what is in images, on the screen and in tables."""

import json
import os
from pathlib import Path

import pyarrow.parquet
import pytest

from .command import QUICK, Outcome, below, csv_rows, done, genus


def predict(model: Path, *arguments: object, stdin: bytes | None = None) -> Outcome:
    return done("predict", "-m", model, *arguments, stdin=stdin)


def labels(outcome: Outcome) -> dict[str, str]:
    """What was said of each image, by file name."""
    return {Path(image["path"]).name: image["label"] for image in outcome.json["images"]}


class TestWhatItTakes:
    def test_files(self, model: Path, fresh: Path) -> None:
        files = sorted((fresh / "1").iterdir())[:2] + sorted((fresh / "2").iterdir())[:1]
        assert list(labels(predict(model, *files, "--json")).values()) == ["1", "1", "2"]

    def test_a_folder_means_all_images_below(self, model: Path, fresh: Path) -> None:
        found = labels(predict(model, fresh, "--json"))
        truth = {path.name: path.parent.name for path in fresh.rglob("*.png")}
        assert found.keys() == truth.keys()
        assert sum(found[name] == truth[name] for name in truth) >= 18

    def test_a_pattern(self, model: Path, fresh: Path) -> None:
        assert len(labels(predict(model, f"{fresh}/3/*.png", "--json"))) == 5
        assert len(labels(predict(model, f"{fresh}/**/*.png", "--json"))) == 20

    def test_a_table(self, model: Path, fresh: Path, here: Path) -> None:
        (here / "t.csv").write_text("image\n" + "\n".join(map(str, fresh.glob("3/*.png"))))
        assert len(labels(predict(model, "t.csv", "--json"))) == 5

    def test_several_things_in_their_order(self, model: Path, fresh: Path) -> None:
        one = min((fresh / "3").iterdir())
        found = predict(model, one, fresh / "1", f"{fresh}/2/*", "--json").json["images"]
        assert [Path(image["path"]).parent.name for image in found] == ["3", *"11111", *"22222"]

    def test_a_list_on_stdin(self, model: Path, fresh: Path) -> None:
        names = sorted(fresh.glob("1/*"))
        stdin = "\n".join(map(str, names)).encode()
        for data in (stdin, stdin + b"\n", stdin.replace(b"\n", b"\r\n")):
            found = predict(model, "-", "--json", stdin=data).json["images"]
            assert [image["path"] for image in found] == list(map(str, names))

    def test_a_list_with_nul_takes_any_name(self, model: Path, fresh: Path, here: Path) -> None:
        names = [b"new\nline.png", "ünï 花.png".encode(), b" blank .png"]
        for name in names:
            Path(os.fsdecode(name)).write_bytes(min(fresh.glob("1/*")).read_bytes())
        found = predict(model, "-0", "-", "--json", stdin=b"\0".join(names) + b"\0")
        assert [os.fsencode(image["path"]) for image in found.json["images"]] == names

    def test_an_empty_list_is_an_error(self, model: Path) -> None:
        assert "the list on stdin is empty" in genus("predict", "-m", model, "-", stdin=b"\n").complaint


class TestWhatItPrints:
    def test_one_image_with_its_guesses(self, model: Path, fresh: Path) -> None:
        image = min((fresh / "1").iterdir())
        lines = predict(model, image).out.splitlines()
        assert lines[0] == str(image)
        assert [line.split()[0] for line in lines[1:]] == sorted(
            (line.split()[0] for line in lines[1:]), key=lambda p: -float(p.rstrip("%"))
        )
        assert lines[1].split()[1] == "1" and len(lines) == 5

    def test_a_line_for_each_of_many(self, model: Path, fresh: Path) -> None:
        lines = predict(model, fresh / "1").out.splitlines()
        assert len(lines) == 5
        assert all(
            str(path) in line for path, line in zip(sorted((fresh / "1").iterdir()), lines, strict=True)
        )

    @pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (99, 4)])
    def test_as_many_guesses_as_are_asked_for_and_there_are(
        self, model: Path, fresh: Path, top: int, shown: int
    ) -> None:
        (image,) = predict(model, min((fresh / "1").iterdir()), "--top", top, "--json").json["images"]
        assert len(image["top"]) == shown
        assert image["top"][0] == {"label": image["label"], "confidence": image["confidence"]}

    def test_all_guesses_together_are_certain(self, model: Path, fresh: Path) -> None:
        for image in predict(model, fresh, "--json").json["images"]:
            assert sum(guess["confidence"] for guess in image["top"]) == pytest.approx(1, abs=1e-4)

    def test_names_cannot_play_tricks_on_the_terminal(self, model: Path, fresh: Path, here: Path) -> None:
        trick = "\x1b[2J\nnothing.png"
        Path(trick).write_bytes(min(fresh.glob("1/*")).read_bytes())
        (line,) = predict(model, trick, "--top", "1").out.splitlines()[:1]
        assert line == r"\x1b[2J\nnothing.png"
        assert predict(model, trick, "--json").json["images"][0]["path"] == trick


class TestUnreadableImages:
    def test_they_are_listed_and_the_others_done(self, model: Path, fresh: Path, here: Path) -> None:
        (here / "bad.jpg").write_text("this is text")
        outcome = predict(model, "bad.jpg", fresh / "1")
        assert outcome.err.splitlines() == ["Skipped bad.jpg: it is text, not an image"]
        assert len(outcome.out.splitlines()) == 5

    def test_they_are_in_the_json_too(self, model: Path, fresh: Path, here: Path) -> None:
        (here / "bad.jpg").touch()
        found = predict(model, "bad.jpg", "missing.png", fresh / "1", "--json").json
        assert [skip["source"] for skip in found["skipped"]] == ["bad.jpg", "missing.png"]
        assert all(skip["reason"] for skip in found["skipped"])
        assert len(found["images"]) == 5

    def test_they_have_a_row_with_the_reason(self, model: Path, fresh: Path, here: Path) -> None:
        (here / "bad.jpg").touch()
        predict(model, "bad.jpg", fresh / "1", "--csv", "t.csv")
        rows = csv_rows("t.csv")
        assert rows[0]["path"] == "bad.jpg" and rows[0]["error"] and not rows[0]["label"]
        assert len(rows) == 6 and not any(row["error"] for row in rows[1:])

    @pytest.mark.parametrize("names", [["a.jpg"], ["a.jpg", "b.jpg"]])
    def test_nothing_but_these_is_an_error(self, model: Path, here: Path, names: list[str]) -> None:
        for name in names:
            (here / name).write_text("text")
        outcome = genus("predict", "-q", "-m", model, *names)
        assert "a.jpg: it is text, not an image" in outcome.complaint
        assert outcome.out == ""


class TestTables:
    @pytest.fixture
    def tables(self, model: Path, fresh: Path, here: Path) -> dict[str, list[dict[str, object]]]:
        """The same predictions in the three formats, as text without the empty cells."""
        (here / "bad.jpg").touch()
        formats = ("--csv", "t.csv", "--jsonl", "t.jsonl", "--parquet", "t.parquet")
        predict(model, fresh, "bad.jpg", "--top", "2", *formats)
        tables = {
            "csv": csv_rows("t.csv"),
            "jsonl": [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()],
            "parquet": pyarrow.parquet.read_table("t.parquet").to_pylist(),
        }
        return {kind: [filled(row) for row in rows] for kind, rows in tables.items()}

    def test_all_formats_have_the_same_rows(self, tables: dict[str, list[dict[str, object]]]) -> None:
        assert len(tables["csv"]) == 21
        assert tables["csv"] == tables["jsonl"] == tables["parquet"]

    def test_columns(self, tables: dict[str, list[dict[str, object]]]) -> None:
        assert list(tables["csv"][0]) == ["path", "label", "confidence", "label_2", "confidence_2"]
        assert list(tables["csv"][-1]) == ["path", "error"]

    def test_a_summary_takes_the_place_of_the_lines(self, model: Path, fresh: Path, here: Path) -> None:
        lines = predict(model, fresh, "--csv", "t.csv").out.splitlines()
        assert lines[-1] == "Written to t.csv"
        assert lines[-2].split() == ["in", "all", "20"]

    def test_train_can_learn_from_one(self, model: Path, fresh: Path, here: Path) -> None:
        predict(model, fresh, "--csv", "t.csv")
        assert done("train", "t.csv", *QUICK, "--json").json["n_images"] == 20

    @pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
    def test_a_file_that_exists_is_left_alone(self, model: Path, fresh: Path, here: Path, kind: str) -> None:
        (here / "t").write_text("precious")
        arguments = ("predict", "-m", model, fresh, f"--{kind}", "t")
        assert "t: exists already" in genus(*arguments).complaint
        assert (here / "t").read_text() == "precious"
        done(*arguments, "--force")
        assert "precious" not in (here / "t").read_text(errors="replace")

    def test_where_nothing_can_be_read_the_table_says_why(self, model: Path, here: Path) -> None:
        (here / "bad.jpg").touch()
        assert genus("predict", "-m", model, "bad.jpg", "--csv", "t.csv").code == 2
        assert below(here) == {"bad.jpg", "t.csv"}
        (row,) = csv_rows("t.csv")
        assert row["error"]


def filled(row: dict[str, object]) -> dict[str, object]:
    """A row without empty cells, its numbers to the six digits that all keep: Parquet has 32 bits."""
    cells = {key: value for key, value in row.items() if value not in (None, "")}
    return {k: round(float(str(v)), 6) if k.startswith("confidence") else v for k, v in cells.items()}


def test_without_a_model_the_built_in_one_answers(here: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_sample_image

    Image.fromarray(load_sample_image("china.jpg")).save("china.jpg")
    found = done("predict", "china.jpg", "--json").json
    assert found["model"] == "built in"
    assert found["images"][0]["label"] == "palace"
