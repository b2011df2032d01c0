"""Killed, interrupted, cut off, out of room: nothing is lost and nothing is left half-written.

The images here take a while to decode and are small on disk, so that there is time to interrupt.
"""

import errno
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .command import CHEAP, QUICK, below, done, finished, genus, start, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and limits of Unix")

N_SLOW = 32
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # also below `nohup`
)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 4 megapixels in two classes, all different."""
    folder = tmp_path_factory.mktemp("slow") / "slow"
    pictures = []
    for colour in ("navy", "orange"):
        path = tmp_path_factory.mktemp("one") / "one.png"
        Image.new("RGB", (2400, 1600), colour).save(path)
        pictures.append(path.read_bytes())
    for i in range(N_SLOW):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            pictures[i % 2] + str(i).encode()
        )  # what follows a PNG's end makes another file of it
    return folder


def rows_in(cache: Path) -> int:
    """How many feature vectors other processes have committed."""
    if not (cache / "features.sqlite").exists():
        return 0
    with closing(sqlite3.connect(f"file:{cache / 'features.sqlite'}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
        except sqlite3.OperationalError:  # not made yet
            return 0


class TestKill:
    @pytest.mark.parametrize("verb", ["features", "train"])
    def test_after_kill_9_the_second_run_goes_on_from_the_cache(
        self, verb: str, here: Path, slow: Path, empty_cache: Path, running: list[Any]
    ) -> None:
        arguments: tuple[object, ...] = ("features", slow, "-o", "x.npy", *CHEAP)
        if verb == "train":
            arguments = ("train", slow, "-o", "x.onnx", *QUICK)
        often = "import genus.features.workers as w; w._FLUSH_SECONDS = 0.2"
        running.append(start(*arguments, "--workers", 1, before=often))
        until(lambda: rows_in(empty_cache) > 0)
        running[0].kill()
        assert running[0].wait() == -signal.SIGKILL
        kept = rows_in(empty_cache)
        assert 0 < kept < N_SLOW
        assert not any(Path(name).exists() for name in ("x.npy", "x.onnx", "x.report.html"))
        found = done("features", slow, "-o", "y.npy", "--json", *CHEAP).json
        assert found["n_cached"] >= kept
        assert found["n_images"] == N_SLOW

    def test_kill_9_while_a_file_is_written_leaves_the_old_one(self, here: Path, digits: Path) -> None:
        (here / "x.csv").write_text("precious")
        killer = "import os, signal; os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)"
        process = start("features", digits, "-o", "x.csv", "--force", *CHEAP, before=killer)
        assert finished(process).code == -signal.SIGKILL
        assert (here / "x.csv").read_text() == "precious"


class TestInterrupt:
    @pytest.mark.parametrize(
        ("name", "code", "words"), [("SIGINT", 130, "Interrupted.\n"), ("SIGTERM", 143, "")]
    )
    @pytest.mark.parametrize(
        "arguments",
        [
            ("features", "SLOW", "-o", "x.npz", *CHEAP),
            ("predict", "-m", "MODEL", "SLOW", "--csv", "x.csv", "--parquet", "x.parquet"),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_it_ends_soon_and_leaves_nothing_half_written(
        self,
        arguments: tuple[str, ...],
        name: str,
        code: int,
        words: str,
        here: Path,
        slow: Path,
        model: Path,
        empty_cache: Path,
        running: list[Any],
    ) -> None:
        given = [{"SLOW": slow, "MODEL": model}.get(a, a) for a in arguments]
        running.append(start(*given, "--workers", 1, before=INTERRUPTIBLE))
        # predict has begun when its tables are begun, the others when the cache is opened
        until(
            lambda: below(here) if arguments[0] == "predict" else (empty_cache / "features.sqlite").exists()
        )
        running[0].send_signal(getattr(signal, name))
        outcome = finished(running[0])
        assert (outcome.code, outcome.out, outcome.err) == (code, "", words)
        assert below(here) == set()

    def test_what_was_computed_is_kept(
        self, here: Path, slow: Path, empty_cache: Path, running: list[Any]
    ) -> None:
        code = "import genus.features.workers as w; w._FLUSH_SECONDS = 1e9"  # only what the end saves
        running.append(
            start(
                *("features", slow, "-o", "x.npz", "--workers", 1, *CHEAP),
                before=f"{INTERRUPTIBLE}\n{code}\n{SAY_WHEN_READ}",
                stderr=-1,
            )
        )
        assert running[0].stderr.readline() == b"read 20\n"
        running[0].send_signal(signal.SIGINT)
        assert finished(running[0]).code == 130
        assert rows_in(empty_cache) >= 16


SAY_WHEN_READ = """
import sys
import genus.features.workers as workers
load, n = workers.load_image, 0
def counting(*arguments):
    global n
    n += 1
    if n == 20:
        print("read 20", file=sys.stderr, flush=True)
    return load(*arguments)
