"""The feature cache: what it keeps, and that nothing can make it stand in the way."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from genus.errors import OutputError
from genus.features.cache import FeatureCache, feature_key
from genus.features.cache_rows import CachedImage, FileStamp
from genus.images.decode import ImageInfo
from genus.progress import SilentProgress

D = 32


def content(i: int) -> str:
    return hashlib.blake2b(b"%d" % i, digest_size=16).hexdigest()


def image(i: int) -> CachedImage:
    return CachedImage(ImageInfo(640 + i, 480, "JPEG", "RGB", 1000 + i, content(i)), (1 << 64) - 1 - i)


def row(i: int, d: int = D) -> np.ndarray:
    return np.random.default_rng(i).normal(size=d).astype(np.float32)


def fill(cache: FeatureCache, ids: range, key: str = "key", d: int = D) -> None:
    cache.write(key, [image(i) for i in ids], np.stack([row(i, d) for i in ids]))


def found(cache: FeatureCache, ids: range, key: str = "key", d: int = D) -> list[int]:
    """Which of the rows are there; checks that they are right."""
    out = np.full((len(ids), d), np.nan, np.float32)
    images = cache.read(key, [content(i) for i in ids], out)
    for i, got, x in zip(ids, images, out, strict=True):
        assert (got is None) == bool(np.isnan(x).all())
        if got is not None:
            assert got == image(i)
            np.testing.assert_array_equal(x, row(i, d))
    return [i for i, got in zip(ids, images, strict=True) if got is not None]


@dataclass
class Recorder(SilentProgress):
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "features.sqlite"


# ---- what it keeps ----


def test_rows_come_back_bit_for_bit_also_in_another_session(path: Path) -> None:
    with FeatureCache(path) as cache:
        assert found(cache, range(5)) == []
        fill(cache, range(0, 2000, 2))
        assert found(cache, range(2000)) == list(range(0, 2000, 2))
    with FeatureCache(path) as cache:
        assert found(cache, range(2000)) == list(range(0, 2000, 2))


def test_repeated_hashes_all_get_their_row(path: Path) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(2))
        out = np.zeros((3, D), np.float32)
        assert cache.read("key", [content(1)] * 3, out) == [image(1)] * 3
        np.testing.assert_array_equal(out, [row(1)] * 3)


def test_another_key_or_width_finds_nothing(path: Path) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(3))
        assert found(cache, range(3), key="other") == []
        assert found(cache, range(3), d=D + 1) == []
        fill(cache, range(3), key="other", d=D + 1)
        assert found(cache, range(3), key="other", d=D + 1) == found(cache, range(3)) == [0, 1, 2]


def test_writing_again_keeps_one_row_each(path: Path) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(3))
        fill(cache, range(5))
        assert (cache.stats().n_rows, cache.stats().n_images) == (5, 5)
        assert found(cache, range(5)) == [0, 1, 2, 3, 4]


def test_everything_that_changes_the_numbers_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Settings:
        text: str = "{}"
        identity: str = "net"

        @property
        def preprocess(self) -> "Settings":
            return self

        def to_json(self) -> str:
            return self.text

    keys = [
        feature_key(Settings(), "openvino"),
        feature_key(Settings(text='{"fit": "pad"}'), "openvino"),
        feature_key(Settings(identity="other"), "openvino"),
        feature_key(Settings(), "onnxruntime"),
    ]
    monkeypatch.setattr("genus.features.cache.DECODER_VERSION", 10**6)
    keys.append(feature_key(Settings(), "openvino"))
    assert len(set(keys)) == 5


# ---- the quick index ----


def settled_file(tmp_path: Path, name: str = "a.jpg", data: bytes = b"12345") -> Path:
    file = tmp_path / name
    file.write_bytes(data)
    return file


def remember(cache: FeatureCache, stamp: FileStamp) -> None:
    cache.write("key", [image(0)], row(0)[None], [stamp])


def trusted(file: Path) -> FileStamp:
    stamp = FileStamp.of(file)
    assert stamp is not None
    return FileStamp(stamp.path, stamp.state, settled=True)  # as if it had been there for a while


def test_an_unchanged_file_is_known_without_reading_it(path: Path, tmp_path: Path) -> None:
    file = settled_file(tmp_path)
    with FeatureCache(path) as cache:
        remember(cache, trusted(file))
        other = settled_file(tmp_path, "b.jpg")
        stamps = [FileStamp.of(file), FileStamp.of(other), None, FileStamp.of(file)]
        assert cache.content_hashes(stamps) == [content(0), None, None, content(0)]


@pytest.mark.parametrize("change", ["other bytes, same size and times", "longer", "touched", "replaced"])
def test_a_changed_file_is_not_known(path: Path, tmp_path: Path, change: str) -> None:
    file = settled_file(tmp_path)
    os.utime(file, (1e9, 1e9))
    with FeatureCache(path) as cache:
        remember(cache, trusted(file))
        time.sleep(0.02)  # the kernel's clock for files ticks every few milliseconds
        if change == "replaced":
            settled_file(tmp_path, "new").replace(file)
        elif change != "touched":
            file.write_bytes(b"1234567" if change == "longer" else b"54321")
        os.utime(file, (1e9 + 1, 1e9 + 1) if change == "touched" else (1e9, 1e9))
        assert cache.content_hashes([FileStamp.of(file)]) == [None]


def test_a_file_written_a_moment_ago_is_not_trusted(path: Path, tmp_path: Path) -> None:
    stamp = FileStamp.of(settled_file(tmp_path))
    assert stamp is not None and not stamp.settled
    with FeatureCache(path) as cache:
        remember(cache, stamp)
        assert cache.content_hashes([stamp]) == [None]


def test_no_path_is_kept(path: Path, tmp_path: Path) -> None:
    with FeatureCache(path) as cache:
        remember(cache, trusted(settled_file(tmp_path, "holiday-in-rome.jpg")))
    assert b"holiday-in-rome" not in path.read_bytes()


def test_a_missing_file_has_no_stamp(tmp_path: Path) -> None:
    assert FileStamp.of(tmp_path / "nothing") is None
    assert FileStamp.of(Path("nul\0byte")) is None


# ---- its size ----


def test_it_stays_near_its_limit_and_keeps_what_was_used_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, d, clock = 4 << 20, 1280, [1e9]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    with FeatureCache(path, limit=limit) as cache:
        for start in range(0, 2000, 100):
            clock[0] += 4000
            fill(cache, range(start, start + 100), d=d)
            assert found(cache, range(50), d=d) == list(range(50))  # used again and again
            assert cache.size() <= 1.3 * limit + (4 << 20)
        there = found(cache, range(2000), d=d)
        assert there[:50] == list(range(50))
        assert there[50:] == list(range(2000 - len(there) + 50, 2000))
        assert 400 < len(there) < 900
        cache.prune(1 << 20)
        assert cache.size() < 2 << 20
        assert found(cache, range(2000), d=d)


def test_clear_gives_the_space_back(path: Path) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(500), d=1280)
        assert cache.size() > 2_000_000
        cache.clear()
        assert cache.size() < 500_000
        stats = cache.stats().to_dict()
        assert (stats["n_rows"], stats["n_images"], stats["n_files"], stats["problem"]) == (0, 0, 0, None)
        fill(cache, range(3))
        assert found(cache, range(3)) == [0, 1, 2]


# ---- trouble ----


@pytest.mark.parametrize("damage", ["not a database", "empty pages", "cut short"])
def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(path: Path, damage: str) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(300), d=1280)
    data = path.read_bytes()
    if damage == "not a database":
        path.write_bytes(b"hello" * 10000)
    elif damage == "empty pages":
        path.write_bytes(data[:40000] + b"\xff" * (len(data) - 40000))
    else:
        path.write_bytes(data[: len(data) // 3])
    progress = Recorder()
    with FeatureCache(path, progress=progress) as cache:
        there = found(cache, range(300), d=1280)
        fill(cache, range(300), d=1280)
        assert there == [] and found(cache, range(300), d=1280) == list(range(300))
        assert cache.problem is None
    assert len(progress.said) == 1 and "is damaged" in progress.said[0]
    assert path.with_name("features.sqlite.damaged").exists()


def test_an_empty_file_is_a_fresh_cache(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    progress = Recorder()
    with FeatureCache(path, progress=progress) as cache:
        fill(cache, range(3))
        assert found(cache, range(3)) == [0, 1, 2]
    assert progress.said == []


def test_an_older_schema_is_replaced(path: Path) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(3))
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 0")
    db.execute("ALTER TABLE rows RENAME TO something_old")
    db.commit()
    db.close()
    with FeatureCache(path) as cache:
        assert found(cache, range(3)) == []
        fill(cache, range(3))
        assert found(cache, range(3)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [("PRAGMA user_version = 99", "newer version"), ("PRAGMA application_id = 5", "another program")],
)
def test_what_is_not_ours_is_left_alone(path: Path, statement: str, reason: str) -> None:
    with FeatureCache(path) as cache:
        fill(cache, range(3))
    db = sqlite3.connect(path)
    db.execute(statement)
    db.close()
    progress = Recorder()
    with FeatureCache(path, progress=progress) as cache:
        assert found(cache, range(3)) == []
        fill(cache, range(3))
        assert cache.stats().problem == cache.problem
    assert len(progress.said) == 1 and reason in progress.said[0] and "is not used" in progress.said[0]
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM rows").fetchone() == (3,)
    db.close()


def test_a_foreign_database_without_a_mark_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE letters (id INTEGER)")
    db.close()
    with FeatureCache(path) as cache:
        fill(cache, range(3))
        assert cache.problem == "it is the database of another program"


def test_where_no_folder_can_be_made_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    progress = Recorder()
    cache = FeatureCache(tmp_path / "file" / "features.sqlite", progress=progress)
    fill(cache, range(3))
    assert found(cache, range(3)) == []
    assert cache.content_hashes([None]) == [None]
    assert cache.stats().n_rows == 0
    assert len(progress.said) == 1 and "is not used" in progress.said[0]
    with pytest.raises(OutputError, match="cannot clear the feature cache"):
        cache.clear()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    progress = Recorder()
    cache = FeatureCache(tmp_path / "features.sqlite", progress=progress)
    fill(cache, range(3))
    assert found(cache, range(3)) == [] and len(progress.said) == 1
    tmp_path.chmod(0o700)


def test_a_nearly_full_disk_keeps_nothing_new_but_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Recorder()
    with FeatureCache(path, progress=progress) as cache:
        fill(cache, range(3))
        monkeypatch.setattr("genus.features.cache._KEEP_FREE", 1 << 60)
        fill(cache, range(3, 6))
        fill(cache, range(3, 6))
        assert found(cache, range(6)) == [0, 1, 2]
    assert progress.said == [f"The feature cache {path} keeps nothing new: the disk is nearly full."]


def python(code: str, path: Path) -> "subprocess.Popen[str]":
    """Run code in another process, with `path`, `fill` and `found` at hand."""
    here = Path(__file__).resolve()
    lines = [
        "import sys",
        f"sys.path.insert(0, {str(here.parent)!r})",
        "from pathlib import Path",
        f"from {here.stem} import *",
        f"path = Path({str(path)!r})",
        code,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size")
def test_a_disk_that_fills_up_does_not_stop_the_work(path: Path) -> None:
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
progress = Recorder()
cache = FeatureCache(path, progress=progress)
fill(cache, range(100), d=1280)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, -1))
for start in range(100, 1000, 100):
    fill(cache, range(start, start + 100), d=1280)
there = found(cache, range(1000), d=1280)
assert there == list(range(len(there))) and 100 <= len(there) < 1000, there
print(*progress.said)
"""
    assert "keeps nothing new: the disk reports an error or is full" in finished(python(code, path))
    with FeatureCache(path) as cache:
        assert len(found(cache, range(100), d=1280)) == 100
        assert cache.problem is None


