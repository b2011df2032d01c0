"""`genus evaluate`: honest figures on images that a model has not learned from."""

from pathlib import Path

import pytest

from .command import below, done, figure, genus


def table(path: Path, rows: list[tuple[object, ...]], header: str = "image,label") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    return path


def labelled(folder: Path) -> list[tuple[object, ...]]:
    return [(path, path.parent.name) for path in sorted(folder.rglob("*.png"))]


def test_the_accuracy_is_that_of_the_predictions(model: Path, fresh: Path) -> None:
    images = done("predict", "-m", model, fresh, "--json").json["images"]
    right = sum(Path(image["path"]).parent.name == image["label"] for image in images)
    found = done("evaluate", model, fresh, "--json").json
    assert figure(found["evaluation"], "accuracy") == right / 20
    assert found["n_images"] == 20 and found["skipped"] == [] and found["notes"] == []


def test_it_says_so_in_words_and_figures(model: Path, fresh: Path) -> None:
    out = done("evaluate", model, fresh).out
    for words in ("20 images", "Accuracy", "Balanced accuracy", "Of 100 new images"):
        assert words in out
    assert "Note" not in out


def test_the_report_is_one_page(model: Path, fresh: Path, here: Path) -> None:
    out = done("evaluate", model, fresh, "--report", "page.html").out
    assert out.splitlines()[-1] == "Report  page.html"
    assert below(here) == {"page.html"}
    assert "</html>" in (here / "page.html").read_text("utf-8")


def test_a_report_that_exists_is_left_alone(model: Path, fresh: Path, here: Path) -> None:
    (here / "page.html").write_text("precious")
    arguments = ("evaluate", model, fresh, "--report", "page.html")
    assert "page.html: exists already" in genus(*arguments).complaint
    assert (here / "page.html").read_text() == "precious"
    done(*arguments, "--force")
    assert "</html>" in (here / "page.html").read_text("utf-8")


class TestHonesty:
    def test_images_that_were_learned_from_are_said(self, model: Path, digits: Path) -> None:
        assert "of 48 images, all of which it learned from." in done("evaluate", model, digits).out
        assert done("evaluate", model, digits, "--json").json["evaluation"]["n_seen"] == 48

    def test_classes_that_the_model_does_not_know_are_left_out_and_said(
        self, model: Path, fresh: Path, here: Path
    ) -> None:
        rows = [(path, "seven" if label == "2" else label) for path, label in labelled(fresh)]
        found = done("evaluate", model, table(here / "t.csv", rows), "--json").json
        assert figure(found["evaluation"], "accuracy_with_unknown") <= 15 / 20
        assert found["evaluation"]["n_unknown"] == 5
        note = "classes that the model does not know: seven"
        assert note in found["notes"]
        assert f"Note: {note}" in done("evaluate", model, "t.csv").out

    def test_classes_without_an_image_are_said(self, model: Path, fresh: Path, here: Path) -> None:
        rows = [row for row in labelled(fresh) if row[1] != "2"]
        found = done("evaluate", model, table(here / "t.csv", rows), "--json").json
        assert "1 of 4 classes have no test images (2)" in found["evaluation"]["notes"][0]

    def test_unreadable_images_are_listed_not_counted(self, model: Path, fresh: Path, here: Path) -> None:
        (here / "bad.jpg").write_text("text")
        table(here / "t.csv", [*labelled(fresh), ("bad.jpg", "1"), ("gone.jpg", "1")])
        found = done("evaluate", model, "t.csv", "--json").json
        assert found["n_images"] == 20
        assert {Path(skip["source"]).name for skip in found["skipped"]} == {"gone.jpg", "bad.jpg"}
        assert "Left out, 2 in all" in done("evaluate", model, "t.csv").out


class TestWhichPart:
    @pytest.fixture
    def parts(self, fresh: Path, here: Path) -> Path:
        """Of each class two images to train with, one to validate, two to test."""
        split = ("train", "train", "val", "test", "test")
        rows = [(*row, split[i % 5]) for i, row in enumerate(labelled(fresh))]
        return table(here / "t.csv", rows, "image,label,split")

    def test_test_images_where_they_are_marked(self, model: Path, parts: Path) -> None:
        found = done("evaluate", model, parts, "--json").json
        assert found["n_images"] == 8
        assert "only the 8 images marked as test are used" in found["notes"]

    @pytest.mark.parametrize(("split", "n"), [("train", 8), ("val", 4), ("test", 8), ("all", 20)])
    def test_any_part_can_be_chosen(self, model: Path, parts: Path, split: str, n: int) -> None:
        assert done("evaluate", model, parts, "--split", split, "--json").json["n_images"] == n

    def test_a_part_that_is_not_there(self, model: Path, fresh: Path) -> None:
        complaint = genus("evaluate", model, fresh, "--split", "val").complaint
        assert str(fresh) in complaint and "no images are marked as val" in complaint
