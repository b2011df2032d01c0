"""Where the evidence is: in the square that decides, wherever the square and however the picture lies."""

import cv2
import numpy as np
import pytest
from PIL import Image

from genus import Explainer
from genus.errors import ImageError, ParameterError
from genus.explain.evidence import by_leaving_out, by_linearising, log_odds
from genus.explain.explanation import Explanation
from genus.explain.head_graph import head_function
from genus.images.preprocess import Preprocess, load_image
from genus.images.source import as_source
from genus.model_file import ModelFile
from squares import COLOURS, SIDE, classifier, in_corner, looks_earlier, picture, squares


def test_two_squares_have_evidence_of_their_own(trained: ModelFile) -> None:
    both = picture("red", (0, 0), 5)
    both[-90:-10, -90:-10] = COLOURS["blue"]
    red, blue = Explainer(trained).explain(both, classes=["red", "blue"])
    assert in_corner(red.evidence, (0, 0)) and in_corner(blue.evidence, (1, 1))


def test_places_and_slopes_agree(trained: ModelFile) -> None:
    maps = [
        Explainer(trained, method=m).explain(picture("red", (1, 0), 7))[0].evidence
        for m in ("places", "linear")
    ]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.95


def test_of_a_linear_classifier_both_are_the_class_activation_map() -> None:
    rng = np.random.default_rng(0)
    weights, feature_map = rng.normal(size=(12, 3)), rng.random((12, 4, 5), np.float32)
    embedding = feature_map.mean(axis=(1, 2))
    score = lambda rows: (rows @ weights).astype(np.float32)  # noqa: E731
    codes = np.array([2, 0])
    cam = np.einsum("dk,dhw->khw", weights[:, codes], feature_map) / 20
    assert np.allclose(by_linearising(score, embedding, feature_map, codes), cam, atol=1e-3)
    left_out = by_leaving_out(score, embedding, feature_map, codes)
    assert np.allclose(left_out * 19 / 20, cam - cam.mean(axis=(1, 2), keepdims=True), atol=1e-5)


def test_a_model_that_learned_nothing_points_elsewhere(trained: ModelFile) -> None:
    """The sanity check of Adebayo et al. (2018): maps must hang on what was learned."""
    pictures, names, _ = squares()
    shuffled = np.random.default_rng(1).permutation(names).tolist()
    random = classifier().fit(pictures, shuffled).model_
    explainers, agreement = [Explainer(model, method="views") for model in (trained, random)], []
    for i in (0, 1, 3):
        found = [one.explain(pictures[i], classes=[names[i]])[0].evidence for one in explainers]
        agreement.append(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1])
    assert np.mean(agreement) < 0.6


