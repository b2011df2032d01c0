"""The training loop: it learns, it is repeatable, it goes on where it was killed, and it knows when to stop."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from cnn import lessons  # noqa: E402
from cnn.lessons import RECIPE, checkpoint, here, lesson, network  # noqa: E402
from genus.cnn import run  # noqa: E402
from genus.cnn.augmentation import PRESETS, Augmentation  # noqa: E402
from genus.cnn.inference import logits_of_network  # noqa: E402
from genus.cnn.lesson import Lesson  # noqa: E402
from genus.cnn.recipe import Recipe  # noqa: E402
from genus.cnn.run import Run  # noqa: E402
from genus.cnn.training import train_network  # noqa: E402
from genus.cnn.training_examples import ActivationExamples, PixelExamples  # noqa: E402
from genus.errors import DataError, ModelFileError, ParameterError  # noqa: E402


def weights(net: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_learns_digits() -> None:
    net = network()
    history = train_network(net, lesson(), replace(RECIPE, epochs=8), here())
    assert history.stopped == "finished" and history.best == len(history.epochs) == 8
    losses = [epoch.loss for epoch in history.epochs]
    assert losses[-1] < losses[0] / 2
    assert (history.epochs[-1].validation_score or 0) > 0.85, "chance is 0.1"
    assert not net.training


def test_the_score_is_that_of_the_network_that_is_left() -> None:
    net, task = network(), lesson()
    history = train_network(net, task, RECIPE, here())
    logits = logits_of_network(net, task.examples, task.validation, here().place)
    assert task.judge(logits) == history.epochs[-1].validation_score


def test_a_seed_gives_the_same_network_and_another_seed_another_one() -> None:
    moving = replace(RECIPE, epochs=2, augmentation=PRESETS["small"])
    found = []
    for seed in (0, 0, 1):
        net = network()
        train_network(net, lesson(PRESETS["small"]), moving, here(), seed=seed)
        found.append(weights(net))
    assert same(found[0], found[1]) and not same(found[0], found[2])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("stop_at", [(0, 3), (1, 0), (2, 4)], ids=str)
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str, stop_at: tuple[int, int]
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer, learning_rate=0.01, augmentation=PRESETS["small"])
    whole, killed = network(), network()
    expected = train_network(whole, lesson(PRESETS["small"]), recipe, here())
    write = Run._write_if_due

    def write_and_die(self: Run) -> None:
        write(self)
        if (self.epoch, self.batch) == stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_write_if_due", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        train_network(killed, lesson(PRESETS["small"]), recipe, checkpoint(tmp_path))
    monkeypatch.undo()
    resumed = network(seed=9)  # its weights come from the checkpoint
    history = train_network(resumed, lesson(PRESETS["small"]), recipe, checkpoint(tmp_path, resume=True))
    assert same(weights(whole), weights(resumed))
    curve = [(e.loss, e.validation_loss, e.validation_score) for e in history.epochs]
    assert curve == [(e.loss, e.validation_loss, e.validation_score) for e in expected.epochs]


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"data": "other"}, "the images"), ({"seed": 1}, "the seed"), ({"epochs": 9}, "the recipe")],
)
def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path, changes: Any, what: str) -> None:
    train_network(network(), lesson(), replace(RECIPE, epochs=1), checkpoint(tmp_path), data="these")
    recipe = replace(RECIPE, epochs=changes.get("epochs", 1))
    seed, data = changes.get("seed", 0), changes.get("data", "these")
    with pytest.raises(DataError, match=what):
        train_network(network(), lesson(), recipe, checkpoint(tmp_path, resume=True), seed=seed, data=data)


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", b"something else", b"\x80\x04", b"PK\x03\x04" + bytes(100)]
)
def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.checkpoint").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"net\.checkpoint.*damaged"):
        train_network(network(), lesson(), RECIPE, checkpoint(tmp_path, resume=True))


def test_the_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    train_network(network(), lesson(), replace(RECIPE, epochs=1), checkpoint(tmp_path))
    found = torch.load(tmp_path / "net.checkpoint", weights_only=True)
    torch.save({**found, "format": 1}, tmp_path / "net.checkpoint")
    with pytest.raises(ModelFileError, match=r"net\.checkpoint: a checkpoint of another version of Genus"):
        train_network(network(), lesson(), replace(RECIPE, epochs=1), checkpoint(tmp_path, resume=True))
    del found["state"]["kept"]
    torch.save(found, tmp_path / "net.checkpoint")
    with pytest.raises(ModelFileError, match="damaged"):
        train_network(network(), lesson(), replace(RECIPE, epochs=1), checkpoint(tmp_path, resume=True))


def test_a_training_that_was_over_is_as_it_was(tmp_path: Path) -> None:
    """Also one that the clock ended, and whose last checkpoint was due much later."""
    net, again = network(), network(seed=9)
    rarely = replace(checkpoint(tmp_path, seconds=0.5), every=1e9)
    first = train_network(net, lesson(), replace(RECIPE, epochs=10_000), rarely)
    assert first.stopped == "time"
    resumed = train_network(
        again, lesson(), replace(RECIPE, epochs=10_000), checkpoint(tmp_path, resume=True, seconds=1e6)
    )
    assert same(weights(net), weights(again)) and resumed.epochs == first.epochs


def test_a_checkpoint_runs_nothing(tmp_path: Path) -> None:
    """A pickle that would run a program is not even opened."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "sprung").write_text, ("it ran",))

    torch.save({"format": 1, "task": Trap()}, tmp_path / "net.checkpoint")
    with pytest.raises(ModelFileError, match="damaged"):
        train_network(network(), lesson(), RECIPE, checkpoint(tmp_path, resume=True))
    assert not (tmp_path / "sprung").exists()


