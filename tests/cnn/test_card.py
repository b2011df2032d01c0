"""What is done otherwise on a graphics card: it must come to the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from cnn import lessons  # noqa: E402
from genus.cnn.augmentation import PRESETS, Augmentation  # noqa: E402
from genus.cnn.devices import Place, choose_place  # noqa: E402
from genus.cnn.graphs import Replayed, is_worth_recording  # noqa: E402
from genus.cnn.history import History  # noqa: E402
from genus.cnn.inference import logits_of_network  # noqa: E402
from genus.cnn.lesson import Circumstances  # noqa: E402
from genus.cnn.network import Network  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.cnn.recipe import Recipe  # noqa: E402
from genus.cnn.resident import ResidentPixels  # noqa: E402
from genus.cnn.run import Run  # noqa: E402
from genus.cnn.training import train_network  # noqa: E402

needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card")
CPU = torch.device("cpu")
NET = "conv8-norm-pool-conv16-norm-pool-flatten-dense32"
PLAIN = Recipe(epochs=2, batch_size=37, optimizer="sgd", learning_rate=0.02, augmentation=PRESETS["none"])


class TestPixelsThatStay:
    """They are augmented in groups of batches; each batch is what it would be by itself."""

    @pytest.mark.parametrize("augmentation", [PRESETS["none"], PRESETS["small"], PRESETS["standard"]])
    def test_batches_are_the_same(self, augmentation: Augmentation) -> None:
        examples, staying = lessons.examples(augmentation, 60), lessons.examples(augmentation, 60)
        staying._resident[CPU] = ResidentPixels(staying.store, CPU)
        batches = np.array_split(np.random.default_rng(0).permutation(60), 7)
        for expected, seen in zip(examples.seen(batches, 3, CPU), staying.seen(batches, 3, CPU), strict=True):
            assert torch.equal(expected, seen)
        for expected, seen in zip(examples.plain(batches, CPU), staying.plain(batches, CPU), strict=True):
            assert torch.equal(expected, seen)

    def test_groups_have_all_batches_in_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        resident = ResidentPixels(lessons.examples(n=60).store, CPU)
        batches = [np.arange(i, i + 10) for i in range(0, 60, 10)]
        for most, sizes in ((1 << 30, [6]), (25 * 3 * lessons.SIDE**2, [2, 2, 2]), (1, [1] * 6)):
            monkeypatch.setattr("genus.cnn.resident._GROUP", most)
            groups = list(resident.groups(batches))
            assert [len(group) for group in groups] == sizes
            assert [rows for group in groups for rows in group] == batches
        assert list(resident.groups([])) == []


def on_card(recipe: Recipe, *, precision: str = "float32", **more: Any) -> tuple[Network, History]:
    network = lessons.network(NET)
    place = choose_place("cuda", precision)  # type: ignore[arg-type]
    return network, train_network(network, lessons.lesson(), recipe, Circumstances(place, **more))


def losses(history: History) -> list[float]:
    return [epoch.loss for epoch in history.epochs]


class TestWhatIsRecorded:
    """Steps that are short, of networks of which it is known that each pass does the same."""

    @pytest.mark.parametrize(
        ("name", "size", "device", "is_worth_it"),
        [
            ("speedrun", 32, "cuda", True),
            ("conv8-pool-gap", 64, "cuda", True),
            ("resnet10", 128, "cuda", False),
            ("efficientnet-lite0", 64, "cuda", False),
            ("speedrun", 32, "cpu", False),
        ],
    )
    def test_it_depends_on_network_and_place(
        self, name: str, size: int, device: str, is_worth_it: bool
    ) -> None:
        network = make_network(name, 10, size=size, random_state=0)
        assert is_worth_recording(network, Place(torch.device(device), bf16=False)) == is_worth_it


@needs_card
class TestOnACard:
    def test_augmented_pictures_are_those_of_the_processor(self) -> None:
        batches = np.array_split(np.arange(60), 3)
        for name, bound in (("none", 0), ("small", 0), ("standard", 3)):
            examples = lessons.examples(PRESETS[name], 60)
            here = torch.cat(list(examples.seen(batches, 1, CPU))).float()
            there = torch.cat(list(examples.seen(batches, 1, torch.device("cuda")))).float().cpu()
            assert (here - there).abs().mean() <= bound

    def test_what_is_learned_is_what_the_processor_learns(self) -> None:
        expected = train_network(lessons.network(NET), lessons.lesson(), PLAIN, lessons.here())
        assert losses(on_card(PLAIN)[1]) == pytest.approx(losses(expected), rel=0.02)

    @pytest.mark.parametrize("precision", ["float32", "bf16"])
    @pytest.mark.parametrize(
        "recipe",
        [PLAIN, replace(PLAIN, optimizer="adamw", learning_rate=1e-3, averaging=0.9, clip=1.0)],
        ids=["sgd", "adamw"],
    )
    def test_recorded_steps_are_the_steps(
        self, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, precision: str
    ) -> None:
        network, recorded = on_card(recipe, precision=precision)
        monkeypatch.setattr("genus.cnn.run.is_worth_recording", lambda network, place: False)
        plain_network, plain = on_card(recipe, precision=precision)
        assert losses(recorded) == pytest.approx(losses(plain), rel=1e-3 if precision == "float32" else 0.02)
        for name, value in network.state_dict().items():
            expected = plain_network.state_dict()[name]
            assert torch.allclose(value.float(), expected.float(), rtol=0.05, atol=0.02), name

    def test_steps_are_recorded_for_both_sizes_of_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shapes = []
        stop = Run._stop_recording

        def look(run: Run) -> None:
            shapes.append(len(run.model._recorded) if isinstance(run.model, Replayed) else 0)
            stop(run)

        monkeypatch.setattr(Run, "_stop_recording", look)
        on_card(PLAIN)
        on_card(replace(PLAIN, accumulate=2))
        assert shapes == [2, 0], "300 images in 8 batches; parts of batches are not recorded"

    def test_what_cannot_be_recorded_is_computed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any, **more: Any) -> None:
            raise RuntimeError("CUDA error: out of memory")

        expected = losses(on_card(PLAIN)[1])
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", fail)
        _network, history = on_card(PLAIN)
        assert losses(history) == pytest.approx(expected, rel=1e-3) and not history.notes

    def test_what_is_left_out_by_chance_differs_from_step_to_step(self) -> None:
        network = lessons.network("conv8-pool-flatten-drop0.5-dense32").cuda()
        replayed = Replayed(network, choose_place("cuda", "float32")).train()
        images = next(lessons.examples(n=8).plain([np.arange(8)], torch.device("cuda")))
        found = []
        for seed in (1, None, 1):
            if seed is not None:
                torch.manual_seed(seed)
            found.append(replayed(images).detach().clone())
        assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])

    def test_a_killed_training_goes_on(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        path, write = tmp_path / "net.checkpoint", Run._write_if_due
        expected = losses(on_card(PLAIN)[1])

        def write_and_die(run: Run) -> None:
            write(run)
            if (run.epoch, run.batch) == (0, 3):
                raise KeyboardInterrupt

        monkeypatch.setattr(Run, "_write_if_due", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            on_card(PLAIN, checkpoint=path, every=0.0)
        monkeypatch.undo()
        resumed = on_card(PLAIN, checkpoint=path, resume=True)[1]
        assert losses(resumed) == pytest.approx(expected, rel=1e-3)

    def test_validation_sees_what_the_processor_sees(self) -> None:
        network, _history = on_card(PLAIN)
        rows = np.arange(40)
        there = logits_of_network(network, lessons.examples(), rows, choose_place("cuda", "float32"))
        here = logits_of_network(network, lessons.examples(), rows, choose_place("cpu", "float32"))
        np.testing.assert_allclose(there, here, atol=0.02)
