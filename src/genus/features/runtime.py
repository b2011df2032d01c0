"""How features are computed: which engine, how many workers, whether the cache is used. None of it changes results."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from genus.errors import ParameterError
from genus.images.decode import Limits

_MAX_WORKERS = 256


@dataclass(frozen=True, slots=True)
class Runtime:
    """The options of feature extraction that do not change what is computed.

    Parameters
    ----------
    engine : {"auto", "onnxruntime", "openvino"}, default "auto"
        See `genus.features.engines.choose_engine`.
    workers : int or None, default None
        Threads that decode and compute, each on its own core; None for all cores this process may use.
    batch_size : int, default 16
        Most images a worker takes at once.
    cache : bool, default True
        Whether features are looked up in the cache and kept there.
    verify : bool, default False
        Whether every file is read and hashed, even where its size and times say that it has not changed.
    limits : Limits
        The largest image that is decoded.

    Examples
    --------
    >>> Runtime(workers=3).n_workers(n_images=1000)
    3
    >>> Runtime(workers=3).n_workers(n_images=2)
    2
    """

    engine: str = "auto"
    workers: int | None = None
    batch_size: int = 16
    cache: bool = True
    verify: bool = False
    limits: Limits = field(default_factory=Limits)

    def n_workers(self, n_images: int) -> int:
        """Return how many workers to start for so many images.

        Raises
        ------
        ParameterError
            `workers` or `batch_size` is not a positive number.
        """
        if self.workers is not None and not 1 <= self.workers <= _MAX_WORKERS:
            raise ParameterError(f"workers must be from 1 to {_MAX_WORKERS}, or None; got {self.workers}.")
        if self.batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1; got {self.batch_size}.")
        return max(1, min(self.workers or available_cores(), n_images))


def available_cores() -> int:
    """Return how many cores this process may use: its affinity and its container's quota count.

    Examples
    --------
    >>> 1 <= available_cores() <= os.cpu_count()
    True
    """
    if hasattr(os, "sched_getaffinity"):
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = os.cpu_count() or 1
    quota = _container_quota()
    return max(1, min(n_cores, _MAX_WORKERS, round(quota) if quota is not None else n_cores))


def _container_quota(groups: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the cores' worth of time that Linux control groups (version 2, else 1) allow; None for no limit."""
    try:
        if (groups / "cpu.max").exists():
            quota, period = (groups / "cpu.max").read_text().split()
        else:
            quota = (groups / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (groups / "cpu" / "cpu.cfs_period_us").read_text().strip()
        return None if quota in ("max", "-1") else max(1.0, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
