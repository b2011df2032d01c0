"""Read the tensors of a file in PyTorch's legacy format (before 1.6), without torch and without risk.

Such a file is five pickles (magic number, protocol version, system info, the state dict, the list of storage
keys) followed by the raw storages. Unpickling can run any code, so this reader allows three names only, each
replaced by a function of ours that builds arrays; anything else is refused.
"""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from genus.errors import ModelFileError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
}
_MAX_BYTES = 1 << 30  # no weight file that we read is near a gigabyte


@dataclass(eq=False)
class _Storage:
    dtype: np.dtype[Any]
    size: int
    values: NDArray[Any] | None = None


@dataclass(eq=False)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        """Copy the tensor's view out of its storage, having checked that it lies inside."""
        values = self.storage.values
        if 0 in self.shape:
            return np.zeros(self.shape, self.storage.dtype)
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if values is None or self.offset < 0 or min(self.strides, default=0) < 0 or last >= len(values):
            raise ValueError("a tensor reaches outside its storage")
        step = values.itemsize
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :],
            self.shape,
            tuple(stride * step for stride in self.strides),
            writeable=False,
        )
        return np.array(view)


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that knows tensors and ordered dictionaries, and refuses every other name."""

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype_name, key, _device, size, *_ = pid
        if kind != "storage" or dtype_name not in _DTYPES:
            raise pickle.UnpicklingError(f"unknown storage {pid!r}")
        return self._storages.setdefault(str(key), _Storage(_DTYPES[dtype_name], int(size)))


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def read_torch_legacy(path: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read a state dict as arrays.

    Parameters
    ----------
    path : path
        A file written by `torch.save(model.state_dict(), ...)` of PyTorch before 1.6.

    Returns
    -------
    dict of str to ndarray
        Tensor name to values, in the file's order.

    Raises
    ------
    ModelFileError
        The file is missing, of another format, cut short, or asks for anything that is not a tensor.
    """
    source = Path(path)
    try:
        if source.stat().st_size > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES >> 20} MiB")
        with source.open("rb") as file:
            return _read(file)
    except (
        OSError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        MemoryError,
    ) as error:
        raise ModelFileError(f"{source}: not a readable weight file: {error}.") from error
    except pickle.UnpicklingError as error:
        raise ModelFileError(f"{source}: refused: {error}.") from error


def _read(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    storages: dict[str, _Storage] = {}
    if _TensorUnpickler(file, {}).load() != _MAGIC or _TensorUnpickler(file, {}).load() != _PROTOCOL:
        raise ValueError("not in PyTorch's legacy format")
    _TensorUnpickler(
        file, {}
    ).load()  # system info: byte order and type sizes, always little-endian in practice
    state = _TensorUnpickler(file, storages).load()
    for key in _TensorUnpickler(file, {}).load():
        storage = storages[str(key)]
        size = int.from_bytes(file.read(8), "little")
        if size != storage.size or size > _MAX_BYTES:
            raise ValueError(f"storage {key} is said to have {storage.size} values and {size}")
        raw = file.read(size * storage.dtype.itemsize)
        if len(raw) != size * storage.dtype.itemsize:
            raise ValueError("the file is cut short")
        storage.values = np.frombuffer(raw, storage.dtype)
    return {str(name): tensor.array() for name, tensor in state.items()}
