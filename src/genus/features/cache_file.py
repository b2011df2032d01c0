"""The SQLite file behind the feature cache: opening it, its schema, and what to do when it is damaged.

Write-ahead logging lets several processes read while one writes, and a process that is killed leaves
nothing but an unfinished transaction, which the next one to open the file discards.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

SCHEMA_VERSION = 1
_APPLICATION = 0x67656E75  # "genu", in the header of the file
_PATIENCE = 30.0  # seconds to wait for another process's transaction
_PAGE = 32768  # bytes; whole vectors on a page: 1280 floats waste 6% of it, and 57% of a page of 4096
_LOG_BYTES = 64 << 20

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PLAIN_WORDS = {
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_BUSY: "another process has kept it locked",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error or is full",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made there",
    sqlite3.SQLITE_PROTOCOL: "the file system cannot lock files",
}

_SCHEMA = """
CREATE TABLE kinds (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, n_features INTEGER NOT NULL);
CREATE TABLE rows (
    kind INTEGER NOT NULL, content BLOB NOT NULL, vector INTEGER NOT NULL, used INTEGER NOT NULL,
    phash INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    format TEXT NOT NULL, mode TEXT NOT NULL, n_bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, content)
) WITHOUT ROWID;
CREATE TABLE vectors (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE files (path BLOB PRIMARY KEY, state BLOB NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
"""


class CacheUnusableError(Exception):
    """The file is sound but not ours to use; the text says why. Never leaves `FeatureCache`."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the cache file, making it and its folder where they are missing.

    Raises
    ------
    sqlite3.Error, OSError, CacheUnusableError
        It is damaged, cannot be made, or belongs to another program or a newer version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _PATIENCE
    while True:
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
            return connection
        except sqlite3.Error as error:
            connection.close()
            # switching to the log is not retried by SQLite itself when two processes make the file at once
            if error_code(error) not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        except BaseException:
            connection.close()
            raise


@contextmanager
def transaction(connection: sqlite3.Connection, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """Run a block as one transaction: all of it or, on any exception and on `kill -9`, nothing."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def error_code(error: BaseException) -> int:
    """Return SQLite's primary result code, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_damage(error: BaseException) -> bool:
    """Tell whether the error means that the file is not a sound database."""
    return error_code(error) in _DAMAGE


def plain_words(error: BaseException) -> str:
    """Say what an error means, for people."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return _PLAIN_WORDS.get(error_code(error), str(error))


def set_aside(path: Path) -> Path:
    """Rename a damaged file, over the one set aside before it, and return its new name."""
    aside = path.with_name(path.name + ".damaged")
    with suppress(OSError):
        os.replace(path, aside)
    for suffix in ("-wal", "-shm"):  # they belong to the damaged file and would spoil the next one
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()
    return aside


def file_number(path: Path) -> int:
    """Return the inode, 0 where there is no file: whether another process has replaced the file meanwhile."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in (
        f"page_size = {_PAGE}",  # has an effect on a new file only, and so has the next
        "auto_vacuum = INCREMENTAL",
        "journal_mode = WAL",
        "synchronous = NORMAL",  # a power cut may lose the last transactions, but never the file
        f"journal_size_limit = {_LOG_BYTES}",
        f"wal_autocheckpoint = {_LOG_BYTES // 2 // _PAGE}",
        "cache_size = -32768",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    if _header(connection) == (_APPLICATION, SCHEMA_VERSION):
        return
    with transaction(connection, "IMMEDIATE"):
        _make_tables(connection)


def _make_tables(connection: sqlite3.Connection) -> None:
    application, version = _header(connection)  # again: another process may have been quicker
    tables = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    if application != _APPLICATION and (application or tables):
        raise CacheUnusableError("it is the database of another program")
    if version > SCHEMA_VERSION:
        raise CacheUnusableError("it was written by a newer version of Genus")
    if version == SCHEMA_VERSION:
        return
    for name in tables:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version
