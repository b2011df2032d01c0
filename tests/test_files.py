"""Writing files: whole or not at all, with the reason in plain words."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genus.errors import OutputError
from genus.files import atomic_write, cache_dir, check_writable, output_error, write_text


@given(st.binary(max_size=5000))
def test_what_is_written_is_there(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("f") / "file"
    with atomic_write(path) as file:
        file.write(data)
    assert path.read_bytes() == data


def test_the_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_write(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
def test_the_systems_errors_become_plain_words(tmp_path: Path, number: int, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=f"file: cannot write: {words}") as caught, atomic_write(path):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_an_error_without_a_number_keeps_its_own_words() -> None:
    assert str(output_error("x", OSError("odd thing"))) == "x: cannot write: odd thing."


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    link = tmp_path / "file"
    with pytest.raises(OutputError, match="the disk is full"), atomic_write(link) as file:
        with full.open("wb") as device:  # what the system says when a real disk is full
            device.write(b"x")
            device.flush()
        file.write(b"never")


def test_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import os, signal, sys\nfrom genus.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode != 0
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["with space", "ünï-код-文", "new\nline", "x" * 255, ".hidden"])
def test_any_name_the_system_takes(tmp_path: Path, name: str) -> None:
    if len(os.fsencode(name)) > 255:
        pytest.skip("too long for this file system")
    write_text(tmp_path / name, "héllo")
    assert (tmp_path / name).read_text("utf-8") == "héllo"
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the name is too long"), atomic_write(tmp_path / ("x" * 256)):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere" / "file")
    for text in ("new", "newer"):
        check_writable(link, force=True)
        write_text(link, text)
        assert link.is_symlink() and (tmp_path / "elsewhere" / "file").read_text() == text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@pytest.mark.parametrize("force", [False, True])
def test_check_writable_refuses_devices_and_pipes(tmp_path: Path, force: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OutputError, match="a device or a pipe, not a file"):
            check_writable(path, force=force)


def test_check_writable_says_yes_and_leaves_nothing(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "new.onnx") == tmp_path / "new.onnx"
    assert os.listdir(tmp_path) == []


def test_check_writable_guards_what_exists(tmp_path: Path) -> None:
    path = tmp_path / "old.onnx"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already. .* --force"):
        check_writable(path)
    assert check_writable(path, force=True) == path
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("force", [False, True])
def test_check_writable_refuses_a_folder(tmp_path: Path, force: bool) -> None:
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path, force=force)


def test_check_writable_refuses_a_missing_folder_and_a_file_as_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        check_writable(tmp_path / "no" / "file")
    (tmp_path / "a.txt").write_text("a file")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        check_writable(tmp_path / "a.txt" / "file")


def test_check_writable_refuses_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:  # root may write everywhere, so permissions taken away would not show
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="no permission to write there"):
        check_writable(tmp_path / "file")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENUS_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


@pytest.mark.skipif(os.name == "nt", reason="Windows has its own place")
def test_the_cache_folder_follows_the_systems_custom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GENUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "genus"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "genus"
