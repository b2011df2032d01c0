"""What the feature cache stores, and the SQL that stores, finds, counts and deletes it.

Every function works on an open connection (`genus.features.cache_file`) and lets SQLite's errors through;
`genus.features.cache.FeatureCache` is what others use.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genus.features.cache_file import transaction
from genus.images.decode import ImageInfo

_CHUNK = 900  # values in one IN (...): older SQLite allows 999
_FRESH_NS = 3_000_000_000  # a file this young may change again without its times showing it
_PRUNE_TO = 0.9  # so that not every write prunes
_PRUNE_ROWS = 5000  # in one transaction: other processes wait for it
_ROW_BYTES = 250  # about what a row takes beside its vector

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CachedImage:
    """What is known of an image beside its features.

    Attributes
    ----------
    info : ImageInfo
        Its size, format and content hash.
    perceptual_hash : int
        64 bits, unsigned (see `genus.images.phash`).
    """

    info: ImageInfo
    perceptual_hash: int


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file's path and state, each as a short hash: equal stamps mean an unchanged file.

    Attributes
    ----------
    path : bytes
        Of the absolute path; the path itself is not kept.
    state : bytes
        Of size, modification time, status change time and inode.
    settled : bool
        Whether the file is old enough for its times to be trusted.
    """

    path: bytes
    state: bytes
    settled: bool

    @classmethod
    def of(cls, path: Path) -> "FileStamp | None":
        """Look at a file without reading it; None where there is none."""
        try:
            s = path.stat()
        except (OSError, ValueError):
            return None
        state = f"{s.st_size}/{s.st_mtime_ns}/{s.st_ctime_ns}/{s.st_ino}".encode()
        where = os.fsencode(os.path.abspath(path))
        return cls(
            hashlib.blake2b(where, digest_size=16).digest(),
            hashlib.blake2b(state, digest_size=8).digest(),
            time.time_ns() - max(s.st_mtime_ns, s.st_ctime_ns) > _FRESH_NS,
        )


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of features as found: its place among the vectors, its last use in seconds, its image."""

    vector: int
    used: int
    image: CachedImage


def read_rows(
    db: sqlite3.Connection, key: str, hashes: Sequence[str], out: NDArray[np.float32]
) -> dict[str, StoredRow]:
    """Find rows by content hash and copy their vectors to the places in `out` (see `FeatureCache.read`)."""
    places: dict[str, list[int]] = {}
    for i, content in enumerate(hashes):
        places.setdefault(content, []).append(i)
    with transaction(db, "DEFERRED"):  # one snapshot: a row's vector cannot be deleted between the two steps
        kind = db.execute("SELECT id, n_features FROM kinds WHERE key = ?", (key,)).fetchone()
        if kind is None or kind[1] != out.shape[1]:
            return {}
        rows = _find_rows(db, kind[0], list(places))
        by_vector = {row.vector: content for content, row in rows.items()}
        for chunk in _chunks(sorted(by_vector)):  # in the order of the file
            marks = _marks(chunk)
            for vector, value in db.execute(f"SELECT id, value FROM vectors WHERE id IN ({marks})", chunk):
                out[places[by_vector.pop(vector)]] = np.frombuffer(value, "<f4")
    for content in by_vector.values():  # rows without a vector: not there
        del rows[content]
    return rows


def _find_rows(db: sqlite3.Connection, kind: int, hashes: Sequence[str]) -> dict[str, StoredRow]:
    rows: dict[str, StoredRow] = {}
    for chunk in _chunks(hashes):
        found = db.execute(
            "SELECT content, vector, used, phash, width, height, format, mode, n_bytes FROM rows"
            f" WHERE kind = ? AND content IN ({_marks(chunk)})",
            (kind, *map(bytes.fromhex, chunk)),
        )
        for content, vector, used, phash, width, height, format_, mode, n_bytes in found:
            name = content.hex()
            info = ImageInfo(width, height, format_, mode, n_bytes, name)
            rows[name] = StoredRow(vector, used, CachedImage(info, phash % (1 << 64)))
    return rows


def write_rows(
    db: sqlite3.Connection, key: str, images: Sequence[CachedImage], X: NDArray[np.float32]
) -> None:
    """Add the rows that are not there yet; call it inside a transaction."""
    n_features = X.shape[1]
    db.execute("INSERT OR IGNORE INTO kinds (key, n_features) VALUES (?, ?)", (key, n_features))
    (kind,) = db.execute("SELECT id FROM kinds WHERE key = ?", (key,)).fetchone()
    new = {image.info.content_hash: i for i, image in enumerate(images)}
    for content in _find_rows(db, kind, list(new)):
        del new[content]
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM vectors").fetchone()
    ids = range(last + 1, last + 1 + len(new))
    values = X.astype("<f4", copy=False)
    db.executemany(
        "INSERT INTO vectors (id, value) VALUES (?, ?)",
        ((v, values[i].tobytes()) for v, i in zip(ids, new.values(), strict=True)),
    )
    now = int(time.time())
    db.executemany(
        "INSERT INTO rows (kind, content, vector, used, phash, width, height, format, mode, n_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((kind, *_columns(images[i], v, now)) for v, i in zip(ids, new.values(), strict=True)),
    )


def _columns(
    image: CachedImage, vector: int, now: int
) -> tuple[bytes, int, int, int, int, int, str, str, int]:
    info, phash = image.info, int(image.perceptual_hash)
    signed = phash - (1 << 64) if phash >= 1 << 63 else phash  # SQLite's integers are signed
    content = bytes.fromhex(info.content_hash)
    return content, vector, now, signed, info.width, info.height, info.format, info.mode, info.n_bytes


def touch_rows(db: sqlite3.Connection, key: str, hashes: Sequence[str]) -> None:
    """Mark rows as used now."""
    now = int(time.time())
    with transaction(db, "IMMEDIATE"):
        db.executemany(
            "UPDATE rows SET used = ? WHERE content = ? AND kind = (SELECT id FROM kinds WHERE key = ?)",
            ((now, bytes.fromhex(content), key) for content in hashes),
        )


def read_files(db: sqlite3.Connection, paths: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    """Return the state and the content hash of each file in the quick index."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    for chunk in _chunks(paths):
        query = f"SELECT path, state, content FROM files WHERE path IN ({_marks(chunk)})"
        found.update((path, (state, content)) for path, state, content in db.execute(query, chunk))
    return found


