"""`genus train --cnn`: a network beside the classifiers, and a training that can be killed and go on."""

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from estimators.conftest import write_folders
from estimators.networks import NET, pictures
from genus.predictor import load

from .command import below, done, genus, start, until

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch, the extra cnn, is not installed")

WEAK = ("--features", "color-histogram@32", "--heads", "prototype")
HOW = ("--cnn-size", "16", "--augment", "none", "--device", "cpu")
QUICK = (*WEAK, "--cnn", NET, *HOW, "--epochs", "12")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pictures of the digits 0 to 4 in class folders. Nobody writes here."""
    return write_folders(tmp_path_factory.mktemp("cnn") / "digits", *pictures(120))


@needs_torch
@pytest.mark.usefixtures("one_thread")
class TestTraining:
    @pytest.fixture(scope="class")
    @staticmethod
    def trained(
        data: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None
    ) -> tuple[Path, dict[str, Any]]:
        """A model that a network has won, in a folder of its own, and what training said as JSON."""
        path = tmp_path_factory.mktemp("trained") / "m.onnx"
        return path, done("train", data, *QUICK, "-o", path, "--json").json

    def test_it_says_whether_the_network_was_worth_it(self, here: Path, data: Path) -> None:
        out = done("train", data, *QUICK, "-o", "m.onnx").out
        assert "images that neither had learned from, frozen features get" in out
        assert "the network was taken." in out
        assert f"convolutional network ({NET} at 16 pixels)" in out
        assert "† on 19 validation images, on which the frozen features have" in out
        assert below(here) == {"m.onnx", "m.report.html"}, "and no checkpoint"

    def test_json_has_all_of_it(self, trained: Any) -> None:
        found = trained[1]["network"]
        assert found["name"] == f"textbook:{NET}" and found["chosen"] == "network"
        assert len(found["history"]["epochs"]) == found["recipe"]["epochs"] == 12

    def test_the_page_shows_how_it_learned(self, trained: Any) -> None:
        page = trained[0].with_suffix(".report.html").read_text("utf-8")
        assert 'id="network"' in page and "How it learned" in page and "trained from scratch" in page

    def test_info_says_what_is_inside(self, trained: Any) -> None:
        out = done("info", trained[0]).out
        facts = dict(line.split("  ", 1) for line in out.splitlines()[1:] if "  " in line)
        assert facts["Classifier"].strip() == f"convolutional network ({NET} at 16 pixels)"
        assert facts["Network"].strip().startswith(f"{NET} at 16 pixels, trained from scratch. Of 19 images")
        found = done("info", trained[0], "--json").json["network"]
        assert found == trained[1]["network"]
        assert "convolution" in done("cnn", "describe", trained[0]).out

    def test_an_evaluation_says_so_too(self, here: Path, data: Path, trained: Any) -> None:
        done("evaluate", trained[0], data, "--report", "e.html")
        assert f"convolutional network ({NET} at 16 pixels)" in (here / "e.html").read_text("utf-8")

    def test_images_cannot_be_added_to_it(self, here: Path, data: Path, trained: Any) -> None:
        complaint = genus("train", "--add", data, "-m", trained[0], "-o", "n.onnx").complaint
        assert "contains a network that was trained for these classes" in complaint

    def test_evidence_is_found_in_it(self, here: Path, data: Path, trained: Any) -> None:
        assert done("explain", "-m", trained[0], next((data / "1").iterdir()), "-o", "evidence").code == 0

    def test_a_dry_run_says_what_would_be_done(self, here: Path, data: Path) -> None:
        out = done("train", data, *QUICK, "--dry-run").out
        assert f"Network: {NET} at 16 pixels, trained from scratch: 12 epochs, batches of 16 images" in out
        assert "network, again" in out and "Nothing was done." in out
        assert not below(here)
        plan = done("train", data, *QUICK, "--dry-run", "--json").json
        assert plan["network"]["size"] == 16 and plan["seconds"]["network"] >= 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (("--epochs", "3"), "--epochs"),
            (("--augment", "light", "--resume"), "--augment, --resume"),
            (("--depth", "all"), "--depth"),
            (("--device", "cpu"), "--device"),
            (("--cnn-size", "64"), "--cnn-size"),
        ],
    )
    def test_options_of_a_network_need_one(
        self, here: Path, data: Path, options: tuple[str, ...], named: str
    ) -> None:
        complaint = genus("train", data, *WEAK, *options).complaint
        assert complaint == f"Error: {named} is about a network; name one with --cnn."

    def test_without_pytorch_the_extra_is_named(
        self, here: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest)
        )
        complaint = genus("train", data, "--cnn", "finetune").complaint
        assert complaint == "Error: --cnn finetune needs the extra 'cnn': pip install \"genus[cnn]\""
        assert not below(here)

    @needs_torch
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--cnn", "resnet19"), "no network named 'resnet19'. Did you mean 'resnet18' or 'resnet10'?"),
            (("--cnn", "conv8-pool-gap", "--cnn-size", "1"), "shrinks it to nothing. Take larger pictures"),
            (("--cnn", "resnet10", "--augment", "heavy"), "no augmentation is called 'heavy'"),
            (("--cnn", "resnet10", "--device", "tpu"), "device must be one of"),
            (("--cnn", "resnet10", "--depth", "deep"), "depth must be one of auto, last, all"),
        ],
    )
    def test_what_cannot_work_is_one_line(
        self, here: Path, data: Path, options: tuple[str, ...], words: str
    ) -> None:
        assert words in genus("train", data, *WEAK, *options).complaint
        assert not below(here)

    @needs_torch
    def test_the_checkpoint_of_another_training_is_refused(self, here: Path, data: Path) -> None:
        (here / "m.onnx.checkpoint").write_bytes(b"something else")
        complaint = genus("train", data, *QUICK, "-o", "m.onnx", "--resume").complaint
        assert "m.onnx.checkpoint: no checkpoint of Genus, or damaged." in complaint

    @needs_torch
    def test_what_becomes_of_a_checkpoint_is_said(self, here: Path, data: Path) -> None:
        there = here / "m.onnx.checkpoint"
        there.write_bytes(b"something else")
        genus("train", data, *WEAK, "-o", "m.onnx", "--no-report")
        assert there.read_bytes() == b"something else", "a training without a network leaves it alone"
        anew = genus("train", data, *QUICK, "-o", "m.onnx", "--no-report", "--force")
        assert "An earlier training left m.onnx.checkpoint; this one begins anew" in anew.err
        assert not there.exists()
        anew = genus("train", data, *QUICK, "-o", "m.onnx", "--no-report", "--force", "--resume")
        assert "There is no m.onnx.checkpoint to go on from: this training begins anew." in anew.err


SLOWLY = """
import time, torch
from dataclasses import replace
from genus.cnn.run import Run
torch.set_num_threads(1)
begin, step = Run.__init__, Run._step
def often(self, network, lesson, recipe, around, task):
    begin(self, network, lesson, recipe, replace(around, every=0.1), task)
