"""Where a network is trained, and with which numbers: found out, not asked for."""

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genus.errors import EngineError, ParameterError

PrecisionWish = Literal["auto", "float32", "bf16"]
_KINDS = ("auto", "cpu", "cuda", "mps")
_NO_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
_DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d{1,2})?")  # PyTorch takes cuda:300 for cuda:44


@dataclass(frozen=True, slots=True)
class Place:
    """A device and the numbers it computes with.

    Attributes
    ----------
    device : torch.device
    bf16 : bool
        Whether products are computed in bfloat16 (weights and sums stay float32).
    """

    device: torch.device
    bf16: bool

    @property
    def name(self) -> str:
        """What it is, for people: "cpu, float32", "NVIDIA H100, bfloat16"."""
        kind = self.device.type
        what = torch.cuda.get_device_name(self.device) if kind == "cuda" else kind
        return f"{what}, {'bfloat16' if self.bf16 else 'float32'}"


def choose_place(device: str = "auto", precision: PrecisionWish = "auto") -> Place:
    """Settle "auto": CUDA where there is a card, else Apple's MPS, else the processor.

    Parameters
    ----------
    device : str, default "auto"
        Or "cpu", "mps", "cuda", "cuda:1".
    precision : {"auto", "float32", "bf16"}, default "auto"
        "auto" takes bfloat16 where the hardware is faster with it: NVIDIA from Ampere on, processors with AMX or
        AVX512-BF16.

    Raises
    ------
    ParameterError
        There is no such kind of device.
    EngineError
        It is not here.

    Examples
    --------
    >>> choose_place("cpu", "float32").name
    'cpu, float32'
    """
    if not _DEVICE.fullmatch(device):
        raise ParameterError(f"device must be one of {', '.join(_KINDS)}, or cuda:N, not {device!r}.")
    if precision not in ("auto", "float32", "bf16"):
        raise ParameterError(f"precision must be auto, float32 or bf16, not {precision!r}.")
    kind = device.partition(":")[0]
    if kind == "auto":
        kind = device = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if not available[kind]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise EngineError(f"PyTorch finds no {kind} device here; there is {there}.")
    chosen = torch.device(device)
    if kind == "cuda" and chosen.index is not None and chosen.index >= torch.cuda.device_count():
        raise EngineError(f"there is no {device}; PyTorch finds {torch.cuda.device_count()} cards.")
    return Place(chosen, _is_fast_with_bf16(chosen) if precision == "auto" else precision == "bf16")


def sent(values: Tensor | NDArray[Any], device: torch.device) -> Tensor:
    """Return numbers on a device; without waiting for a card, which a plain copy lets finish all its work first.

    Examples
    --------
    >>> sent(np.arange(3), torch.device("cpu"))
    tensor([0, 1, 2])
    """
    found = values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    if device.type == "cuda" and found.device.type == "cpu":
        return found.pin_memory().to(device, non_blocking=True)
    return found.to(device)


def precision(place: Place, *, cache: bool = True) -> AbstractContextManager[Any]:
    """Return the context in which products are computed in the numbers of a place."""
    if not place.bf16:
        return nullcontext()
    return torch.autocast(place.device.type, torch.bfloat16, cache_enabled=cache)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Say whether that is what PyTorch's error means: cards have an exception for it, most often, or a sentence."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _is_fast_with_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # Ampere
    if device.type == "cpu":
        # older releases of PyTorch do not tell
        found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(found.get("amx_bf16") or found.get("avx512_bf16"))
    return False
