"""Every way of finding evidence: it is in the square that decides, and it hangs on what the model has learned."""

from importlib.util import find_spec

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from genus import Explainer
from genus.errors import MissingExtraError, ParameterError
from genus.explain.explainer import METHODS
from genus.explain.faithfulness import faithfulness
from genus.explain.views import resized
from genus.model_file import ModelFile
from genus.predictor import built_in
from photographs import photographs
from squares import NAMES, SQUARE, in_corner, looks_earlier, looks_past_the_first, picture, place_of

TORCH = find_spec("torch") is not None
NEEDS_TORCH = ("grad-cam", "layer-cam")
ALL = [
    pytest.param(method, marks=pytest.mark.skipif(method in NEEDS_TORCH and not TORCH, reason="no PyTorch"))
    for method in METHODS
    if method != "auto"
]


CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
SLOWEST = ("combined", "occlusion")


def corners(explainer: Explainer) -> tuple[tuple[int, int], ...]:
    """All four, or two where an image takes longest."""
    return CORNERS[::3] if explainer.method_ == "combined" else CORNERS


@pytest.mark.parametrize("method", ALL)
def test_the_evidence_is_in_the_square_that_decides(trained: ModelFile, method: str) -> None:
    explainer = Explainer(trained, method=method)
    hits, overlaps = [], []
    for i, corner in enumerate(corners(explainer)):
        name = NAMES[i % 2]
        (found,) = explainer.explain(picture(name, corner, 100 + i))
        assert found.label == name and found.method == method and found.ranking[0][0] == name
        hits.append(in_corner(found.evidence, corner))
        top, left = place_of(corner)
        box = found.boxes()[0]
        wide = max(0.0, min(box.right, left + SQUARE) - max(box.left, left))
        high = max(0.0, min(box.bottom, top + SQUARE) - max(box.top, top))
        union = (box.right - box.left) * (box.bottom - box.top) + SQUARE**2 - wide * high
        overlaps.append(wide * high / union)
    # a blurred square colours what is around it: hiding alone errs now and then
    assert sum(hits) >= len(hits) - (method == "occlusion")
    assert np.mean(overlaps) > 0.4


def randomised(model: ModelFile, seed: int = 0) -> ModelFile:
    """The same network with the numbers of every layer in another order."""
    rng = np.random.default_rng(seed)
    whole = onnx.load_model_from_string(model.data)
    for value in whole.graph.initializer:
        numbers = numpy_helper.to_array(value)
        if numbers.ndim >= 2 and numbers.size > 100:
            shuffled = rng.permutation(numbers.ravel()).reshape(numbers.shape)
            value.CopyFrom(numpy_helper.from_array(shuffled, value.name))
    return ModelFile(
        whole.SerializeToString(), model.classes, model.preprocess, model.features, model.details
    )


@pytest.mark.parametrize("method", ALL)
def test_maps_of_a_network_with_random_weights_are_others(trained: ModelFile, method: str) -> None:
    """The sanity check of Adebayo et al. (2018), "Sanity checks for saliency maps", NeurIPS."""
    learned, random = (Explainer(model, method=method) for model in (trained, randomised(trained)))
    agreement = []
    for i, corner in enumerate(CORNERS[: 1 if method in SLOWEST else 2]):
        pixels = picture(NAMES[i % 2], corner, i)
        (found,) = learned.explain(pixels)
        (other,) = random.explain(pixels, classes=[found.label])
        maps = [resized(one.evidence, 26, 26).ravel().argsort().argsort() for one in (found, other)]
        agreement.append(np.corrcoef(*maps)[0, 1])
    assert abs(np.mean(agreement)) < 0.5


