"""EfficientNet-Lite in PyTorch is the network that `genus.features` writes, and goes on from its first blocks."""

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="networks are made in PyTorch")

from genus.cnn.export import export_network  # noqa: E402
from genus.cnn.layers import BatchNorm, DropPath, set_stochastic_depth  # noqa: E402
from genus.cnn.networks import make_network  # noqa: E402
from genus.errors import ParameterError  # noqa: E402
from genus.features.lite import LITE0, LITE1, LITE2  # noqa: E402
from genus.features.quantized import int8_ranges  # noqa: E402
from genus.features.trained import FrozenPrefix, TrainedBackbone  # noqa: E402
from genus.graph import GraphBuilder  # noqa: E402
from photographs import cosines, photographs  # noqa: E402

BACKBONES = [LITE0, LITE1, LITE2]


@pytest.mark.parametrize(("variant", "size"), [(0, 224), (0, 320), (0, 97), (1, 240), (2, 260), (2, 320)])
def test_it_computes_what_the_backbone_does(variant: int, size: int) -> None:
    """Stated: 1e-4, relative to the largest value."""
    b = GraphBuilder()
    tensors = BACKBONES[variant].build(b, "images", size)
    b.output(tensors.embedding, "embedding", np.float32, ["N", 1280])
    b.output(tensors.logits or "", "logits", np.float32, ["N", 1000])
    model = b.model([("images", np.float32, ["N", size, size, 3])]).SerializeToString()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = photographs(size)[:2].astype(np.float32)
    wanted = session.run(["embedding", "logits"], {"images": x})
    network = make_network(f"efficientnet-lite{variant}", 1000, size=size).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(x).permute(0, 3, 1, 2)
        found = network.embedding(pixels), network(pixels)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.abs(ours.numpy() - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("n_blocks", [0, 9, 16])
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_the_rest_goes_on_from_a_prefix_of_the_backbone(n_blocks: int, int8: bool) -> None:
    network = make_network("efficientnet-lite0", 5, size=96).eval()
    _, rest = network.split(n_blocks)
    backbone = LITE0.quantized(int8_ranges("efficientnet-lite0") or {}) if int8 else LITE0
    trained = TrainedBackbone(export_network(rest), 96, FrozenPrefix(backbone, n_blocks))
    b = GraphBuilder()
    b.output(trained.build(b, "images", 96).embedding, "embedding", np.float32, ["N", 1280])
    model = b.model([("images", np.float32, ["N", 96, 96, 3])]).SerializeToString()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = photographs(96)[:4].astype(np.float32)
    (found,) = session.run(["embedding"], {"images": x})
    with torch.no_grad():
        wanted = network.embedding(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    if int8:  # whose rounding differs between processors
        assert cosines(found, wanted).mean() > 0.8
    else:
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_without_packaged_weights_it_begins_by_chance() -> None:
    drawn, packaged = (
        make_network("efficientnet-lite0", 5, weights=w, random_state=0) for w in ("random", None)
    )
    assert drawn.body.stem.norm.running_var.unique().tolist() == [1.0]
    assert packaged.body.stem.norm.running_var.std() > 0
    with pytest.raises(ParameterError, match="its weights come in a package"):
        make_network("efficientnet-lite0", 5, weights="mine.pth")


def test_blocks_with_a_shortcut_can_be_left_out_while_training() -> None:
    network = make_network("efficientnet-lite0", 5, size=64, random_state=0)
    x = torch.from_numpy(photographs(64)[:4]).permute(0, 3, 1, 2)
    for module in network.modules():  # so that nothing else changes between two passes
        if isinstance(module, BatchNorm | torch.nn.Dropout):
            module.eval()
    with torch.no_grad():
        torch.testing.assert_close(network.embedding(x), network.embedding(x))
        set_stochastic_depth(network, 0.5)
        rates = [module.rate for module in network.modules() if isinstance(module, DropPath)]
        assert rates == sorted(rates) and rates[0] > 0 and rates[-1] == 0.5
        assert not torch.equal(network.embedding(x), network.embedding(x))
        network.eval()
        torch.testing.assert_close(network.embedding(x), network.embedding(x))
    with pytest.raises(ParameterError, match="from 0 to below 1"):
        set_stochastic_depth(network, 1.0)


def test_leaving_blocks_out_keeps_the_mean() -> None:
    path = DropPath(0.25).train()
    torch.manual_seed(0)
    kept = path(torch.ones(4000, 1, 1, 1))
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert abs(float(kept.mean()) - 1) < 0.05
