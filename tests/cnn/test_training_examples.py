"""What a network in training is shown: decided by seed, epoch and image, whatever the batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from cnn import lessons  # noqa: E402
from genus.cnn.augmentation import PRESETS, Augmentation  # noqa: E402
from genus.cnn.training_examples import ActivationExamples  # noqa: E402

CPU = torch.device("cpu")
N, N_VIEWS, SHAPE = 40, 3, (2, 4, 6)
MIRRORED = Augmentation(mirror="random")


def views(n_views: int = N_VIEWS) -> list[np.ndarray]:
    """The first channel says which view and which image it is, the second one where a value lies."""
    found = np.zeros((n_views, N, *SHAPE), np.float16)
    found[:, :, 0] = (100 * np.arange(n_views)[:, None] + np.arange(N))[:, :, None, None]
    found[:, :, 1] = np.arange(SHAPE[2])
    return list(found)


def activations(augmentation: Augmentation = MIRRORED, **more: Any) -> ActivationExamples:
    return ActivationExamples(views(), augmentation, n_classes=3, **more)


def seen(examples: Any, rows: list[int], epoch: int = 0, size: int = 100) -> np.ndarray:
    batches = [np.array(rows[i : i + size]) for i in range(0, len(rows), size)]
    return torch.cat(list(examples.seen(batches, epoch, CPU))).numpy()


def which(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The views that were shown, and whether they were mirrored."""
    return (images[:, 0, 0, 0] // 100).astype(int), images[:, 1, 0, 0] > 0


class TestActivations:
    def test_every_image_is_shown_in_one_of_its_views_mirrored_or_not(self) -> None:
        rows = list(range(N))
        images = seen(activations(), rows)
        view, mirrored = which(images)
        assert images.dtype == np.float32 and images.shape == (N, *SHAPE)
        for i in rows:
            expected = views()[view[i]][i].astype(np.float32)
            np.testing.assert_array_equal(images[i], expected[:, :, ::-1] if mirrored[i] else expected)
        assert set(view) == {0, 1, 2} and 8 < mirrored.sum() < 32

    def test_what_is_shown_depends_on_seed_epoch_and_image_alone(self) -> None:
        rows = list(range(N))
        whole = seen(activations(seed=5), rows, epoch=2)
        np.testing.assert_array_equal(seen(activations(seed=5), rows, epoch=2, size=7), whole)
        np.testing.assert_array_equal(seen(activations(seed=5), rows[::-1], epoch=2)[::-1], whole)
        assert not np.array_equal(seen(activations(seed=6), rows, epoch=2), whole)
        assert not np.array_equal(seen(activations(seed=5), rows, epoch=3), whole)

    def test_over_the_epochs_an_image_is_seen_in_all_ways(self) -> None:
        ways = set()
        for epoch in range(60):
            (view,), (mirrored,) = which(seen(activations(), [7], epoch))
            ways.add((int(view), bool(mirrored)))
        assert len(ways) == 2 * N_VIEWS

    def test_nothing_is_mirrored_where_that_is_not_wanted(self) -> None:
        assert not which(seen(activations(Augmentation()), list(range(N))))[1].any()

    def test_as_they_are_the_images_are_the_first_view(self) -> None:
        rows = np.array([3, 1, 30])
        (plain,) = activations().plain([rows], CPU)
        np.testing.assert_array_equal(plain.numpy(), views()[0][rows].astype(np.float32))

    def test_they_may_lie_in_a_file(self, tmp_path: Path) -> None:
        stored = np.stack(views())
        mapped = np.memmap(tmp_path / "views", np.float16, "w+", shape=stored.shape)
        mapped[:] = stored
        examples = ActivationExamples(list(mapped), MIRRORED, n_classes=3)
        rows = list(range(N))
        np.testing.assert_array_equal(seen(examples, rows), seen(activations(), rows))

    def test_they_are_mixed_only_where_that_is_wanted(self) -> None:
        images = torch.arange(8.0)[:, None, None, None].expand(8, 2, 4, 4)
        targets = torch.arange(8) % 3
        kept = activations().mix(images, targets, 0, np.arange(8))
        assert torch.equal(kept.images, images) and kept.targets.argmax(1).tolist() == targets.tolist()
        mixed = activations(Augmentation(mixup=1.0)).mix(images, targets, 0, np.arange(8))
        assert not torch.equal(mixed.images, images)
        assert torch.allclose(mixed.targets.sum(1), torch.ones(8))


class TestPixels:
    @pytest.mark.parametrize(
        "augmentation", [PRESETS["small"], PRESETS["standard"]], ids=["small", "standard"]
    )
    def test_what_is_shown_depends_on_seed_epoch_and_image_alone(self, augmentation: Augmentation) -> None:
        rows = list(range(12))
        whole = seen(lessons.examples(augmentation, 12), rows, epoch=1)
        np.testing.assert_array_equal(seen(lessons.examples(augmentation, 12), rows, 1, size=5), whole)
        assert not np.array_equal(seen(lessons.examples(augmentation, 12), rows, epoch=2), whole)
        assert not np.array_equal(seen(lessons.examples(augmentation, 12, seed=1), rows, epoch=1), whole)

    def test_without_augmentation_and_as_they_are_pictures_are_the_same(self) -> None:
        examples = lessons.examples(n=6)
        (plain,) = examples.plain([np.arange(6)], CPU)
        np.testing.assert_array_equal(plain.numpy(), seen(examples, list(range(6))))
        np.testing.assert_array_equal(plain.numpy(), lessons.pictures(6)[0].transpose(0, 3, 1, 2))

    def test_pictures_are_mixed_where_that_is_wanted(self) -> None:
        examples = lessons.examples(Augmentation(mixup=1.0), 8)
        (images,) = examples.seen([np.arange(8)], 0, CPU)
        mixed = examples.mix(images, torch.arange(8), 0, np.arange(8))
        assert mixed.targets.shape == (8, 10)
        assert torch.allclose(mixed.targets.sum(1), torch.ones(8))
        assert not torch.equal(mixed.images.float(), images.float())