# ---- others at the same time ----


def test_threads_share_one_cache(path: Path) -> None:
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for i in range(start, start + 100, 20):
                fill(cache, range(i, i + 20))
                assert found(cache, range(i, i + 20)) == list(range(i, i + 20))
        except BaseException as error:
            failures.append(error)

    with FeatureCache(path) as cache:
        threads = [threading.Thread(target=work, args=(50 * n,)) for n in range(8)]  # overlapping rows
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert found(cache, range(450)) == list(range(450))
        assert cache.stats().n_rows == 450


def test_processes_write_at_once_also_while_the_file_is_made(path: Path) -> None:
    code = """
cache = FeatureCache(path, progress=Recorder())
for i in range(0, 1000, 50):
    fill(cache, range(i, i + 50))
    assert found(cache, range(i + 50)) == list(range(i + 50))
assert cache.problem is None and cache.progress.said == []
"""
    for process in [python(code, path) for _ in range(3)]:
        finished(process)
    with FeatureCache(path) as cache:
        assert cache.stats().n_rows == 1000
        assert found(cache, range(1000)) == list(range(1000))


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
def test_kill_9_loses_nothing_that_was_written(path: Path) -> None:
    code = """
cache = FeatureCache(path)
for i in range(0, 10**6, 50):
    fill(cache, range(i, i + 50), d=1280)
    print(i + 50, flush=True)
"""
    for wait in (0.0, 0.05, 0.11):
        with python(code, path) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip().isdigit()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            written = [50, *map(int, process.stdout.read().split())]
        progress = Recorder()
        with FeatureCache(path, progress=progress) as cache:
            there = found(cache, range(max(written) + 100), d=1280)
            assert there[: max(written)] == list(range(max(written)))  # whole transactions, and right
            assert len(there) % 50 == 0 and progress.said == []
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_opens_the_file_itself(path: Path) -> None:
    code = """
import os
cache = FeatureCache(path)
fill(cache, range(3))
child = os.fork()
if child == 0:
    fill(cache, range(3, 6))
    os._exit(0 if found(cache, range(6)) == list(range(6)) else 1)
fill(cache, range(6, 9))
assert os.waitpid(child, 0)[1] == 0
assert found(cache, range(9)) == list(range(9))
"""
    finished(python(code, path))