def write_files(db: sqlite3.Connection, files: Mapping[FileStamp, str]) -> None:
    """Put files with their content hashes into the quick index; call it inside a transaction."""
    db.executemany(
        "INSERT OR REPLACE INTO files (path, state, content) VALUES (?, ?, ?)",
        ((f.path, f.state, bytes.fromhex(content)) for f, content in files.items() if f.settled),
    )


def bytes_in_use(db: sqlite3.Connection) -> int:
    """Return the size of the database without its free pages."""
    n_pages, n_free, page = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((n_pages - n_free) * page)


def prune_rows(db: sqlite3.Connection, limit: int) -> None:
    """Delete the rows unused for longest until nine tenths of `limit` are in use, then shrink the file."""
    target = int(limit * _PRUNE_TO)
    while (excess := bytes_in_use(db) - target) > 0:
        with transaction(db, "IMMEDIATE"):
            oldest = _oldest(db, excess)
            db.executemany("DELETE FROM vectors WHERE id = ?", ((vector,) for _, _, vector in oldest))
            db.executemany("DELETE FROM rows WHERE kind = ? AND content = ?", (row[:2] for row in oldest))
        if not oldest:
            break
    with transaction(db, "IMMEDIATE"):
        db.execute("DELETE FROM files WHERE content NOT IN (SELECT content FROM rows)")
    _shrink(db)


def _oldest(db: sqlite3.Connection, n_bytes: int) -> list[tuple[int, bytes, int]]:
    """Return kind, content and vector of the oldest rows that take about `n_bytes`, at least one."""
    found: list[tuple[int, bytes, int]] = []
    for kind, content, vector, n_features in db.execute(
        "SELECT kind, content, vector, n_features FROM rows JOIN kinds ON kinds.id = kind"
        " ORDER BY used, vector"
    ):
        found.append((kind, content, vector))
        n_bytes -= 4 * n_features + _ROW_BYTES
        if n_bytes <= 0 or len(found) >= _PRUNE_ROWS:
            break
    return found


def clear_rows(db: sqlite3.Connection) -> None:
    """Delete everything and give the space back."""
    with transaction(db, "IMMEDIATE"):
        for table in ("rows", "vectors", "files", "kinds"):
            db.execute(f"DELETE FROM {table}")
    _shrink(db)


def _shrink(db: sqlite3.Connection) -> None:
    db.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page only: each step of it frees one
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def count_rows(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Count rows, different images among them, and files in the quick index."""
    n_rows, n_images = db.execute("SELECT count(*), count(DISTINCT content) FROM rows").fetchone()
    (n_files,) = db.execute("SELECT count(*) FROM files").fetchone()
    return n_rows, n_images, n_files


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
