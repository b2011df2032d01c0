"""The restricted reader of weight files: reads tensors, refuses everything else, and never runs what it reads."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from legacy_files import (
    ORDERED_DICT,
    header,
    legacy_file,
    one_storage_file,
    opcodes,
    pickled,
    state_pickle,
    storage_bytes,
    storage_opcodes,
    tensor_opcodes,
)

from genus.errors import ModelFileError
from genus.weights.torch_legacy import read_torch_legacy

WEIGHTS = {
    "conv.weight": np.arange(24, dtype="<f4").reshape(2, 3, 2, 2),
    "half": np.array([1.5, -2], "<f2"),
    "counter": np.array(7, "<i8"),
}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return path


def test_it_reads_every_tensor_in_the_files_order(tmp_path: Path) -> None:
    read = read_torch_legacy(written(tmp_path, legacy_file(WEIGHTS)))
    assert list(read) == list(WEIGHTS)
    for name, values in WEIGHTS.items():
        assert read[name].dtype == values.dtype and read[name].shape == values.shape
        np.testing.assert_array_equal(read[name], values)


@given(
    npst.arrays(
        st.sampled_from(["<f4", "<f2", "<i8"]),
        npst.array_shapes(min_dims=0, max_dims=4, max_side=5),
        elements={"allow_nan": False},
    )
)
def test_any_array_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = written(tmp_path_factory.mktemp("w"), legacy_file({"x": values}))
    np.testing.assert_array_equal(read_torch_legacy(path)["x"], values)


def test_views_share_a_storage(tmp_path: Path) -> None:
    views = {
        "all": (0, (6,), (1,)),
        "tail": (4, (2,), (1,)),
        "transposed": (0, (3, 2), (1, 3)),
        "same": (2, (4,), (0,)),
    }
    values = np.arange(6, dtype="<f4")
    read = read_torch_legacy(written(tmp_path, one_storage_file(views, values)))
    np.testing.assert_array_equal(read["all"], values)
    np.testing.assert_array_equal(read["tail"], [4, 5])
    np.testing.assert_array_equal(read["transposed"], values.reshape(2, 3).T)
    np.testing.assert_array_equal(read["same"], [2, 2, 2, 2])


def test_what_is_read_is_a_copy_of_its_own(tmp_path: Path) -> None:
    views = {"a": (0, (4,), (1,)), "b": (0, (4,), (1,))}
    read = read_torch_legacy(written(tmp_path, one_storage_file(views, np.zeros(4, "<f4"))))
    read["a"][:] = 1
    assert read["b"].sum() == 0


@pytest.mark.parametrize(
    "view",
    [
        pytest.param((0, (7,), (1,)), id="too long"),
        pytest.param((4, (3,), (1,)), id="offset too far"),
        pytest.param((6, (1,), (1,)), id="starts behind the end"),
        pytest.param((-1, (2,), (1,)), id="negative offset"),
        pytest.param((5, (3,), (-1,)), id="negative stride"),
        pytest.param((0, (3, 3), (3, 1)), id="too many rows"),
        pytest.param((0, (2, 2), (1 << 40, 1)), id="stride into other memory"),
        pytest.param((0, (-1, 2), (1, 1)), id="negative shape"),
        pytest.param((0, (2,), (1, 1)), id="more strides than sides"),
        pytest.param((0, ("2",), (1,)), id="a shape of text"),
        pytest.param((1 << 70, (1,), (1,)), id="offset beyond 64 bits"),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path: Path, view: tuple[object, ...]) -> None:
    path = written(tmp_path, one_storage_file({"x": view}, np.zeros(6, "<f4")))
    with pytest.raises(ModelFileError, match="not a readable weight file"):
        read_torch_legacy(path)


class Malicious:
    """Runs a command when it is unpickled by anything less careful."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, (f"touch '{self.flag}'",)


def call(module: str, name: str, *arguments: object) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(map(opcodes, arguments)) + b"tR"


FORBIDDEN = {
    "os.system": call("os", "system", "touch flag"),
    "posix.system": call("posix", "system", "touch flag"),
    "subprocess": call("subprocess", "Popen", ["touch", "flag"]),
    "eval": call("builtins", "eval", "open('flag', 'w')"),
    "exec, Python 2's name": call("__builtin__", "exec", "open('flag', 'w')"),
    "getattr": call("builtins", "getattr", "x", "upper"),
    "torch.load": call("torch", "load", "other.pth"),
    "torch.hub": call("torch.hub", "load", "a/b", "c"),
    "a storage we do not know": call("torch", "DoubleStorage"),
    "another rebuild function": call("torch._utils", "_rebuild_parameter", 1),
    "numpy's own": call("numpy._core.multiarray", "_reconstruct", 1),
    "a dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93(]tR",
    "an instance": b"(ios\nsystem\n",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
@pytest.mark.parametrize("place", range(5))
def test_any_name_but_tensors_is_refused_in_each_of_the_five_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: int
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({}, 2)]
    parts += [state_pickle({}), pickle.dumps([], 2)]
    parts[place] = pickled(FORBIDDEN[kind])
    with pytest.raises(ModelFileError, match="refused|not a readable"):
        read_torch_legacy(written(tmp_path, b"".join(parts)))
    assert not (tmp_path / "flag").exists()


