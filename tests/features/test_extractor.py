"""`FeatureExtractor` as scikit-learn's users meet it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from genus.data.dataset import Dataset
from genus.errors import DataError, ImageError, ParameterError
from genus.features.extractor import FeatureExtractor
from genus.features.feature_set import feature_set_for, parse_feature_set
from genus.features.runtime import Runtime
from genus.images.source import as_source


def picture(kind: int, seed: int) -> np.ndarray:
    """Stripes, upright or lying, with noise."""
    y, x = np.mgrid[:48, :48]
    stripes = ((x if kind else y) // 6 % 2 * 200).astype(np.uint8)
    noise = np.random.default_rng(seed).integers(0, 56, (48, 48, 3), dtype=np.uint8)
    return stripes[..., None] + noise


@pytest.fixture(scope="module")
def images() -> tuple[list[np.ndarray], list[str]]:
    return [picture(i % 2, i) for i in range(24)], ["upright" if i % 2 else "lying" for i in range(24)]


@pytest.fixture
def files(images: tuple[list[np.ndarray], list[str]], tmp_path: Path) -> list[str]:
    import cv2

    for i, pixels in enumerate(images[0]):
        cv2.imwrite(str(tmp_path / f"{i:02}.png"), pixels[:, :, ::-1])
    return [str(path) for path in sorted(tmp_path.iterdir())]


def test_it_works_in_a_pipeline_and_under_cross_validation(
    files: list[str], images: tuple[list[np.ndarray], list[str]]
) -> None:
    model = make_pipeline(FeatureExtractor("hog@32"), Normalizer(), LogisticRegression())
    assert model.fit(files, images[1]).score(files, images[1]) == 1
    assert cross_val_score(model, np.array(files), images[1], cv=3).mean() == 1
    assert list(model.predict(images[0][:2])) == images[1][:2]


def test_paths_arrays_bytes_pil_sources_and_datasets_give_the_same(
    files: list[str], images: tuple[list[np.ndarray], list[str]]
) -> None:
    import pandas
    import PIL.Image

    extractor = FeatureExtractor("thumbnail@32")
    wanted = extractor.transform(files)
    assert wanted.shape == (24, 3072) and wanted.dtype == np.float32
    for same in (
        [Path(file) for file in files],
        np.array(files),
        np.array(files, object)[:, None],
        pandas.Series(files),
        pandas.DataFrame({"image": files}),
        images[0],
        np.stack(images[0]),
        [Path(file).read_bytes() for file in files],
        [PIL.Image.fromarray(pixels) for pixels in images[0]],
        [as_source(file) for file in files],
        Dataset(tuple(as_source(file) for file in files)),
        iter(files),
    ):
        np.testing.assert_allclose(extractor.transform(same), wanted, atol=1e-6)


def test_it_is_an_estimator_that_stores_and_learns_nothing(files: list[str]) -> None:
    extractor = FeatureExtractor("lbp@32", precision="float32", runtime=Runtime(workers=1), on_error="nan")
    copy = clone(extractor)
    assert copy.get_params() == extractor.get_params() and set(vars(copy)) == set(copy.get_params())
    assert extractor.fit(files) is extractor and set(vars(extractor)) == set(extractor.get_params())
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(files), extractor.transform(files))
    clone(FeatureExtractor(parse_feature_set("lbp@32"))).fit(files)
    assert "lbp@32" in repr(extractor)


def test_columns_are_named_after_the_branches() -> None:
    names = FeatureExtractor("lbp@32+thumbnail@32").get_feature_names_out()
    assert (len(names), names[0], names[-1]) == (864 + 3072, "lbp@32_0", "thumbnail@32_3071")


def test_a_table_is_given_where_one_is_asked_for(files: list[str]) -> None:
    table = FeatureExtractor("lbp@32").set_output(transform="pandas").fit_transform(files[:2])
    assert table.columns[0] == "lbp@32_0" and table.shape == (2, 864)


def test_the_default_is_the_balanced_preset() -> None:
    assert FeatureExtractor()._feature_set() == feature_set_for("balanced")
    assert FeatureExtractor("fast")._feature_set() == feature_set_for("fast")


def test_an_unreadable_image_is_named_or_gives_nan(files: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not an image")
    mixed = [files[0], str(bad), files[1]]
    with pytest.raises(ImageError, match=r"bad\.jpg: "):
        FeatureExtractor("lbp@32").transform(mixed)
    X = FeatureExtractor("lbp@32", on_error="nan").transform(mixed)
    assert list(np.isnan(X).all(axis=1)) == [False, True, False]
    np.testing.assert_allclose(X[[0, 2]], FeatureExtractor("lbp@32").transform(files[:2]), atol=1e-6)


def test_an_unreadable_array_is_named_by_its_place() -> None:
    with pytest.raises(ImageError, match="image 1: "):
        FeatureExtractor("lbp@32").transform([picture(0, 0), b"not an image"])


@pytest.mark.parametrize("one", ["photo.jpg", Path("photo.jpg"), b"\xff\xd8", 3, None, np.zeros((40, 40))])
def test_one_image_or_none_is_refused(one: object) -> None:
    with pytest.raises(DataError, match="expected a list of images"):
        FeatureExtractor("lbp@32").transform(one)


@pytest.mark.parametrize(
    "parameters",
    [
        {"features": "efficientnet-lite9"},
        {"features": "lbp@1"},
        {"precision": "float8"},
        {"on_error": "ignore"},
        {"runtime": Runtime(workers=-1)},
    ],
)
def test_impossible_parameters_are_refused_in_fit(parameters: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        FeatureExtractor(**parameters).fit([])
