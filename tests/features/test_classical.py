"""The classical features against plain numpy written from the papers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genus.errors import ParameterError
from genus.features.backbone import BACKBONES
from genus.features.classical import COLOR_HISTOGRAM, HOG, LBP, THUMBNAIL, Hog, Lbp
from genus.graph import GraphBuilder

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
SIZES = {"color-histogram": 32, "hog": 32, "lbp": 32, "thumbnail": 16}


def build(backbone: Any, size: int) -> tuple[bytes, int]:
    b = GraphBuilder()
    tensors = backbone.build(b, "images", size)
    b.output(tensors.embedding, "features", np.float32, ["N", tensors.n_features])
    model = b.model([("images", np.float32, ["N", size, size, 3])])
    return model.SerializeToString(), tensors.n_features


def in_onnxruntime(model: bytes) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["features"], {"images": images})[0]


def in_openvino(model: bytes) -> Run:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled(images)[0]


ENGINES = {"onnxruntime": in_onnxruntime, "openvino": in_openvino}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Callable[[bytes], Run]:
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    from sklearn.datasets import load_sample_images

    return load_sample_images().images[0]


def pictures(photo: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """A photo, a crop of it, noise, one colour, black, white, a vertical edge, a horizontal edge."""
    import cv2

    half = np.zeros((size, size, 3), np.float32)
    half[:, size // 2 :] = 200
    stack = [
        cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA),
        photo[100 : 100 + size, 200 : 200 + size],
        np.random.default_rng(0).integers(0, 256, (size, size, 3)),
        np.full((size, size, 3), (10, 200, 90)),
        np.zeros((size, size, 3)),
        np.full((size, size, 3), 255),
        half,
        half.transpose(1, 0, 2),
    ]
    return np.stack([np.asarray(picture, np.float32) for picture in stack])


# ---- the references: loops and textbook formulas, one picture at a time ----


def reference_color_histogram(image: NDArray[np.float64]) -> NDArray[np.float64]:
    r, g, b = image.reshape(-1, 3).T
    axes = [(r + g + b, 0, 765, 8), (r - g, -255, 255, 16), (2 * b - r - g, -510, 510, 16)]
    histogram = np.zeros([n for *_, n in axes])
    for corner in np.ndindex(2, 2, 2):
        index, weight = [], np.ones(len(r))
        for upper, (value, low, high, n) in zip(corner, axes, strict=True):
            place = (value - low) / (high - low) * (n - 1)
            below = np.minimum(np.floor(place), n - 2).astype(int)
            index.append(below + upper)
            weight = weight * (place - below if upper else 1 - (place - below))
        np.add.at(histogram, tuple(index), weight)
    return histogram.ravel() / len(r)


def reference_hog(image: NDArray[np.float64]) -> NDArray[np.float64]:
    size, cell = len(image), 8
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    gx = padded[1:-1, 2:] - padded[1:-1, :-2]
    gy = padded[2:, 1:-1] - padded[:-2, 1:-1]
    strongest = (gx**2 + gy**2).argmax(axis=2)[..., None]
    gx, gy = (np.take_along_axis(t, strongest, 2)[..., 0] for t in (gx, gy))
    degrees = np.degrees(np.arctan2(gy, gx)) % 180
    magnitude = np.hypot(gx, gy)
    n = size // cell
    cells = np.zeros((n, n, 9))
    for y, x in np.ndindex(size, size):
        place = degrees[y, x] / 20 - 0.5  # the bins' centres lie at 10, 30 ... 170 degrees
        low = int(np.floor(place))
        for o, share in ((low, 1 - (place - low)), (low + 1, place - low)):
            for cy, cx in np.ndindex(n, n):
                near = max(0, 1 - abs(y - (8 * cy + 3.5)) / 8) * max(0, 1 - abs(x - (8 * cx + 3.5)) / 8)
                cells[cy, cx, o % 9] += near * share * magnitude[y, x]
    blocks = np.zeros((36, n - 1, n - 1))
    for y, x in np.ndindex(n - 1, n - 1):
        v = np.concatenate([cells[y + j, x + i] for j in (0, 1) for i in (0, 1)])
        v = np.minimum(v / np.sqrt((v**2).sum() + 1), 0.2)
        blocks[:, y, x] = v / np.sqrt((v**2).sum() + 1e-4)
    return blocks.ravel()


def reference_lbp(image: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import map_coordinates

    grey = image @ np.array([0.299, 0.587, 0.114])
    size = len(grey)
    y, x = np.mgrid[:size, :size].astype(float)
    found = []
    for n, radius in ((8, 1), (16, 2), (24, 3)):
        angle = 2 * np.pi * np.arange(n) / n
        ring = [
            map_coordinates(grey, [y - radius * np.sin(a), x + radius * np.cos(a)], order=1, mode="nearest")
            for a in angle
        ]
        bits = np.stack(ring) - grey > -1 / 128
        changes = (bits != np.roll(bits, 1, axis=0)).sum(0)
        code = np.where(changes <= 2, bits.sum(0), n + 1)
        regions = code.reshape(4, size // 4, 4, size // 4).transpose(0, 2, 1, 3).reshape(16, -1)
        found.append(np.stack([np.bincount(r, minlength=n + 2) / r.size for r in regions]).T.ravel())
    return np.concatenate(found)


def reference_thumbnail(image: NDArray[np.float64]) -> NDArray[np.float64]:
    values = image.ravel() - image.mean()
    return values / np.sqrt((values**2).sum() + 1)


REFERENCES = {
    "color-histogram": reference_color_histogram,
    "hog": reference_hog,
    "lbp": reference_lbp,
    "thumbnail": reference_thumbnail,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_the_papers_formulas_in_every_engine(
    name: str, photo: NDArray[np.uint8], engine: Callable[[bytes], Run]
) -> None:
    images = pictures(photo, SIZES[name])
    model, n_features = build(BACKBONES.get(name), SIZES[name])
    got = engine(model)(images)
    wanted = np.stack([REFERENCES[name](image.astype(np.float64)) for image in images])
    assert got.shape == wanted.shape == (len(images), n_features)
    # one LBP code of one pixel of an 8 x 8 region may fall the other way in float32
    tolerance = 1 / 64 + 1e-5 if name == "lbp" else 1e-4
    np.testing.assert_allclose(got, wanted, atol=tolerance)
    assert np.abs(got - wanted).mean() < 1e-5


@pytest.mark.parametrize("name", REFERENCES)
def test_a_row_does_not_depend_on_its_batch(
    name: str, photo: NDArray[np.uint8], engine: Callable[[bytes], Run]
) -> None:
    images = pictures(photo, SIZES[name])
    run = engine(build(BACKBONES.get(name), SIZES[name])[0])
    alone = np.concatenate([run(image[None]) for image in images])
    np.testing.assert_allclose(run(images), alone, atol=1e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_everything_is_finite(name: str, engine: Callable[[bytes], Run]) -> None:
    size = SIZES[name]
    images = np.random.default_rng(1).uniform(0, 255, (4, size, size, 3)).astype(np.float32)
    images[1] = 0
    images[2] = 255
    assert np.isfinite(engine(build(BACKBONES.get(name), size)[0])(images)).all()


def test_a_histogram_ignores_where_the_colours_are(photo: NDArray[np.uint8]) -> None:
    images = pictures(photo, 32)
    run = in_onnxruntime(build(COLOR_HISTOGRAM, 32)[0])
    np.testing.assert_allclose(run(images[:, ::-1]), run(images), atol=1e-5)
    np.testing.assert_allclose(run(images).sum(axis=1), 1, atol=1e-4)


def test_hog_finds_the_orientation_of_an_edge(photo: NDArray[np.uint8]) -> None:
    edges = pictures(photo, 64)[-2:]
    vertical, horizontal = in_onnxruntime(build(HOG, 64)[0])(edges).reshape(2, 4, 9, 49).sum(axis=(1, 3))
    assert set(vertical.argsort()[-2:]) == {0, 8}  # a gradient at 0 degrees, between the two
    assert set(horizontal.argsort()[-1:]) == {4}  # at 90 degrees


def test_lbp_ignores_brightness_and_contrast(photo: NDArray[np.uint8]) -> None:
    images = pictures(photo, 32)[:3]
    run = in_onnxruntime(build(LBP, 32)[0])
    assert np.abs(run(images * 0.5 + 40) - run(images)).mean() < 2e-3


def test_lbp_as_a_whole_ignores_quarter_turns(photo: NDArray[np.uint8]) -> None:
    images = pictures(photo, 32)[:2]
    run = in_onnxruntime(build(Lbp(grid=1), 32)[0])
    np.testing.assert_allclose(run(np.rot90(images, axes=(1, 2)).copy()), run(images), atol=5e-3)


def test_a_thumbnail_ignores_brightness_and_contrast(photo: NDArray[np.uint8]) -> None:
    images = pictures(photo, 16)[:3]
    run = in_onnxruntime(build(THUMBNAIL, 16)[0])
    np.testing.assert_allclose(run(images * 0.5 + 40), run(images), atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "size"), [(HOG, 8), (HOG, 60), (LBP, 30), (LBP, 0), (THUMBNAIL, 65), (COLOR_HISTOGRAM, 0)]
)
def test_an_impossible_size_is_refused_with_the_rule(backbone: Any, size: int) -> None:
    with pytest.raises(ParameterError, match=f"@{size}: the size must be at least"):
        backbone.build(GraphBuilder(), "images", size)


def test_other_settings_have_another_identity() -> None:
    assert len({HOG.identity, Hog(cell=16).identity, LBP.identity, Lbp(grid=1).identity}) == 4
