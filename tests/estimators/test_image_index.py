"""`ImageIndex`: images like this one, by an image, a part, several or a class; kept, changed, killed, and who it is."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genus import ImageIndex, read_dataset
from genus.errors import DataError, ImageError, ModelFileError, OutputError, ParameterError
from genus.estimators.index_file import MANIFEST
from genus.features.feature_set import find_backbone
from genus.graph import GraphBuilder
from genus.images.source import as_source
from genus.search import vector_index
from genus.search.graph import is_installed

from .conftest import digit_pictures, write_folders

CHEAP = {"features": "thumbnail@32"}


def build(source: object, y: object = None, **changes: object) -> ImageIndex:
    return ImageIndex.build(source, y, **{**CHEAP, **changes})


@pytest.fixture(scope="module")
def index(digit_folder: Path) -> ImageIndex:
    """240 digits with labels. Nobody changes it."""
    return build(digit_folder)


@pytest.fixture
def few(digits: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> Path:
    """Twelve digits in class folders, to change."""
    pictures, labels = digit_pictures(4)
    return write_folders(tmp_path / "few", pictures[:12], labels[:12])


def a_file(folder: Path, label: str = "3") -> Path:
    return sorted((folder / label).iterdir())[0]


class TestSearch:
    def test_the_image_itself_comes_first_and_then_its_like(
        self, index: ImageIndex, digit_folder: Path
    ) -> None:
        found = index.search(a_file(digit_folder), k=5)
        assert found[0].image == str(a_file(digit_folder)) and found[0].same_file
        assert [hit.label for hit in found] == ["3"] * 5 and not found[1].same_file
        scores = [hit.score for hit in found]
        assert scores == sorted(scores, reverse=True) and all(0 < score < 1 for score in scores)
        assert found.score_means == "probability of the same class" and (found.method, found.recall) == (
            "exact",
            1,
        )

    @pytest.mark.parametrize("kind", ["path", "bytes", "array", "PIL"])
    def test_whatever_an_image_comes_in(self, kind: str, index: ImageIndex, digit_folder: Path) -> None:
        from PIL import Image

        path = a_file(digit_folder)
        make = {
            "path": str,
            "bytes": Path.read_bytes,
            "array": lambda file: cv2.imread(str(file)),
            "PIL": lambda file: Image.fromarray(cv2.imread(str(file))),
        }[kind]
        query = make(path)
        assert index.search(query, k=1)[0].image == str(path)

    def test_examples_for_and_against(self, index: ImageIndex, digit_folder: Path) -> None:
        one, other = a_file(digit_folder, "1"), a_file(digit_folder, "7")
        mixed = {hit.label for hit in index.search([one, other], k=30)}
        against = index.search([one, other], k=10, unlike=other)
        assert {"1", "7"} <= mixed and {hit.label for hit in against} == {"1"}
        assert against.score_means.startswith("similarity, less")

    def test_a_class_and_conditions(self, index: ImageIndex) -> None:
        assert {hit.label for hit in index.search(of_class="5", k=10)} == {"5"}
        others = index.search(of_class="5", k=300, where=["label!=5", "width>=64"])
        assert "5" not in {hit.label for hit in others} and others.n_allowed == 216
        assert len(index.search(of_class="5", where="width<10")) == 0

    def test_a_part_of_an_image(self, index: ImageIndex, digit_folder: Path) -> None:
        three, seven = (cv2.imread(str(a_file(digit_folder, label))) for label in "37")
        both = np.hstack([three, seven])
        for box, label in (((0, 0, 64, 64), "3"), ((64, 0, 128, 64), "7"), ((0.5, 0, 1, 1), "7")):
            assert index.search(both, k=1, box=box)[0].image == str(a_file(digit_folder, label))
        with pytest.raises(ParameterError, match="does not lie in its 128 x 64 pixels"):
            index.search(both, box=(100, 0, 200, 64))

    def test_copies_are_one_hit(self, digit_folder: Path, tmp_path: Path) -> None:
        images = [cv2.imread(str(path)) for path in sorted((digit_folder / "3").iterdir())]
        index = build([*images, images[0], images[0]])
        hit = index.search(images[0], k=1)[0]
        assert (hit.image, set(hit.copies)) >= ("image 0", {"image 24", "image 25"}) or hit.copies
        apart = index.search(images[0], k=3, fold_copies=False)
        assert {hit.image for hit in apart} == {"image 0", "image 24", "image 25"}

    def test_more_than_there_are(self, few: Path) -> None:
        index = build(few)
        assert len(index.search(a_file(few, "1"), k=500, fold_copies=False)) == len(index) == 12

    @pytest.mark.parametrize(
        ("wish", "error", "words"),
        [
            ({}, ParameterError, "nothing to look for"),
            ({"query": "3", "k": 0}, ParameterError, "k must be"),
            ({"of_class": "x"}, DataError, "no image has the label 'x'; there are: 0, 1"),
            ({"of_class": "1", "where": "colour=red"}, ParameterError, "no column 'colour'"),
            ({"of_class": "1", "diversity": 2}, ParameterError, "diversity"),
            ({"query": "no.png"}, ImageError, "no such file"),
        ],
    )
    def test_wishes_that_cannot_be(self, wish: dict, error: type, words: str, index: ImageIndex) -> None:
        with pytest.raises(error, match=words):
            index.search(**wish)

    def test_without_labels_scores_are_cosines(self, digit_folder: Path) -> None:
        data = read_dataset(digit_folder, reader="flat")
        index = build(data)
        found = index.search(a_file(digit_folder), k=2)
        assert found.score_means == "cosine" and found[0].score == pytest.approx(1, abs=1e-4)
        with pytest.raises(DataError, match="no image has the label '3'; there are: none"):
            index.search(of_class="3")
        with pytest.raises(DataError, match="nobody is enrolled"):
            index.identify(a_file(digit_folder))

    def test_columns_of_ones_own(self, digits: tuple[np.ndarray, np.ndarray]) -> None:
        pictures, labels = digits
        more = {"year": [2000 + i % 3 for i in range(20)], "who": ["Ann", None] * 10}
        index = build(pictures[:20], labels[:20], metadata=more)
        found = index.search(pictures[0], k=20, where=["year>=2001", "who=Ann"], fold_copies=False)
        assert {hit.image for hit in found} == {f"image {i}" for i in range(0, 20, 2) if i % 3}
        with pytest.raises(DataError, match="20 images, but 1 values of 'x'"):
            build(pictures[:20], metadata={"x": [1]})


class TestKept:
    def test_an_opened_index_answers_the_same(
        self, index: ImageIndex, digit_folder: Path, tmp_path: Path
    ) -> None:
        wishes = [{"query": a_file(digit_folder)}, {"of_class": "4", "where": "label!=4", "diversity": 0.4}]
        before = [index.search(**wish).hits for wish in wishes]
        copy = build(digit_folder)
        copy.save(tmp_path / "x")
        for one in (copy, ImageIndex.open(tmp_path / "x")):
            after = [one.search(**wish).hits for wish in wishes]
            assert [[h.to_dict() for h in hits] for hits in after] == [
                [h.to_dict() for h in hits] for hits in before
            ]
            assert isinstance(one._state.vectors._parts[0].values, np.memmap)

    @given(
        steps=st.lists(st.sampled_from(["add", "remove", "save", "open"]), max_size=6),
        seed=st.integers(0, 99),
    )
    @settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_whatever_is_done_it_holds_what_it_should(
        self, steps: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory, digits: tuple
    ) -> None:
        pictures, rng = digits[0], np.random.default_rng(seed)
        path = tmp_path_factory.mktemp("index") / "x"
        index = build(list(pictures[:5]))
        there = {f"image {i}" for i in range(5)}
        for number, step in enumerate(steps):
            if step == "add":
                name = f"more {number}"
                index.add([as_source(pictures[10 + number], name)])
                there.add(name)
            elif step == "remove" and there:
                gone = sorted(there)[int(rng.integers(len(there)))]
                assert index.remove(gone) == 1
                there.discard(gone)
            elif step == "save":
                index.save(path, force=True)
            elif step == "open":
                index.save(path, force=True)
                index = ImageIndex.open(path)
            assert set(index.names) == there and len(index) == len(there)
        if there:
            found = index.search(pictures[3], k=50, fold_copies=False)
            assert {hit.image for hit in found} == there

    @pytest.mark.skipif(not is_installed(), reason="needs usearch: pip install genus[search]")
    def test_a_graph_is_kept_and_follows(
        self, digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vector_index, "EXACT_NUMBERS", 1000)
        index = build(digit_folder)
        assert index.info()["method"] == "graph" and index.info()["recall"]["value"] >= 0.98
        one = a_file(digit_folder)
        index.save(tmp_path / "x")
        index = ImageIndex.open(tmp_path / "x")
        assert index.search(one, k=1)[0].same_file
        index.remove(one)
        index.save(tmp_path / "x")
        assert not ImageIndex.open(tmp_path / "x").search(one, k=1)[0].same_file

    def test_kill_9_while_it_is_written_leaves_the_old_one(self, few: Path, tmp_path: Path) -> None:
        path = tmp_path / "x"
        code = """
