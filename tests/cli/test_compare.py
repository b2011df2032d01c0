"""`genus compare`: which of two models is better."""

from pathlib import Path

import pytest

from .command import CHEAP, done, figure, genus


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A model that has learned the names of the digits the wrong way round."""
    folder = tmp_path_factory.mktemp("worse")
    rows = [f"{path},{3 - int(path.parent.name)}" for path in digits.rglob("*.png")]
    (folder / "wrong.csv").write_text("\n".join(["image,label", *rows]))
    done(
        "train",
        folder / "wrong.csv",
        "-o",
        folder / "worse.onnx",
        *CHEAP,
        "--heads",
        "prototype",
        "--no-report",
    )
    return folder / "worse.onnx"


def test_the_better_model_is_named(model: Path, worse: Path, fresh: Path) -> None:
    out = done("compare", worse, model, fresh).out
    verdict = next(line for line in out.splitlines() if " is better " in line)
    assert verdict.startswith(str(model))
    assert "20 images" in out and str(worse) in out


@pytest.mark.parametrize("order", [1, -1])
def test_the_difference_is_that_of_the_first_to_the_second(
    model: Path, worse: Path, fresh: Path, order: int
) -> None:
    found = done("compare", *(model, worse)[::order], fresh, "--json").json
    assert found["winner"] == {1: "first", -1: "second"}[order]
    paired = found["paired"]
    assert paired["difference"] == pytest.approx(found["first"]["accuracy"] - found["second"]["accuracy"])
    assert paired["low"] <= paired["difference"] <= paired["high"]
    assert paired["p_value"] < 0.01


def test_each_accuracy_is_that_of_evaluate(model: Path, other_model: Path, fresh: Path) -> None:
    found = done("compare", model, other_model, fresh, "--json").json
    for which, path in (("first", model), ("second", other_model)):
        alone = done("evaluate", path, fresh, "--json").json
        assert found[which]["accuracy"] == pytest.approx(figure(alone["evaluation"], "accuracy"))


def test_a_model_is_no_better_than_itself(model: Path, fresh: Path) -> None:
    found = done("compare", model, model, fresh, "--json").json
    assert found["winner"] is None and found["paired"]["difference"] == 0
    assert found["verdict"] == "The two are right and wrong on the same images."


def test_too_few_images_cannot_tell(model: Path, worse: Path, fresh: Path, here: Path) -> None:
    rows = [f"{next((fresh / name).iterdir())},{name}" for name in "01"]
    (here / "t.csv").write_text("\n".join(["image,label", *rows]))
    found = done("compare", model, worse, "t.csv", "--json").json
    assert found["winner"] is None
    assert "cannot tell which is better" in found["verdict"]


def test_only_marked_test_images_count(model: Path, other_model: Path, fresh: Path, here: Path) -> None:
    paths = sorted(fresh.rglob("*.png"))
    rows = [f"{path},{path.parent.name},{('train', 'test')[i % 2]}" for i, path in enumerate(paths)]
    (here / "t.csv").write_text("\n".join(["image,label,split", *rows]))
    assert done("compare", model, other_model, "t.csv", "--json").json["paired"]["n"] == 10
    everything = done("compare", model, other_model, "t.csv", "--split", "all", "--json").json
    assert everything["paired"]["n"] == 20


def test_what_either_learned_from_is_said(model: Path, other_model: Path, digits: Path, fresh: Path) -> None:
    notes = done("compare", model, other_model, digits, "--json").json["notes"]
    assert notes == [
        f"the {which} model learned from 48 of these images, which favours it"
        for which in ("first", "second")
    ]
    assert "Note: the first model learned from 48" in done("compare", model, other_model, digits).out
    assert "learned from" not in done("compare", model, other_model, fresh).out


@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_model_is_named(model: Path, fresh: Path, place: int) -> None:
    models = [str(model), str(model)]
    models[place] = "nowhere.onnx"
    assert "nowhere.onnx" in genus("compare", *models, fresh).complaint
