"""`ImageIndex` where it gets difficult: two processes, other people's files, odd columns, too little room."""

import errno
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from genus import ImageIndex, read_dataset
from genus.errors import DataError, OutputError, ParameterError
from genus.estimators import index_building, index_cache, index_file, index_query
from genus.estimators.index_building import IndexOptions
from genus.estimators.index_cache import cached_index
from genus.estimators.index_file import MANIFEST, is_index
from genus.features.feature_set import chosen_features
from genus.features.runtime import Runtime
from genus.features.stream import compact
from genus.images.decode import Limits
from genus.room import room
from genus.search import judging, vector_index
from genus.search.graph import is_installed
from genus.search.vector_index import VectorIndex

from .conftest import digit_pictures, write_folders
from .test_image_index import CHEAP, a_file, build


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Twelve digits in class folders, to change."""
    pictures, labels = digit_pictures(4)
    return write_folders(tmp_path / "few", pictures[:12], labels[:12])


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path / "a" / "cache"))
    return tmp_path / "a" / "cache"


def options(**changes: object) -> IndexOptions:
    return IndexOptions(chosen_features("balanced", CHEAP["features"]), **changes)


class TestIdentify:
    def test_one_name_is_too_few(self, digits: tuple) -> None:
        index = ImageIndex.empty(**CHEAP).enrol("Ann", list(digits[0][:5]))
        with pytest.raises(DataError, match="identify needs at least two names"):
            index.identify(digits[0][100], false_accept_rate=0.5)

    def test_strangers_are_measured_on_all_though_the_metric_is_judged_on_some(
        self, digit_folder: Path, digits: tuple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(judging, "_MOST_JUDGED", 150)
        monkeypatch.setattr(judging, "_is_better", lambda found, plain: True)
        index = build(digit_folder)
        assert index._state.metric.is_tuned
        assert index.identify(digits[0][0], false_accept_rate=0.1).n_strangers == 240

    def test_a_metric_tuned_to_few_names_is_refused(self, digits: tuple) -> None:
        pictures, labels = digits
        index = build(pictures[labels < 4], labels[labels < 4], tune=False)
        index._state = replace(
            index._state, metric=replace(index._state.metric, name="tuned (shrinkage 1, floor 0.2)")
        )
        with pytest.raises(DataError, match=r"--no-tune \(tune=False\)"):
            index.identify(pictures[0], false_accept_rate=0.1)

    def test_who_is_enrolled_later_lowers_the_share_that_was_seen(
        self, digits: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pictures, labels = digits
        monkeypatch.setattr(judging, "_is_better", lambda found, plain: True)
        index = build(pictures[labels < 8], labels[labels < 8])
        assert index._state.metric.is_tuned
        before = index.identify(pictures[0], false_accept_rate=0.2)
        index.enrol("eight", list(pictures[labels == 8][:12]))
        after = index.identify(pictures[0], false_accept_rate=0.2)
        assert (before.n_strangers, after.n_strangers) == (192, 204)
        assert index._known is not None and index._known.share == pytest.approx(7 / 9)
        index.save(tmp_path / "x")
        again = ImageIndex.open(tmp_path / "x")
        assert (len(again), again._state.n_built) == (204, 192)
        assert again.identify(pictures[0], false_accept_rate=0.2) == after

    def test_enrolled_arrays_have_names(self, digits: tuple) -> None:
        index = ImageIndex.empty(**CHEAP).enrol("Ann", list(digits[0][:2])).enrol("Bob", [digits[0][9]])
        index.enrol("Ann", [digits[0][4]])
        assert index.names == ("Ann 1", "Ann 2", "Bob 1", "Ann 3")


class TestKept:
    def test_how_many_were_built_is_kept(self, few: Path, tmp_path: Path, digits: tuple) -> None:
        index = build(few)
        index.add(list(digits[0][:3]))
        index.remove(index.names[0])
        index.save(tmp_path / "x")
        assert index._state.n_built == ImageIndex.open(tmp_path / "x")._state.n_built == 11
        about = json.loads((tmp_path / "x" / MANIFEST).read_text())
        del about["n_built"], about["skipped"], about["known_share"]
        (tmp_path / "x" / MANIFEST).write_text(json.dumps(about))
        assert ImageIndex.open(tmp_path / "x")._state.n_built == 14

    @pytest.mark.parametrize(
        ("text", "with_rows", "is_one"),
        [
            ('{"kind": "gallery"}', False, False),
            ('{"kind": "gallery"}', True, False),
            ("[1]", False, False),
            ("{", False, False),
            ("{", True, True),
            ('{"kind": "genus image index"}', False, True),
        ],
    )
    def test_some_index_json_makes_no_index(
        self, text: str, with_rows: bool, is_one: bool, few: Path
    ) -> None:
        (few / MANIFEST).write_text(text)
        if with_rows:
            (few / "rows-01234567").mkdir()
        assert is_index(few) is is_one
        if not is_one:
            with pytest.raises(OutputError, match="holds other things"):
                build(few).save(few, force=True)

    def test_a_reader_whose_arrays_are_replaced_reads_the_new_ones(
        self, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        build(few).save(tmp_path / "x")
        other, real, turns = build(few / "1"), index_file._mapped, []

        def replaced(*arguments: object) -> object:
            turns.append(1)
            if len(turns) == 1:
                other.save(tmp_path / "x", force=True)
            return real(*arguments)

        monkeypatch.setattr(index_file, "_mapped", replaced)
        assert ImageIndex.open(tmp_path / "x").names == other.names

    def test_what_is_saved_stays_what_it_is_whoever_saves_next(
        self, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index, other = build(few), build(few / "1")
        real, turns = index_file._clear, []

        def cleared(*arguments: object) -> None:
            real(*arguments)
            turns.append(1)
            if len(turns) == 1:
                other.save(tmp_path / "x", force=True)

        monkeypatch.setattr(index_file, "_clear", cleared)
        names, vectors = index.names, index.vectors
        index.save(tmp_path / "x")
        assert index.names == names and np.array_equal(index.vectors, vectors)
        assert ImageIndex.open(tmp_path / "x").names == other.names

    @pytest.mark.skipif(not is_installed(), reason="needs usearch: pip install genus[search]")
    def test_without_usearch_every_image_is_compared(
        self, digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vector_index, "EXACT_NUMBERS", 1000)
        build(digit_folder).save(tmp_path / "x")
        monkeypatch.setattr(index_file, "is_installed", lambda: False)
        index = ImageIndex.open(tmp_path / "x")
        found = index.search(a_file(digit_folder), k=1)
        assert (found.method, found.recall) == ("exact", 1.0)
        assert (index.info()["method"], index.info()["recall"]) == ("exact", None)

    def test_a_file_written_to_while_it_is_read_has_changed(
        self, few: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, real = a_file(few, "1"), index_building.extract_batches

        def slow(*arguments: object, **more: object):
            yield from real(*arguments, **more)
            one.write_bytes(a_file(few, "0").read_bytes())

        monkeypatch.setattr(index_building, "extract_batches", slow)
        assert build(few).check().changed == (str(one),)


class TestCached:
    def test_what_cannot_be_read_is_said_again(
        self, few: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (few / "1" / "bad.png").write_bytes(b"no picture")
        data, built = read_dataset(few), []
        real = index_cache.build_index
        monkeypatch.setattr(
            index_cache, "build_index", lambda *a, **more: built.append(1) or real(*a, **more)
        )
        first = cached_index(str(few), data, options())[1]
        again = cached_index(str(few), data, options())[1]
        assert first == again and [one.source for one in again] == [str(few / "1" / "bad.png")]
        assert len(built) == 1
        monkeypatch.setattr(index_cache, "decode", lambda *a: None)  # it can be read now
        cached_index(str(few), data, options())
        assert len(built) == 2

    def test_other_limits_are_another_index(self) -> None:
        small = options(runtime=Runtime(limits=Limits(max_pixels=9)))
        assert index_cache._key("photos", small) != index_cache._key("photos", options())

    def test_cells_of_a_parquet_file(self, few: Path, own_cache: Path) -> None:
        files = sorted(few.rglob("*.png"))
        path = few.parent / "cells.parquet"
        cells = {"image": [file.read_bytes() for file in files], "label": [f.parent.name for f in files]}
        pyarrow.parquet.write_table(pyarrow.table(cells), path)
        data = read_dataset(path)
        before = index_cache._listing("a folder", data, {})
        assert index_cache._listing("a folder", read_dataset(path), {}) == before
        cached_index(str(path), data, options())
        state, _ = cached_index(str(path), read_dataset(path), options())
        source = state.images.source(3)
        assert source is not None and source.read(1 << 20) == files[3].read_bytes()
        os.utime(path, ns=(1, 1))
        assert index_cache._listing("a folder", data, {}) != before


class TestFolding:
    def test_thousands_of_copies_are_one_picture(self) -> None:
        n = 3000
        rng = np.random.default_rng(0)
        images = SimpleNamespace(
            contents=rng.integers(0, 256, (n, 16)).astype(np.uint8), hashes=np.zeros(n, np.uint64)
        )
        vectors = SimpleNamespace(read=lambda places: np.ones((len(places), 1), np.float32))
        state = SimpleNamespace(images=images, vectors=vectors)
        assert index_query._stacks(state, np.arange(n), 10) == [list(range(n))]

    def test_no_more_than_so_many_are_looked_at(self, digits: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
        index = build([*[digits[0][0]] * 30, digits[0][100]])
        found = index.search(digits[0][0], k=2)
        assert len(found) == 2 and found.notes == ()
        monkeypatch.setattr(index_query, "_MOST", 12)
        (hit,) = index.search(digits[0][0], k=2)
        assert len(hit.copies) == 11
        (note,) = index.search(digits[0][0], k=2).notes
        assert note.startswith("The 12 most alike images are copies")


class TestScores:
    def test_a_probability_is_about_two_images(self, digit_folder: Path) -> None:
        index = build(digit_folder)
        one, other = a_file(digit_folder, "1"), a_file(digit_folder, "7")
        assert index.search(one).score_means == "probability of the same class"
        for found in (
            index.search([one, other]),
            index.search(of_class="1"),
            index.search(one, of_class="7"),
        ):
            assert found.score_means == "mean cosine" and found[0].score == found[0].similarity

    def test_a_class_is_read_in_blocks(self, digit_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        index = build(digit_folder)
        places = index_query.members_of(index._state, "5")
        wanted = index.vectors[places].mean(axis=0, keepdims=True)
        monkeypatch.delattr(VectorIndex, "read")
        np.testing.assert_allclose(index_query._mean(index._state, places), wanted, atol=1e-6)


class TestColumns:
    def test_no_name_is_no_image(self, digits: tuple) -> None:
        index = build(list(digits[0][:3]))
        with pytest.raises(DataError, match="not in the index"):
            index.remove("")
        assert len(index) == 3

    def test_a_path_may_take_a_detour(self, few: Path) -> None:
        index, one = build(few), a_file(few, "1")
        assert index.remove(few / "0" / ".." / "1" / one.name) == 1 and str(one) not in index.names

    @pytest.mark.parametrize("name", ["label", "width", "image", "bytes"])
    def test_columns_that_are_there_anyway(self, name: str, digits: tuple) -> None:
        with pytest.raises(ParameterError, match=f"a column '{name}' of its own"):
            build(list(digits[0][:2]), metadata={name: [1, 2]})

    def test_numbers_become_text_whole(self, digits: tuple) -> None:
        index = build(list(digits[0][:3]), metadata={"when": [20250101, 20250102, None]})
        index.add([digits[0][5]], metadata={"when": ["soon"]})
        assert index.search(digits[0][0], where="when=20250101").n_allowed == 1
        assert index.search(digits[0][0], where="when=").n_allowed == 1

    def test_what_pandas_calls_missing(self, digits: tuple) -> None:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"who": pandas.array(["Ann", None, "Bob"], dtype="string")})
        index = build(list(digits[0][:3]), metadata=frame)
        assert index.search(digits[0][0], where="who=").n_allowed == 1

    def test_labels_that_are_no_text_are_exported(self, digits: tuple, tmp_path: Path) -> None:
        build(list(digits[0][:2]), ["\udcff", "b"]).export(tmp_path / "x.parquet")
        table = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pydict()
        assert table["label"] == ["\\udcff", "b"]

    def test_a_box_of_numbers_that_are_none(self, digits: tuple) -> None:
        with pytest.raises(ParameterError, match="a box is four numbers"):
            build(list(digits[0][:2])).search(digits[0][0], box=(float("nan"), 0, 1, 1))


class TestRoom:
    def test_unreadable_images_leave_their_room_to_others(
        self, few: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = build(few).vectors
        bad = few / "0" / "00.png"
        bad.write_bytes(b"no picture")
        folders, real = [], tempfile.TemporaryFile
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: folders.append(dir) or real(dir=dir))
        monkeypatch.setattr("genus.room._IN_MEMORY", 0)
        index = build(few, runtime=Runtime(cache=False))
        assert folders and set(folders) == {own_cache}
        assert [one.source for one in index.skipped] == [str(bad)]
        assert np.array_equal(index.vectors, wanted)

    def test_rows_move_in_place(self) -> None:
        rows = np.arange(4000).reshape(2000, 2)
        kept = np.delete(np.arange(2000), [3, 700, 1999])
        wanted = rows[kept]
        found = compact(rows, kept)
        assert np.shares_memory(found, rows) and np.array_equal(found, wanted)

    @pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space cannot be reserved here")
    def test_a_full_disk_is_said_before_the_work(
        self, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("genus.room._IN_MEMORY", 0)
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OutputError, match="cache: cannot write: the disk is full"):
            room((10, 4), np.float32)


def test_pictures_of_a_page_keep_to_the_limits(few: Path) -> None:
    from genus.images.source import as_source
    from genus.report.pictures import small_copy

    source = as_source(a_file(few, "1"))
    assert (
        small_copy(source, limits=Limits()) is not None
        and small_copy(source, limits=Limits(max_pixels=9)) is None
    )
    assert cv2.imread(str(source.path)).size > 9