workers.load_image = counting
"""


def test_two_processes_on_one_cache(here: Path, digits: Path, empty_cache: Path, running: list[Any]) -> None:
    """They begin at once, with no cache there, and neither hinders the other."""
    for i in range(2):
        running.append(start("features", digits, "-o", f"{i}.npy", *CHEAP))
    for process in running:
        outcome = finished(process)
        assert (outcome.code, outcome.err) == (0, "")
    np.testing.assert_allclose(np.load("0.npy"), np.load("1.npy"), atol=1e-3)
    assert rows_in(empty_cache) == 48


class TestPipes:
    @pytest.mark.parametrize("json", [(), ("--json",)])
    def test_a_reader_that_has_gone_is_no_error(
        self, model: Path, fresh: Path, json: tuple[str, ...]
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        process = start("predict", "-m", model, fresh, *json, stdout=writing)
        os.close(writing)
        outcome = finished(process)
        assert (outcome.code, outcome.err) == (141, "")

    def test_help_may_be_cut_off_too(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        process = start("train", "--help", stdout=writing)
        os.close(writing)
        outcome = finished(process)
        assert "Traceback" not in outcome.err and outcome.err.count("\n") <= 1

    def test_a_list_comes_through_a_pipe(self, model: Path, fresh: Path) -> None:
        names = b"\n".join(os.fsencode(path) for path in fresh.glob("1/*"))
        outcome = finished(start("predict", "-m", model, "-", stdin=-1), stdin=names)
        assert outcome.code == 0 and outcome.out.count("\n") == 5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
@pytest.mark.parametrize("verb", ["predict", "info", "data", "evaluate"])
def test_a_full_disk_below_stdout_is_said(verb: str, model: Path, fresh: Path) -> None:
    arguments = {"predict": ("-m", model, fresh), "info": (model,), "data": (fresh,)}
    with open("/dev/full", "wb") as full:
        process = start(verb, *arguments.get(verb, (model, fresh)), stdout=full)
    outcome = finished(process)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1 and "No space left" in outcome.err
    assert "something in Genus went wrong" not in outcome.err


WRITERS: dict[str, tuple[str, ...]] = {
    "train": ("train", "DIGITS", "-o", "x.onnx", *QUICK),
    "train's report": ("train", "DIGITS", "-o", "OUT/x.onnx", "--report", "x.html", *QUICK),
    "evaluate": ("evaluate", "MODEL", "DIGITS", "--report", "x.html"),
    "features npz": ("features", "DIGITS", "-o", "x.npz", *CHEAP),
    "features npy": ("features", "DIGITS", "-o", "x.npy", *CHEAP),
    "features parquet": ("features", "DIGITS", "-o", "x.parquet", *CHEAP),
    "features csv": ("features", "DIGITS", "-o", "x.csv", *CHEAP),
    "predict csv": ("predict", "-m", "MODEL", "DIGITS", "--csv", "x.csv"),
    "predict jsonl": ("predict", "-m", "MODEL", "DIGITS", "--jsonl", "x.jsonl"),
    "predict parquet": ("predict", "-m", "MODEL", "DIGITS", "--parquet", "x.parquet"),
    "data html": ("data", "DIGITS", "--preview", "x.html"),
    "data png": ("data", "DIGITS", "--preview", "x.png"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only there can a file be told from its number")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_nothing(
    writer: str, model: Path, digits: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{file}")).parent == here:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    given = {"DIGITS": str(digits), "MODEL": str(model), "OUT/x.onnx": str(tmp_path / "x.onnx")}
    outcome = genus(*(given.get(word, word) for word in WRITERS[writer]))
    assert "cannot write: the disk is full" in outcome.complaint and "x." in outcome.complaint
    assert outcome.out == ""
    assert below(here) == set()


@pytest.mark.parametrize(
    "writer", ["features npz", "features csv", "features parquet", "predict parquet", "train"]
)
def test_a_limit_on_the_size_of_files_leaves_nothing(
    writer: str, digits: Path, model: Path, here: Path
) -> None:
    """The system's own refusal to let a file grow, in the middle of it."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))"
    given = [{"DIGITS": digits, "MODEL": model}.get(word, word) for word in WRITERS[writer]]
    outcome = finished(start(*given, before=limit))
    assert outcome.code == 2
    *earlier, complaint = outcome.err.splitlines()
    assert all(line.startswith("The feature cache") for line in earlier)  # it is used while there is room
    assert complaint.startswith("Error: x.") and "cannot write: " in complaint
    assert below(here) == set()


def test_sorting_into_a_full_disk_keeps_the_images_where_they_are(
    model: Path, fresh: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "pile").mkdir()
    image = here / "pile" / "1.png"
    image.write_bytes(min(fresh.glob("1/*")).read_bytes())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for how, call in {
        (): "os.fsync",
        ("--move",): "shutil.move",
        ("--link",): "pathlib.Path.symlink_to",
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(call, full)
            outcome = genus("predict", "-m", model, "pile", "--sort-into", "sorted", "--above", "0", *how)
        assert "the disk is full" in outcome.complaint
        assert image.is_file() and not any(path.is_file() for path in (here / "sorted").rglob("*"))
