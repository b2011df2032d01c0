"""MixUp and CutMix: images and labels in the same shares, partners by seed, epoch and who is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

from genus.cnn.augment import Augmenter  # noqa: E402
from genus.cnn.augmentation import Augmentation  # noqa: E402
from genus.cnn.mixing import Mixed, _on_device, make_blend, mix_images, soft_targets  # noqa: E402
from genus.errors import ParameterError  # noqa: E402

from .image_batches import difference, photos  # noqa: E402

WAYS = {
    "mixup": Augmentation(mixup=0.4),
    "cutmix": Augmentation(cutmix=1.0),
    "both": Augmentation(mixup=1.0, cutmix=1.0),
    "sometimes": Augmentation(mixup=1.0, cutmix=1.0, mix=0.5),
}
PLACES = np.arange(20)
CODES = torch.arange(20) % 5
each = pytest.mark.parametrize("way", WAYS)


def mixed(way: str, n: int = 20, seed: int = 0, epoch: int = 0) -> Mixed:
    return Augmenter(WAYS[way], 48, seed=seed).mix(photos(n), CODES[:n], epoch, PLACES[:n], n_classes=5)


@each
@settings(max_examples=10)
@given(order=st.permutations(range(20)), seed=st.integers(0, 99))
def test_permuting_a_batch_permutes_the_result(way: str, order: list[int], seed: int) -> None:
    one, images = mixed(way, seed=seed), photos(20)
    other = Augmenter(WAYS[way], 48, seed=seed).mix(
        images[order], CODES[order], 0, PLACES[order], n_classes=5
    )
    assert torch.equal(other.images, one.images[order])
    assert torch.equal(other.targets, one.targets[order])
    assert torch.equal(other.shares, one.shares[order])
    assert torch.equal(torch.tensor(order)[other.partners], one.partners[order])


@each
def test_shares_add_up_and_are_those_of_the_labels(way: str) -> None:
    one = mixed(way)
    assert torch.allclose(one.targets.sum(1), torch.ones(20))
    codes = torch.nn.functional.one_hot(CODES, 5).float()
    expected = one.shares[:, None] * codes + (1 - one.shares[:, None]) * codes[one.partners]
    assert torch.allclose(one.targets, expected)


@each
def test_images_are_what_the_shares_say(way: str) -> None:
    one, images = mixed(way), photos(20)
    for i in range(20):
        own, other = images[i].double(), images[one.partners[i]].double()
        share = float(one.shares[i])
        blended = difference(one.images[i], share * own + (1 - share) * other) < 0.51
        from_own, from_other = (one.images[i] == own).all(0), (one.images[i] == other).all(0)
        cut = bool((from_own | from_other).all())
        assert blended or cut
        if cut and not blended:
            hidden = ~from_own
            assert float(hidden.double().mean()) <= 1 - share + 1e-6
            assert not hidden.any() or from_other[hidden].all()


@each
def test_nobody_is_mixed_with_itself_and_everybody_is_a_partner_once(way: str) -> None:
    blend = make_blend(WAYS[way], 48, 3, 4, np.arange(100))
    own = blend.partners == np.arange(100)
    assert (blend.shares[own] == 1).all() and (blend.shares[~own] < 1).all()
    assert len(np.unique(blend.partners[~own])) == (~own).sum()


def test_epochs_have_other_partners() -> None:
    partners = [mixed("mixup", epoch=epoch).partners for epoch in range(2)]
    assert not torch.equal(*partners)


def test_a_blend_is_more_the_image_itself_than_the_other() -> None:
    blend = make_blend(WAYS["mixup"], 48, 0, 0, np.arange(500))
    assert blend.shares.min() >= 0.5


def test_shares_have_the_distribution_of_the_paper() -> None:
    blend = make_blend(Augmentation(mixup=1.0), 48, 0, 0, np.arange(4000))
    assert abs(blend.shares.mean() - 0.75) < 0.01, "the larger of two parts of one, cut anywhere"
    blend = make_blend(Augmentation(cutmix=1.0), 256, 0, 0, np.arange(4000))
    boxes = blend.boxes
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 256**2
    assert np.allclose(blend.shares, 1 - area), "the share is what is left after the edge has cut the box"


def test_some_images_may_be_left_alone() -> None:
    blend = make_blend(WAYS["sometimes"], 48, 0, 0, np.arange(1000))
    assert 0.4 < (blend.shares == 1).mean() < 0.6


def test_without_mixing_images_stay_themselves() -> None:
    images = photos(4)
    one = mix_images(images, CODES[:4], Augmentation(), seed=0, epoch=0, indices=[0, 1, 2, 3], n_classes=5)
    assert one.images is images and (one.shares == 1).all()
    assert torch.equal(one.targets.argmax(1), CODES[:4])


@each
@pytest.mark.parametrize("n", [0, 1])
def test_a_lone_image_stays_itself(way: str, n: int) -> None:
    one = mixed(way, n)
    assert torch.equal(one.images, photos(n)) and one.targets.shape == (n, 5)


@each
def test_what_is_unknown_of_either_image_is_unknown_of_both(way: str) -> None:
    labels = torch.tensor([[1, 0, -1], [0, -1, 1], [1, 1, 0], [-1, -1, -1]]).repeat(5, 1)
    one = Augmenter(WAYS[way], 48).mix(photos(20), labels, 0, PLACES)
    for i in range(20):
        own, other, share = labels[i], labels[one.partners[i]], one.shares[i]
        unknown = (own < 0) | ((other < 0) & (share < 1))
        assert (one.targets[i][unknown] == -1).all()
        known = share * own + (1 - share) * other
        assert torch.allclose(one.targets[i][~unknown], known[~unknown])


@each
def test_an_accelerator_would_mix_the_same(way: str) -> None:
    pictures = photos(20).permute(0, 2, 3, 1)
    blend = make_blend(WAYS[way], 48, 0, 0, PLACES)
    on_device = _on_device(pictures, blend).permute(0, 3, 1, 2)
    assert (on_device.int() - mixed(way).images.int()).abs().max() <= 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_result_has_the_type_and_memory_format_of_the_images(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    images = photos().to(dtype).contiguous(memory_format=memory_format)
    one = Augmenter(WAYS["both"], 48).mix(images, CODES[:8], 0, PLACES[:8], n_classes=5)
    assert one.images.dtype == dtype and one.images.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize(
    ("targets", "n_classes", "reason"),
    [
        (torch.tensor([0, 1]), None, "n_classes is needed"),
        (torch.tensor([0, 3]), 3, "from 0 to 2; these are from 0 to 3"),
        (torch.tensor([0, -1]), 3, "from -1 to 0"),
        (torch.tensor([0.5, 1]), 3, "codes of classes"),
        (torch.zeros(2, 2, 2), 3, "codes of classes"),
    ],
)
def test_targets_that_cannot_be_are_refused(
    targets: "torch.Tensor", n_classes: int | None, reason: str
) -> None:
    with pytest.raises(ParameterError, match=reason):
        soft_targets(targets, n_classes)


def test_images_targets_and_indices_are_as_many() -> None:
    with pytest.raises(ParameterError, match="8 images, 3 targets and 20 indices"):
        Augmenter(WAYS["mixup"], 48).mix(photos(8), CODES[:3], 0, PLACES, n_classes=5)
    with pytest.raises(ParameterError, match="must be square"):
        Augmenter(WAYS["mixup"], 48).mix(photos(8)[:, :, :9], CODES[:8], 0, PLACES[:8], n_classes=5)
