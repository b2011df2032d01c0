"""What mistakes cost, on the command line and in Python: trained in, changed, ignored."""

import json
from pathlib import Path

import numpy as np
import pytest

from estimators.conftest import quick
from genus import load
from genus.errors import ParameterError

from .command import CHEAP, done, genus


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A model that would rather say 3 than miss one."""
    folder = tmp_path_factory.mktemp("costs")
    (folder / "costs.csv").write_text("true,0,1,2\n3,1e9,1e9,1e9\n", "utf-8")
    done("train", digits, "-o", folder / "m.onnx", *CHEAP, "--no-report", "--costs", folder / "costs.csv")
    return folder / "m.onnx"


def labels(*command: object) -> list[str]:
    return [image["label"] for image in done("predict", *command, "--json").json["images"]]


def test_a_dear_mistake_is_avoided(priced: Path, fresh: Path) -> None:
    careful = labels("-m", priced, fresh)
    plain = labels("-m", priced, fresh, "--costs", "none")
    assert careful.count("3") > plain.count("3")
    assert all(a in (b, "3") for a, b in zip(careful, plain, strict=True))


def test_probabilities_stay_as_they_are(priced: Path, fresh: Path) -> None:
    careful = done("predict", "-m", priced, fresh, "--json").json["images"]
    proba = load(priced).predict_proba(fresh)
    code = {name: i for i, name in enumerate(load(priced).classes_)}
    for image, row in zip(careful, proba, strict=True):
        assert image["confidence"] == pytest.approx(row[code[image["label"]]], abs=1e-5)


def test_costs_given_at_prediction_take_their_place(here: Path, model: Path, fresh: Path) -> None:
    # every name costs something, right or wrong; to say nothing is free
    costs = {digit: {digit: 1, "unknown": 0} for digit in "0123"}
    Path("c.json").write_text(json.dumps(costs), "utf-8")
    assert set(labels("-m", model, fresh, "--costs", "c.json")) == {"unknown"}
    Path("bad.json").write_text('{"7": {"1": 1}}')
    assert (
        "costs name the true class '7'"
        in genus("predict", "-m", model, fresh, "--costs", "bad.json").complaint
    )
    assert "gone.csv" in genus("predict", "-m", model, fresh, "--costs", "gone.csv").complaint


def test_what_was_paid_is_said(here: Path, priced: Path, fresh: Path) -> None:
    said = done("evaluate", priced, fresh, "--report", "e.html").out
    assert "An image costs" in said and "An image costs" in (here / "e.html").read_text("utf-8")
    found = done("evaluate", priced, fresh, "--json").json["costs"]
    assert found["changed"] > 0 and found["mean"] >= 0 and found["n"] == 20
    assert "costs" in done("info", priced, "--json").json


def test_python_takes_them_too(digits: Path, fresh: Path) -> None:
    costs = 1 - np.eye(4)
    costs[3, :3] = 500
    model = quick(costs=costs).fit(digits)
    again = quick(costs={"3": {"0": 500, "1": 500, "2": 500}}).fit(digits)
    assert model.predict(fresh).tolist() == again.predict(fresh).tolist()
    plain = model.predict(fresh, costs=False)
    assert plain.tolist() == model.classes_[model.predict_proba(fresh).argmax(axis=1)].tolist()
    with pytest.raises(ParameterError, match="costs"):
        quick(costs=np.ones((3, 3))).fit(digits)
    with pytest.raises(ParameterError, match="one class an image"):
        quick(costs=costs, multilabel=True).fit(digits)