def test_a_picture_that_lies_on_its_side_is_explained_upright(trained: ModelFile, tmp_path) -> None:
    upright = picture("red", (0, 1), 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    explainer = Explainer(trained, method="views")
    (turned,) = explainer.explain(tmp_path / "turned.png")
    (plain,) = explainer.explain(upright)
    assert np.allclose(turned.evidence, plain.evidence, atol=1e-3) and turned.size == (SIDE, SIDE)


class TestTheWholeFile:
    @pytest.mark.parametrize("calibration", ["none", "temperature", "isotonic"])
    def test_the_classifier_by_itself_says_the_same_but_for_calibration(self, calibration: str) -> None:
        pictures, names, _ = squares(30)
        model = classifier(features="thumbnail@32", calibration=calibration).fit(pictures, names).model_
        head = head_function(model)
        assert head is not None
        pixels = np.stack([load_image(as_source(one), model.preprocess).pixels for one in pictures])
        found = model.open(engine="onnxruntime", outputs=("embedding", "logits"))(pixels)
        scores = head(found["embedding"])
        assert np.array_equal(scores.argmax(axis=1), found["logits"].argmax(axis=1))
        assert np.allclose(scores, found["logits"], atol=1e-4) == (calibration == "none")

    def test_log_odds_are_of_a_class_against_all_others(self) -> None:
        logits = np.log(np.array([[0.7, 0.2, 0.1]], np.float32))
        assert np.allclose(log_odds(logits, several=False), np.log([[7 / 3, 0.25, 1 / 9]]), atol=1e-4)
        far = log_odds(np.array([[90.0, 50, -90]], np.float32), several=False)
        assert np.allclose(far, [[40, -40, -180]])
        assert np.array_equal(log_odds(logits, several=True), logits)

    def test_without_a_feature_map_parts_are_hidden(self) -> None:
        pictures, names, _ = squares(24)
        model = classifier(features="color-histogram@64").fit(pictures, names).model_
        for method, said in (("auto", "combined"), ("occlusion", "occlusion")):
            (found,) = Explainer(model, method=method).explain(picture("blue", (1, 1), 9))
            assert in_corner(found.evidence, (1, 1)) and found.method == said and found.extent is None
        with pytest.raises(ParameterError, match="no feature map"):
            Explainer(model, method="places")

    def test_of_a_classifier_that_goes_by_earlier_layers_the_last_one_tells_nothing(self) -> None:
        """Training may leave the features of the last layer out; a map of it would be empty."""
        model = looks_earlier()
        explainer = Explainer(model)
        (found,) = explainer.explain(picture("blue", (1, 1), 9))
        assert in_corner(found.evidence, (1, 1)) and found.extent is None and explainer.n_runs_ == 86
        with pytest.raises(ParameterError, match="or does not go by it"):
            Explainer(model, method="views")

    def test_several_labels_an_image(self) -> None:
        pictures, names, _ = squares(36)
        sets = [[name] if i % 4 else [name, "any"] for i, name in enumerate(names)]
        model = classifier(heads=None, preset="fast").fit(pictures, sets).model_
        explainer = Explainer(model, method="views")
        (found,) = explainer.explain(picture("blue", (0, 1), 4), classes=["blue"])
        assert in_corner(found.evidence, (0, 1))


class TestBadInput:
    def test_strange_pictures(self, trained: ModelFile, tmp_path) -> None:
        for method, strange in (
            ("combined", np.zeros((1, 1), np.uint8)),
            ("views", np.zeros((3, 900, 3), np.uint8)),
            ("views", np.full((300, 2, 3), 255, np.uint8)),
        ):
            explainer = Explainer(trained, method=method)
            (found,) = explainer.explain(strange)
            assert np.isfinite(found.evidence).all() and found.size == strange.shape[:2]
            assert found.overlay(np.zeros((20, 30, 3), np.uint8), with_boxes=True).shape == (20, 30, 3)
        (tmp_path / "empty.jpg").write_bytes(b"")
        with pytest.raises(ImageError, match="empty"):
            explainer.explain(tmp_path / "empty.jpg")

    def test_wishes_that_cannot_be(self, trained: ModelFile) -> None:
        with pytest.raises(ParameterError, match="no class 'purple'; it knows blue, none, red"):
            Explainer(trained).explain(picture("red", (0, 0), 0), classes=["purple"])
        with pytest.raises(ParameterError, match="top must be"):
            Explainer(trained).explain(picture("red", (0, 0), 0), top=0)
        with pytest.raises(ParameterError, match="method must be one of"):
            Explainer(trained, method="gradcam")


class TestPictures:
    def test_several_boxes_have_numbers(self) -> None:
        two, one = np.zeros((2, 8, 8), np.float32)
        two[1:3, 1:3], two[5:7, 5:7] = 2, 1
        one[1:3, 1:3] = 2
        grey = np.full((320, 320, 3), 128, np.uint8)
        drawn, alone = (
            Explanation("x", "a", 0.5, evidence, "linear", (80, 80), (0, 0, 80, 80))
            for evidence in (two, one)
        )
        assert (len(drawn.boxes()), len(alone.boxes())) == (2, 1)
        black = [(each.overlay(grey, with_boxes=True) == 0).all(2) for each in (drawn, alone)]
        corners = [black[0][40:120, 40:120], black[0][200:280, 200:280]]
        assert all(corner[:40, :40].any() for corner in corners), "beside the upper left corner of each"
        assert not black[1].any(), "one box needs no number"


class TestWhereThatIsInTheImage:
    @pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
    @pytest.mark.parametrize("size", [(200, 300), (300, 200), (64, 64)])
    def test_a_place_of_the_map_is_the_place_of_the_picture(self, fit, size) -> None:
        """A white spot, preprocessed as the model would see it, and mapped back."""
        image = np.zeros((*size, 3), np.uint8)
        spot = round(size[0] * 0.55), round(size[1] * 0.45)
        cv2.circle(image, spot[::-1], 6, (255, 255, 255), -1)
        preprocess = Preprocess(64, 64, fit)
        seen = preprocess.apply(image)[:, :, 0].astype(np.float32)
        found = Explanation("x", "spot", 1.0, seen, "places", size, preprocess.region(*size))
        back = found.on(*size)
        row, column = np.unravel_index(int(cv2.GaussianBlur(back, (0, 0), 4).argmax()), back.shape)
        assert abs(row - spot[0]) <= 4 and abs(column - spot[1]) <= 4
        box = found.boxes()[0]
        assert box.left - 6 <= spot[1] <= box.right + 6 and box.top - 6 <= spot[0] <= box.bottom + 6

    def test_outside_of_what_was_seen_is_no_evidence(self) -> None:
        region = Preprocess(100, 100, "crop", 1.0).region(100, 300)
        found = Explanation("x", "a", 1.0, np.ones((5, 5), np.float32), "places", (100, 300), region)
        back = found.on(100, 300)
        assert back[:, :99].max() == 0 and back[:, 201:].max() == 0 and back[:, 101:199].min() > 0.99