def test_a_loss_that_is_no_number_ends_it_with_the_last_good_weights() -> None:
    net = network("conv8-pool-conv16-pool-flatten-dense32")
    huge = replace(RECIPE, optimizer="sgd", learning_rate=1e3, warmup=0.9, schedule="constant", averaging=0.0)
    nobody = replace(lesson(), validation=np.zeros(0, np.int64))
    history = train_network(net, nobody, replace(huge, epochs=200), here())
    assert history.stopped == "not finite"
    assert "the loss is not a finite number a" in history.notes[0]
    assert history.best == len(history.epochs)
    assert all(bool(value.isfinite().all()) for value in net.state_dict().values())


def test_nor_are_weights_good_that_say_no_number_of_the_validation_images() -> None:
    """With one batch an epoch no step comes after them that would show it."""
    net = network("conv8-pool-conv16-pool-flatten-dense32")
    few = replace(lesson(), rows=np.arange(32))
    huge = replace(RECIPE, optimizer="sgd", learning_rate=1e3, schedule="constant", averaging=0.0)
    history = train_network(net, few, replace(huge, warmup=0.0, batch_size=32, epochs=20), here())
    assert history.stopped == "not finite" and history.best == len(history.epochs) < 20
    assert "is not a finite number after epoch" in history.notes[0]
    assert np.isfinite(logits_of_network(net, few.examples, few.validation, here().place)).all()


def test_a_score_that_is_no_number_is_none() -> None:
    history = train_network(network(), replace(lesson(), judge=lambda _: float("nan")), RECIPE, here())
    assert history.stopped == "finished" and {epoch.validation_score for epoch in history.epochs} == {None}


def test_the_time_is_kept_and_the_rate_comes_down_as_it_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()  # a clock of its own: a hundredth of a second a look
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    history = train_network(network(), lesson(), replace(RECIPE, epochs=10_000), here(seconds=2.0))
    assert history.stopped == "time" and next(ticks) < 250
    assert history.epochs[-1].rate < 0.2 * RECIPE.learning_rate
    assert "the time was over" in history.notes[0]


def test_patience_ends_it_and_takes_the_best_weights() -> None:
    task = lesson()
    scores = iter([0.5, 0.8, 0.7, 0.6, 0.9, 0.9])
    task = replace(task, judge=lambda logits: next(scores))
    history = train_network(network(), task, replace(RECIPE, epochs=6, patience=2), here())
    assert history.stopped == "no better for a while" and history.best == 2 and len(history.epochs) == 4


