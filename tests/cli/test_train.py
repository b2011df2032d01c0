"""`genus train`: labelled images in, a model file and a report out."""

from pathlib import Path

import numpy as np
import pytest

from genus.model_file import read_model_file
from genus.predictor import load

from .command import CHEAP, QUICK, below, done, figure, genus


def test_without_a_name_the_model_is_named_after_its_data_and_lies_here(here: Path, digits: Path) -> None:
    before = below(digits)
    outcome = done("train", digits, *QUICK)
    assert below(here) == {"digits.onnx", "digits.report.html"}
    assert below(digits) == before
    assert "digits.onnx" in outcome.out and "digits.report.html" in outcome.out


@pytest.mark.parametrize("data", [".", "../here", "./"])
def test_the_name_is_that_of_the_folder_however_it_is_written(
    here: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    for folder in digits.iterdir():
        (here / folder.name).symlink_to(folder)
    done("train", data, *QUICK, "--no-report")
    assert (here / "here.onnx").is_file()


def test_a_table_gives_its_name_too(here: Path, digits: Path) -> None:
    rows = [f"{path},{path.parent.name}" for path in digits.rglob("*.png")]
    (here / "labels.csv").write_text("\n".join(["image,label", *rows]))
    done("train", "labels.csv", *QUICK)
    assert below(here) == {"labels.csv", "labels.onnx", "labels.report.html"}


def test_it_says_what_it_found_out(here: Path, digits: Path) -> None:
    out = done("train", digits, *QUICK).out
    assert "48 images in 4 classes" in out
    assert "judged on 8 others" in out
    assert "Accuracy" in out and "%" in out
    assert "nearest class prototype" in out


def test_the_model_predicts_new_images(here: Path, digits: Path, fresh: Path) -> None:
    done("train", digits, "-o", "m.onnx", *QUICK)
    assert load("m.onnx").score(fresh) > 0.8


def test_the_report_stands_alone_and_names_the_figures(here: Path, digits: Path) -> None:
    found = done("train", digits, *QUICK, "--json").json
    page = (here / "digits.report.html").read_text("utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>") and "</html>" in page
    assert f"{100 * figure(found['evaluation'], 'accuracy'):.1f}" in page
    assert 'src="http' not in page and "<link" not in page


def test_the_report_can_be_elsewhere_or_nowhere(here: Path, digits: Path) -> None:
    done("train", digits, "-o", "a.onnx", "--report", "page.html", *QUICK)
    done("train", digits, "-o", "b.onnx", "--no-report", *QUICK)
    assert below(here) == {"a.onnx", "page.html", "b.onnx"}


class TestOverwriting:
    @pytest.mark.parametrize("name", ["digits.onnx", "digits.report.html"])
    def test_never_unless_told_to(self, here: Path, digits: Path, name: str) -> None:
        (here / name).write_text("precious")
        outcome = genus("train", digits, *QUICK)
        assert f"{name}: exists already" in outcome.complaint and "--force" in outcome.complaint
        assert below(here) == {name} and (here / name).read_text() == "precious"

    def test_with_force(self, here: Path, digits: Path) -> None:
        for name in ("digits.onnx", "digits.report.html"):
            (here / name).write_text("old")
        done("train", digits, "--force", *QUICK)
        assert read_model_file("digits.onnx").classes == ("0", "1", "2", "3")
        assert "html" in (here / "digits.report.html").read_text("utf-8")

    def test_a_failure_after_force_leaves_the_old_model(self, here: Path, tmp_path: Path) -> None:
        (here / "old.onnx").write_text("precious")
        assert "no such file" in genus("train", "nowhere", "-o", "old.onnx", "--force").complaint
        assert (here / "old.onnx").read_text() == "precious"


class TestDryRun:
    def test_it_says_what_would_be_done_and_writes_nothing(
        self, here: Path, digits: Path, empty_cache: Path
    ) -> None:
        out = done("train", digits, "--dry-run", *QUICK).out
        for words in (
            "48 labelled images in 4 classes",
            "thumbnail@32",
            "prototype",
            "Memory",
            "Nothing was done",
        ):
            assert words in out
        assert below(here) == set()

    def test_the_same_in_json(self, here: Path, digits: Path) -> None:
        plan = done("train", digits, "--dry-run", "--json", *QUICK).json
        assert plan["n_images"] == 48
        assert plan["counts"] == {"0": 12, "1": 12, "2": 12, "3": 12}
        assert plan["n_features"] == 3072
        assert plan["seconds"]["total"] > 0 and plan["memory_mb"] > 0
        assert below(here) == set()

    def test_several_labels_an_image(self, here: Path, digits: Path) -> None:
        names = ("low|even", "low|odd", "even", "?")
        rows = [f"{path},{names[int(path.parent.name)]}" for path in sorted(digits.rglob("*.png"))]
        (here / "t.csv").write_text("\n".join(["image,labels", *rows]))
        assert "36 labelled images with any of 3 labels" in done("train", "t.csv", "--dry-run", *CHEAP).out
        plan = done("train", "t.csv", "--dry-run", "--json", *CHEAP).json
        assert (plan["n_images"], plan["multilabel"]) == (36, True)
        assert plan["counts"] == {"even": 24, "low": 24, "odd": 12}

    def test_an_existing_model_is_in_nobodys_way(self, here: Path, digits: Path) -> None:
        (here / "digits.onnx").write_text("precious")
        done("train", digits, "--dry-run", *QUICK)
        assert (here / "digits.onnx").read_text() == "precious"


class TestSeed:
    def train(self, digits: Path, name: str, seed: int) -> dict[str, object]:
        arguments = ("--seed", seed, "--no-report", "--heads", "logistic", *CHEAP)
        return dict(done("train", digits, "-o", name, "--json", *arguments).json)

    def test_the_same_seed_makes_the_same_model(self, here: Path, digits: Path, fresh: Path) -> None:
        one, other = (self.train(digits, name, 7) for name in ("a.onnx", "b.onnx"))
        assert one["evaluation"] == other["evaluation"]
        assert one["provenance"]["data_hash"] == other["provenance"]["data_hash"]
        a, b = (load(name).predict_proba(fresh) for name in ("a.onnx", "b.onnx"))
        np.testing.assert_array_equal(a, b)

    def test_another_seed_judges_on_other_images(self, here: Path, digits: Path) -> None:
        one, other = (self.train(digits, f"{seed}.onnx", seed) for seed in (1, 2))
        assert one["evaluation"] != other["evaluation"]
        assert read_model_file("1.onnx").details["provenance"]["random_state"] == 1


class TestOptions:
    def test_the_file_remembers_the_command(self, here: Path, digits: Path) -> None:
        done("train", digits, "-o", "with space.onnx", *QUICK, "--no-report")
        command = read_model_file("with space.onnx").details["provenance"]["command"]
        assert (
            command.startswith("genus train ") and "'with space.onnx'" in command and "prototype" in command
        )

    def test_only_the_heads_that_are_named_are_tried(self, here: Path, digits: Path) -> None:
        arguments = ("--heads", "knn, prototype", "--no-report", "--json", *CHEAP)
        found = done("train", digits, *arguments).json
        assert {row["name"] for row in found["leaderboard"]} == {"knn", "prototype"}

    def test_the_metric_decides_between_them(self, here: Path, digits: Path) -> None:
        found = done("train", digits, "--metric", "log_loss", "--no-report", "--json", *QUICK).json
        assert found["metric"] == "log_loss"

    def test_a_time_budget_leaves_candidates_out_and_says_so(self, here: Path, digits: Path) -> None:
        found = done(
            "train",
            digits,
            "--time-budget",
            "0.01",
            "--no-report",
            "--json",
            *CHEAP,
            "--heads",
            "knn,lda,logistic",
        ).json
        assert found["not_tried"]
        assert any("time budget" in note for note in found["notes"])

    def test_the_share_that_judges(self, here: Path, digits: Path) -> None:
        found = done("train", digits, "--test-size", "0.5", "--no-report", "--json", *QUICK).json
        assert (found["n_train"], found["n_test"]) == (24, 24)

    def test_without_refit_the_judges_stay_unseen(self, here: Path, digits: Path) -> None:
        done("train", digits, "-o", "m.onnx", "--no-refit", "--no-report", *QUICK)
        assert done("evaluate", "m.onnx", digits, "--json").json["evaluation"]["n_seen"] == 40

    def test_marked_test_images_judge(self, here: Path, digits: Path, fresh: Path) -> None:
        (here / "data").mkdir()
        (here / "data" / "train").symlink_to(digits)
        (here / "data" / "test").symlink_to(fresh)
        found = done("train", "data", "--no-report", "--json", *QUICK).json
        assert (found["test_kind"], found["n_train"], found["n_test"]) == ("given", 48, 20)

    def test_groups_of_a_table_stay_together(self, here: Path, digits: Path) -> None:
        paths = sorted(digits.rglob("*.png"))
        rows = [f"{path},{path.parent.name},patient {i % 6}" for i, path in enumerate(paths)]
        (here / "t.csv").write_text("\n".join(["image,label,who", *rows]))
        found = done("train", "t.csv", "--group-column", "who", "--no-report", "--json", *QUICK).json
        assert found["n_test"] % 8 == 0  # 48 images of six people
        assert done("train", "t.csv", "-o", "x.onnx", "--no-report", "--json", *QUICK).json["n_test"] == 8