def test_a_real_exploit_does_nothing(tmp_path: Path) -> None:
    flag = tmp_path / "owned"
    for body in (pickle.dumps(Malicious(flag), 2), header() + pickle.dumps({"weight": Malicious(flag)}, 4)):
        with pytest.raises(ModelFileError, match="refused: it asks for"):
            read_torch_legacy(written(tmp_path, body))
    assert not flag.exists()


def test_the_name_refused_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, header() + pickled(FORBIDDEN["eval"]))
    with pytest.raises(ModelFileError, match=r"weights\.pth: refused: it asks for builtins\.eval"):
        read_torch_legacy(path)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(64), id="a picture"),
        pytest.param(b"PK\x03\x04" + bytes(64), id="torch's newer format"),
        pytest.param(pickle.dumps({"a": 1}), id="some other pickle"),
        pytest.param(header(), id="ends after the header"),
        pytest.param(header() + pickle.dumps([1], 2) + pickle.dumps([], 2), id="a list, not a dict"),
        pytest.param(
            header() + pickle.dumps({"a": 1}, 2) + pickle.dumps([], 2), id="values that are no tensors"
        ),
        pytest.param(header() + state_pickle({}) + pickle.dumps(["0"], 2), id="a storage nobody asked for"),
        pytest.param(header() + pickled(ORDERED_DICT + b"(" + opcodes("x")), id="half a pickle"),
        pytest.param(
            header() + pickled(b"(" + opcodes("module") + b"NtQ") + pickle.dumps([], 2),
            id="a persistent id of another kind",
        ),
    ],
)
def test_what_is_no_weight_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"weights\.pth: "):
        read_torch_legacy(written(tmp_path, data))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(ModelFileError, match="not a readable weight file"):
            read_torch_legacy(path)


@pytest.mark.parametrize(
    "claimed",
    [5, 7, 1 << 40, 1 << 61, (1 << 64) - 1],
)
def test_a_storage_that_lies_about_its_size_is_refused(tmp_path: Path, claimed: int) -> None:
    storage = storage_opcodes("0", b"FloatStorage", 6)
    body = header() + state_pickle({"x": tensor_opcodes(storage, 0, (6,), (1,))}) + pickle.dumps(["0"], 2)
    with pytest.raises(ModelFileError, match="not a readable weight file"):
        read_torch_legacy(written(tmp_path, body + claimed.to_bytes(8, "little") + bytes(24)))


def test_a_tensor_whose_storage_is_missing_is_refused(tmp_path: Path) -> None:
    storage = storage_opcodes("0", b"FloatStorage", 6)
    body = header() + state_pickle({"x": tensor_opcodes(storage, 0, (6,), (1,))}) + pickle.dumps([], 2)
    with pytest.raises(ModelFileError, match="outside its storage"):
        read_torch_legacy(written(tmp_path, body))


def test_a_small_file_cannot_ask_for_huge_memory(tmp_path: Path) -> None:
    """Strides of zero would repeat one value a million million times."""
    path = written(tmp_path, one_storage_file({"x": (0, (1 << 40,), (0,))}, np.zeros(1, "<f4")))
    with pytest.raises(ModelFileError):
        read_torch_legacy(path)


@given(st.integers(0, len(legacy_file(WEIGHTS)) - 1))
def test_cut_short_anywhere_it_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = written(tmp_path_factory.mktemp("w"), legacy_file(WEIGHTS)[:length])
    with pytest.raises(ModelFileError):
        read_torch_legacy(path)


@given(st.integers(0, 23), st.integers(0, 255))
def test_a_changed_value_changes_one_weight_only(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    values = np.arange(24, dtype="<f4")
    data = bytearray(legacy_file({"x": values}))
    data[len(data) - 4 * 24 + 4 * place] = value
    read = read_torch_legacy(written(tmp_path_factory.mktemp("w"), bytes(data)))["x"]
    assert set(np.flatnonzero(read != values)) <= {place}


def test_storages_may_be_empty(tmp_path: Path) -> None:
    assert storage_bytes(np.zeros(0, "<f4")) == bytes(8)
    assert read_torch_legacy(written(tmp_path, legacy_file({"x": np.zeros(0, "<f4")})))["x"].shape == (0,)


def test_against_torch_itself(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    half = torch.randn(4, 3)
    state = {
        "a": torch.randn(3, 2, 2),
        "view": half[1:, 1],
        "transposed": half.T,
        "n": torch.tensor(3),
        "h": half.half(),
    }
    path = tmp_path / "state.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    read = read_torch_legacy(path)
    assert list(read) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())
