"""Work in threads, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_AHEAD = 3  # pieces in flight for each worker

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def in_order(
    work: Callable[[_Piece], _Result], pieces: Iterable[_Piece], n_workers: int
) -> Iterator[_Result]:
    """Do pieces of work in threads, a few ahead of whoever takes the results, and yield these in order.

    Parameters
    ----------
    work : callable
    pieces : iterable
        Taken only as far as they are worked on, so that memory stays bounded.
    n_workers : int
        With one, no thread is started.

    Examples
    --------
    >>> list(in_order(abs, [-3, 1, -2], 2))
    [3, 1, 2]
    """
    if n_workers == 1:
        yield from map(work, pieces)
        return
    waiting = iter(pieces)
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="genus-predict")
    ahead: deque[Future[_Result]] = deque()
    try:
        while True:
            for piece in islice(waiting, _AHEAD * n_workers - len(ahead)):
                ahead.append(pool.submit(work, piece))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