@pytest.mark.parametrize("method", ["combined", "views"])
def test_what_it_points_at_is_what_the_model_goes_by(method: str) -> None:
    """Deletion and insertion on real photographs, against maps of chance and of edges."""
    model = built_in().model
    explainer, run = Explainer(model, method=method, n_images=1), model.open(engine="onnxruntime")
    rng, own, chance, edges = np.random.default_rng(0), [], [], []
    for pixels in photographs(260)[[0, 5]]:
        (found,) = explainer.explain(pixels)
        code = model.classes.index(found.label)
        by_chance = rng.random((9, 9), np.float32)
        for maps, evidence in ((own, found.evidence), (chance, by_chance), (edges, edges_of(pixels))):
            one = faithfulness(lambda x: run(x)["probabilities"], pixels, evidence, code, steps=6)
            maps.append((one.deletion, one.insertion))
    deletion, insertion = np.mean(own, axis=0)
    for other in (chance, edges):
        deletes_less, inserts_less = np.mean(other, axis=0)
        assert deletion < deletes_less and insertion > inserts_less


def edges_of(pixels: np.ndarray) -> np.ndarray:
    """How much the picture changes from place to place, whatever a model says of it."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return cv2.GaussianBlur(size, (0, 0), 8)


def test_the_same_image_has_the_same_evidence(trained: ModelFile) -> None:
    """Of all ways together: their masks and views are drawn by chance."""
    one, other = (Explainer(trained).explain(picture("red", (0, 1), 3)) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.evidence, b.evidence) and a.boxes() == b.boxes()


def test_the_cost_is_what_it_says(trained: ModelFile) -> None:
    for method in ("places", "linear", "views", "combined"):
        explainer, counted = Explainer(trained, method=method), []
        run = explainer._run
        explainer._run = lambda pictures, run=run, counted=counted: (
            counted.append(len(pictures)),
            run(pictures),
        )[1]
        explainer.explain(picture("red", (0, 1), 3), top=2)
        assert sum(counted) == explainer.n_runs_


@pytest.mark.skipif(not TORCH, reason="no PyTorch")
def test_gradients_at_layers_of_ones_choice(trained: ModelFile) -> None:
    (found,) = Explainer(trained, method="layer-cam", layers=[30]).explain(picture("red", (0, 1), 3))
    assert found.evidence.shape == (14, 14)
    with pytest.raises(ParameterError, match="no layer 500; the model has 49"):
        Explainer(trained, method="grad-cam", layers=[500])
    with pytest.raises(ParameterError, match="layers are for grad-cam"):
        Explainer(trained, layers=[1])


def is_top_right(evidence: np.ndarray) -> bool:
    """Whether more evidence is there than in the opposite corner, in a map of 3 by 3 places."""
    return bool(evidence[:2, 1:].mean() > 1.5 * evidence[1:, :2].mean())


@pytest.mark.skipif(not TORCH, reason="no PyTorch")
@pytest.mark.parametrize("method", NEEDS_TORCH)
def test_gradients_are_taken_where_the_classifier_looks(method: str) -> None:
    (found,) = Explainer(looks_earlier(), method=method).explain(picture("red", (0, 1), 3))
    assert is_top_right(found.evidence)


@pytest.mark.skipif(not TORCH, reason="no PyTorch")
@pytest.mark.parametrize("method", NEEDS_TORCH)
def test_gradients_are_those_of_the_network_that_the_classifier_goes_by(method: str) -> None:
    model = looks_past_the_first("efficientnet-lite0@64+efficientnet-lite2@96")
    (found,) = Explainer(model, method=method).explain(picture("red", (0, 1), 3))
    assert is_top_right(found.evidence)


@pytest.mark.skipif(not TORCH, reason="no PyTorch")
def test_a_classifier_that_goes_by_no_convolution_has_no_gradients() -> None:
    model = looks_past_the_first("efficientnet-lite0@64+thumbnail@32")
    with pytest.raises(ParameterError, match="goes by none of its convolutions. Take auto"):
        Explainer(model, method="grad-cam")


def test_without_pytorch_it_says_what_to_install(trained: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genus.explain.gradients.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="genus\\[cnn\\]"):
        Explainer(trained, method="layer-cam")