def test_out_of_memory_halves_the_batch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, poor = (
        network("conv8-pool-gap"),
        network("conv8-pool-gap"),
    )  # no batch normalisation, so parts add up
    train_network(plain, lesson(), RECIPE, here())
    forward = type(poor).forward

    def with_little_memory(self: Any, x: Any) -> Any:
        if len(x) > 20:  # also when it is only looked at
            raise torch.OutOfMemoryError("not enough")
        return forward(self, x)

    monkeypatch.setattr(type(poor), "forward", with_little_memory)
    history = train_network(poor, lesson(), RECIPE, here())
    assert history.notes == (
        "out of memory: from step 1 on in parts of 30 images",
        "out of memory: from step 1 on in parts of 15 images",
    )
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(poor.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_a_batch_may_lack_a_class_and_hold_a_single_image() -> None:
    task = replace(lesson(), rows=np.array([0, 1, 2]))
    history = train_network(network(), task, replace(RECIPE, batch_size=1, epochs=1), here())
    assert history.stopped == "finished" and np.isfinite(history.epochs[0].loss)


def test_all_batches_are_of_one_size() -> None:
    task = replace(lesson(), rows=np.arange(65))
    run = Run(network(), task, replace(RECIPE, batch_size=32), here(), _any_task())
    assert [len(batch) for batch in run._batches()] == [33, 32]
    assert sorted(np.concatenate(run._batches()).tolist()) == list(range(65))


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("mirror", ["random", "alternate"])
def test_a_batch_is_no_more_mirrored_than_the_others(mirror: str, epoch: int) -> None:
    """Order and augmentation are both by chance, and by seed, epoch and image: they must not be the same chance."""
    rows, augmentation = np.arange(1024), Augmentation(mirror=mirror)  # type: ignore[arg-type]
    pixels = np.zeros((1, 3, 4, 4), np.uint8)
    pixels[..., 2:] = 255
    store = SimpleNamespace(batches=lambda every: (torch.from_numpy(pixels.repeat(len(b), 0)) for b in every))
    shown: Any = PixelExamples(store, augmentation, 4, n_classes=2)  # type: ignore[arg-type]
    task = Lesson(shown, rows % 2, rows, rows[:0], lambda _: 0.0)
    training = Run(network(), task, replace(RECIPE, batch_size=128), here(), _any_task())
    training.epoch = epoch
    shares = [float((seen[:, 0, 0, 0] > 128).float().mean()) for seen in training._seen(training._batches())]
    assert len(shares) == 8 and all(0.3 < share < 0.7 for share in shares)


def test_a_batch_holds_all_views() -> None:
    rows = np.arange(1024)
    views = [np.full((1024, 1, 1, 1), number, np.float16) for number in range(4)]
    task = Lesson(
        ActivationExamples(views, Augmentation(), n_classes=2), rows % 2, rows, rows[:0], lambda _: 0.0
    )
    training = Run(network(), task, replace(RECIPE, batch_size=128), here(), _any_task())
    for seen in training._seen(training._batches()):
        assert (torch.bincount(seen.flatten().long(), minlength=4) > 16).all(), "32 of each, by and large"


@pytest.mark.parametrize("augmentation", [PRESETS["none"], Augmentation(mixup=0.4)], ids=["plain", "mixed"])
def test_several_labels_an_image_are_learned_where_they_are_known(augmentation: Augmentation) -> None:
    codes = lessons.pictures()[1]
    values = np.eye(10, dtype=np.int64)[codes]
    values[::7, 3] = -1
    net = network()
    history = train_network(net, lesson(augmentation, targets=values), replace(RECIPE, epochs=16), here())
    assert (history.epochs[-1].validation_score or 0) > 0.93, (
        "nine of ten labels are absent: 0.9 says nothing"
    )


def test_gradients_are_shortened_where_that_is_wanted() -> None:
    net, before = network(), weights(network())
    tiny = Recipe(
        epochs=1, optimizer="sgd", momentum=0.0, learning_rate=1.0, weight_decay=0.0, clip=1e-6, warmup=0.0
    )
    train_network(net, lesson(), replace(tiny, augmentation=PRESETS["none"]), here())
    moved = max(float((p.detach() - before[name]).abs().max()) for name, p in net.named_parameters())
    assert 0 < moved < 1e-5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": 0}, "epochs must be from 1"),
        ({"optimizer": "magic"}, "optimizer must be one of"),
        ({"patience": 0}, "patience"),
        ({"clip": -1.0}, "clip"),
        ({"class_weight": "heavy"}, "class_weight"),
        ({"batch_size": 2.5}, "batch_size"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(changes: Any, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        replace(RECIPE, **changes)


def test_a_recipe_survives_json() -> None:
    import json

    recipe = Recipe(epochs=7, clip=1.0, patience=3, augmentation=PRESETS["strong"])
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(ParameterError, match="knows no magic"):
        Recipe.from_dict({"magic": 1})


def _any_task() -> Any:
    from genus.cnn.checkpoints import Task

    return Task("", {}, {}, 0)
