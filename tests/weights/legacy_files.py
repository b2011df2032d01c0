"""Weight files in the legacy format of PyTorch, built from pickle opcodes: no torch needed, forgeries are easy."""

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"<f4": b"FloatStorage", "<f2": b"HalfStorage", "<i8": b"LongStorage"}
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def opcodes(value: object) -> bytes:
    """The pickle of a plain value without header and stop mark, to be built into a larger one."""
    return pickle.dumps(value, 2)[2:-1]


def pickled(body: bytes) -> bytes:
    """A whole pickle around some opcodes."""
    return b"\x80\x02" + body + b"."


def storage_opcodes(key: str, kind: bytes, size: int) -> bytes:
    """The persistent id of a storage."""
    return (
        b"("
        + opcodes("storage")
        + b"ctorch\n"
        + kind
        + b"\n"
        + opcodes(key)
        + opcodes("cpu")
        + opcodes(size)
        + b"NtQ"
    )


def tensor_opcodes(storage: bytes, offset: int, shape: Sequence[int], strides: Sequence[int]) -> bytes:
    """The call that rebuilds a tensor, as torch writes it."""
    arguments = (
        opcodes(offset) + opcodes(tuple(shape)) + opcodes(tuple(strides)) + opcodes(False) + ORDERED_DICT
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + arguments + b"tR"


def state_pickle(tensors: Mapping[str, bytes]) -> bytes:
    """The pickle of a state dict."""
    items = b"".join(opcodes(name) + tensor for name, tensor in tensors.items())
    return pickled(ORDERED_DICT + b"(" + items + b"u")


def storage_bytes(values: NDArray[Any]) -> bytes:
    """A storage as it lies at the end of the file."""
    return len(values).to_bytes(8, "little") + values.tobytes()


def header() -> bytes:
    """The three pickles before the state dict."""
    system = {
        "protocol_version": PROTOCOL,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    return b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, system))


def legacy_file(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A whole file with one storage a tensor."""
    tensors, storages = {}, []
    for i, (name, array) in enumerate(arrays.items()):
        kind = STORAGES[array.dtype.str]
        strides = [stride // array.itemsize for stride in np.ascontiguousarray(array).strides]
        storage = storage_opcodes(str(i), kind, array.size)
        tensors[name] = tensor_opcodes(storage, 0, array.shape, strides[: array.ndim])
        storages.append(storage_bytes(array.ravel()))
    keys = [str(i) for i in range(len(arrays))]
    return header() + state_pickle(tensors) + pickle.dumps(keys, 2) + b"".join(storages)


def one_storage_file(
    tensors: Mapping[str, tuple[int, Sequence[int], Sequence[int]]], values: NDArray[Any]
) -> bytes:
    """A file whose tensors, given as (offset, shape, strides), all look at one storage."""
    storage = storage_opcodes("0", STORAGES[values.dtype.str], len(values))
    state = state_pickle({name: tensor_opcodes(storage, *view) for name, view in tensors.items()})
    return header() + state + pickle.dumps(["0"], 2) + storage_bytes(values)
