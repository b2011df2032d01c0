"""`genus cnn show`: two pictures a layer, and a page with all of them."""

import json
from pathlib import Path

import cv2
import pytest

from genus import ImageClassifier
from genus.cli.cnn_show import cnn_show as show
from genus.errors import ImageError, OutputError
from photographs import photographs


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cnn") / "small.onnx"
    model = ImageClassifier(features="efficientnet-lite0@32", heads=["prototype"], random_state=0)
    model.fit(list(photographs(32)), ["china"] * 5 + ["flower"] * 5 + ["china"] * 5 + ["flower"] * 5)
    model.save(path)
    return path


def test_it_writes_pictures_and_a_page(here: Path, network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("photo.png", photographs(64)[6][:, :, ::-1])
    show(str(network), "photo.png", "out", json=True, quiet=True)
    said = json.loads(capsys.readouterr().out)
    assert len(said["layers"]) == 49 and said["layers"][0]["kind"] == "convolution 3 × 3, step 2"
    for row in said["layers"]:
        assert cv2.imread(row["maps"]) is not None and cv2.imread(row["filters"]) is not None
    page = Path("out/layers.html").read_text("utf-8")
    assert page.count('class="layer"') == 49 and "http" not in page.replace("http-equiv", "")


def test_nothing_is_left_behind_when_it_cannot_be(here: Path, network: Path) -> None:
    Path("bad.png").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        show(str(network), "bad.png", "out", quiet=True)
    assert not Path("out").exists()
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        show(str(network), "bad.png", "full", quiet=True)
