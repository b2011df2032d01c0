"""Resizing by constant matrices, inside a graph."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from genus.features.engines import open_runner
from genus.features.resample import mirror, resample_matrix, shrink
from genus.graph import GraphBuilder
from photographs import photographs

SIZES = st.integers(1, 300).flatmap(lambda n_in: st.tuples(st.just(n_in), st.integers(1, n_in)))


def graph(n_in: int, n_out: int, *, mirrored: bool = False) -> bytes:
    b = GraphBuilder()
    x = shrink(b, b.op("Cast", "images", to=1), n_in, n_out)
    b.output(mirror(b, x, n_out) if mirrored else x, "y", np.float32, ["N", n_out, n_out, 3])
    return bytes(b.model([("images", np.uint8, ["N", n_in, n_in, 3])]).SerializeToString())


def run(images: NDArray[np.uint8], n_out: int, *, mirrored: bool = False) -> NDArray[np.float32]:
    session = ort.InferenceSession(
        graph(images.shape[1], n_out, mirrored=mirrored), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(["y"], {"images": images})[0])


@given(SIZES)
def test_rows_are_weights_that_sum_to_one(sizes: tuple[int, int]) -> None:
    matrix = resample_matrix(*sizes)
    assert matrix.shape == sizes[::-1] and matrix.dtype == np.float32
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)


@given(SIZES)
def test_left_and_right_are_treated_alike(sizes: tuple[int, int]) -> None:
    matrix = resample_matrix(*sizes)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)


@given(SIZES)
def test_every_sample_counts(sizes: tuple[int, int]) -> None:
    assert (resample_matrix(*sizes).sum(axis=0) > 0).all()


@given(st.integers(1, 300))
def test_the_same_size_is_the_identity(n: int) -> None:
    np.testing.assert_array_equal(resample_matrix(n, n), np.eye(n, dtype=np.float32))


@given(SIZES)
def test_what_rises_still_rises(sizes: tuple[int, int]) -> None:
    n_in, n_out = sizes
    ramp = resample_matrix(n_in, n_out).astype(np.float64) @ np.arange(n_in)
    assert (np.diff(ramp) > 0).all() and 0 <= ramp.min() and ramp.max() <= n_in - 1 + 1e-3


@pytest.mark.parametrize(("n_in", "n_out"), [(320, 224), (320, 260), (260, 224), (64, 32), (50, 7)])
def test_it_is_pillows_antialiased_bilinear_filter(n_in: int, n_out: int) -> None:
    images = photographs(n_in)[:2]
    ours = run(images, n_out)
    for picture, expected in zip(images, ours, strict=True):
        for channel in range(3):
            plane = Image.fromarray(picture[:, :, channel].astype(np.float32))
            theirs = np.asarray(plane.resize((n_out, n_out), Image.Resampling.BILINEAR))
            np.testing.assert_allclose(expected[:, :, channel], theirs, atol=0.01)


@pytest.mark.parametrize("value", [0, 1, 127, 255])
@pytest.mark.parametrize(("n_in", "n_out"), [(320, 224), (33, 32), (5, 1)])
def test_constant_pictures_stay_constant(value: int, n_in: int, n_out: int) -> None:
    y = run(np.full((1, n_in, n_in, 3), value, np.uint8), n_out)
    np.testing.assert_allclose(y, value, rtol=1e-5)


def test_values_stay_in_range_and_channels_apart() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 50, 50, 3)).astype(np.uint8)
    images[..., 1] = 0
    y = run(images, 20)
    assert y.min() >= 0 and y.max() <= 255.001
    assert (y[..., 1] == 0).all()


def test_mirroring_is_flipping_left_and_right() -> None:
    images = photographs(64)[:3]
    np.testing.assert_array_equal(run(images, 64, mirrored=True), images[:, :, ::-1])
    np.testing.assert_allclose(run(images, 40, mirrored=True), run(images, 40)[:, :, ::-1])
    np.testing.assert_allclose(run(images[:, :, ::-1].copy(), 40), run(images, 40, mirrored=True), atol=1e-3)


def test_the_engines_agree() -> None:
    pytest.importorskip("openvino", reason="compares with OpenVINO")
    images = photographs(320)[:4]
    model = graph(320, 224)
    one, other = (open_runner(model, engine=engine)(images)["y"] for engine in ("onnxruntime", "openvino"))
    # bfloat16, where OpenVINO prefers it, keeps 8 bits of 0..255
    np.testing.assert_allclose(one, other, atol=1.5)
    assert np.abs(one - other).mean() < 0.3