import os, signal, sys
from genus import ImageIndex
index = ImageIndex.build(sys.argv[1], features="thumbnail@32")
if sys.argv[3] == "second":
    index.save(sys.argv[2])
    index.remove(index.names[0])
import genus.estimators.index_file as file
n, real = 0, file.save_array
def deadly(*arguments):
    global n
    n += 1
    if n == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
file.save_array = deadly
index.save(sys.argv[2], force=True)
"""
        for turn, n_left in (("first", None), ("second", 12)):
            done = subprocess.run([sys.executable, "-c", code, few, path, turn], env=os.environ, check=False)
            assert done.returncode == -signal.SIGKILL
            if n_left is None:
                with pytest.raises(DataError, match="half of an index: it was killed"):
                    ImageIndex.open(path)
            else:
                assert len(ImageIndex.open(path)) == n_left
        index = ImageIndex.open(path)
        for left in path.glob("rows-*"):
            os.utime(left, (0, 0))  # as if that was long ago: until then it could be another writer's
        index.save(path)
        assert len(list(path.iterdir())) == 2, "what was left half-written is cleared away"

    def test_what_is_no_index_is_said(self, few: Path, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no such index"):
            ImageIndex.open(tmp_path / "none")
        with pytest.raises(DataError, match="no index: there is no index.json"):
            ImageIndex.open(few)
        with pytest.raises(OutputError, match="the folder holds other things"):
            build(few).save(few)
        build(few).save(tmp_path / "x")
        with pytest.raises(OutputError, match="exists already"):
            build(few).save(tmp_path / "x")
        array = next((tmp_path / "x").glob("rows-*/vectors.npy"))
        array.write_bytes(array.read_bytes()[:-10])
        with pytest.raises(DataError, match="the index is damaged .*vectors.npy has"):
            ImageIndex.open(tmp_path / "x")
        (tmp_path / "x" / MANIFEST).write_text("{")
        with pytest.raises(DataError, match="a damaged one"):
            ImageIndex.open(tmp_path / "x")

    def test_another_backbone_or_size_is_refused(self, few: Path, tmp_path: Path) -> None:
        build(few).save(tmp_path / "x")
        with pytest.raises(DataError, match=r"another backbone .*thumbnail@32; thumbnail@40 was asked for"):
            ImageIndex.open(tmp_path / "x", features="thumbnail@40")
        about = json.loads((tmp_path / "x" / MANIFEST).read_text())
        (tmp_path / "x" / MANIFEST).write_text(json.dumps({**about, "identity": "1 abc"}))
        with pytest.raises(DataError, match="it has changed since then"):
            ImageIndex.open(tmp_path / "x")
        (tmp_path / "x" / MANIFEST).write_text(json.dumps({**about, "format": 99}))
        with pytest.raises(DataError, match="written by a newer Genus"):
            ImageIndex.open(tmp_path / "x")

    def test_files_that_change_or_go_are_noticed(self, few: Path) -> None:
        index = build(few)
        one, other = sorted((few / "0").iterdir())[:2]
        query = one.read_bytes()
        os.utime(one)  # touched, not changed
        assert index.check().changed == ()
        one.write_bytes(a_file(few, "1").read_bytes())
        other.unlink()
        found = index.check()
        assert (found.changed, found.vanished, found.n_files) == ((str(one),), (str(other),), 12)
        hits = index.search(query, k=12, fold_copies=False)
        assert {hit.image: hit.file for hit in hits}[str(one)] == "changed"
        assert len(hits.notes) == 2 and "Build the index again" in hits.notes[0]

    def test_an_index_without_images(self, few: Path, tmp_path: Path) -> None:
        index = ImageIndex.empty(**CHEAP)
        with pytest.raises(DataError, match="the index is empty"):
            index.search(a_file(few, "1"))
        index.save(tmp_path / "x")
        index = ImageIndex.open(tmp_path / "x")
        assert len(index) == 0 and index.add(few) is index and len(index) == 12
        assert index.search(a_file(few, "1"), k=1)[0].same_file
        with pytest.raises(DataError, match="not in the index"):
            index.remove("nothing.png")

    def test_features_of_very_many_images_wait_in_a_file(
        self, few: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_memory = build(few).vectors
        monkeypatch.setattr("genus.room._IN_MEMORY", 0)
        assert np.array_equal(build(few).vectors, in_memory)

    def test_vectors_for_other_databases(self, index: ImageIndex, tmp_path: Path) -> None:
        index.export(tmp_path / "x.parquet")
        table = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pydict()
        assert table["image"] == list(index.names) and table["label"] == list(index.labels)
        np.testing.assert_array_equal(np.array(table["vector"], np.float32), index.vectors)
        with pytest.raises(OutputError, match="exists already"):
            index.export(tmp_path / "x.parquet")


@pytest.fixture(scope="module")
def people(digits: tuple[np.ndarray, np.ndarray]) -> ImageIndex:
    """Seven digits as if they were people, ten images each."""
    pictures, labels = digits
    index = ImageIndex.empty(**CHEAP)
    for digit in range(7):
        index.enrol(f"person {digit}", list(pictures[labels == digit][:10]))
    return index


class TestIdentify:
    def test_known_ones_get_their_name_and_strangers_none(
        self, people: ImageIndex, digits: tuple[np.ndarray, np.ndarray]
    ) -> None:
        pictures, labels = digits
        answers = [people.identify(p, false_accept_rate=0.2) for p in pictures[labels == 0][10:20]]
        assert all(answer.nearest == "person 0" for answer in answers)
        assert sum(answer.name == "person 0" for answer in answers) >= 8
        assert answers[0].n_strangers == 70 and 0.5 < answers[0].accepted <= 1
        assert (answers[0].n_names, answers[0].names_needed, answers[0].is_assured) == (7, 5, True)
        strangers = [people.identify(p, false_accept_rate=0.2).name for p in pictures[labels >= 7][::6]]
        assert sum(name is not None for name in strangers) <= 0.4 * len(strangers)

    def test_a_rate_that_so_few_images_cannot_show(self, people: ImageIndex, digits: tuple) -> None:
        with pytest.raises(DataError, match="it takes 1166"):
            people.identify(digits[0][0], false_accept_rate=0.001)

    def test_a_tuned_metric_judges_by_those_it_had_not_learned_from(
        self, index: ImageIndex, digits: tuple
    ) -> None:
        answer = index.identify(digits[0][0], false_accept_rate=0.05)
        assert answer.name == "0" and answer.n_strangers == 240

    def test_an_image_that_cannot_be_read_enrols_nobody(self, people: ImageIndex, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"no picture")
        with pytest.raises(ImageError, match=r"bad\.png"):
            people.enrol("x", [tmp_path / "bad.png"])
        with pytest.raises(ParameterError, match="a name and at least one image"):
            people.enrol("", [])
        assert len(people) == 70


def test_a_network_of_ones_own_is_found_wherever_it_lies(few: Path, tmp_path: Path, monkeypatch) -> None:
    """A backbone in a file: known by its contents, not by its path."""
    b = GraphBuilder()
    pooled = b.op("GlobalAveragePool", b.op("Relu", "pixels"))
    b.output(b.op("Flatten", pooled, axis=1), "embedding", np.float32, ["N", 3])
    network = tmp_path / "faces.onnx"
    network.write_bytes(bytes(b.model([("pixels", np.float32, ["N", 3, 64, 64])]).SerializeToString()))
    monkeypatch.chdir(tmp_path)
    ImageIndex.build(few, features="faces.onnx").save("x")
    monkeypatch.chdir(few)
    assert ImageIndex.open(tmp_path / "x").search(a_file(few, "1"), k=1)[0].same_file
    moved = network.rename(tmp_path / "moved.onnx")
    with pytest.raises(ModelFileError, match="cannot read the backbone"):
        ImageIndex.open(tmp_path / "x")
    index = ImageIndex.open(tmp_path / "x", features=str(moved))
    assert index.search(a_file(few, "1"), k=1)[0].same_file
    Path(f"{moved}.json").write_text('{"mean": [0, 0, 0]}')
    find_backbone.cache_clear()
    with pytest.raises(DataError, match="another backbone or pre-processing"):
        ImageIndex.open(tmp_path / "x", features=str(moved))