def slowly(self, *rest):
    time.sleep(0.04)
    step(self, *rest)
Run.__init__, Run._step = often, slowly
"""
"""A checkpoint ten times a second, and time to kill it."""


@needs_torch
@pytest.mark.usefixtures("one_thread")
class TestInterruption:
    """A training that was killed goes on with --resume and gives the model of one that was left in peace."""

    ARGUMENTS = (*QUICK, "--epochs", "5", "--no-report", "-o")

    @pytest.fixture(scope="class")
    @staticmethod
    def whole(data: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
        path = tmp_path_factory.mktemp("whole") / "whole.onnx"
        done("train", data, *TestInterruption.ARGUMENTS, path)
        return path

    def resumed(self, data: Path, whole: Path) -> None:
        assert not Path("m.onnx").exists()
        done("train", data, *self.ARGUMENTS, "m.onnx", "--resume")
        assert below(Path()) == {"m.onnx"}, "the checkpoints are gone"
        models = [load(path) for path in ("m.onnx", whole)]
        one, other = (model.predict_proba(list(pictures(120)[0])) for model in models)
        np.testing.assert_array_equal(one, other)
        curves = [model.model.details["network"]["history"]["epochs"] for model in models]
        assert [row["loss"] for row in curves[0]] == [row["loss"] for row in curves[1]]

    @pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
    def test_killed_for_good(self, here: Path, data: Path, whole: Path, running: list[Any]) -> None:
        running.append(start("train", data, *self.ARGUMENTS, "m.onnx", before=SLOWLY))
        until(Path("m.onnx.checkpoint").exists, seconds=90)
        running[0].kill()
        assert running[0].wait() == -signal.SIGKILL
        self.resumed(data, whole)

    @pytest.mark.parametrize(
        "n_images", [96 - 19, 120], ids=["while it is compared", "while it learns from all"]
    )
    @pytest.mark.parametrize("step", [1, 13], ids=["in its first epoch", "later"])
    def test_interrupted(
        self, n_images: int, step: int, here: Path, data: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from genus.cnn.run import Run

        write = Run._write_if_due

        def write_and_stop(self: Run) -> None:
            self.written = -1e9
            write(self)
            if len(self.lesson.rows) == n_images and self._n_steps() == step:
                raise KeyboardInterrupt

        monkeypatch.setattr(Run, "_write_if_due", write_and_stop)
        outcome = genus("train", data, *self.ARGUMENTS, "m.onnx")
        assert outcome.code == 130
        monkeypatch.undo()
        monkeypatch.chdir(here)
        names = {"m.onnx.checkpoint", *["m.onnx.checkpoint.all"] * (n_images == 120)}
        assert below(here) == names
        self.resumed(data, whole)
