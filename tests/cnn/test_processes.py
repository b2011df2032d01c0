"""Several processes train one network as one would."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra cnn, is not installed")

MEMBER = Path(__file__).with_name("team_member.py")


@pytest.mark.enable_socket
def test_two_processes_give_the_network_of_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"alone": (0, 1), "leader": (0, 2), "other": (1, 2)}
    processes = {
        name: start(tmp_path / name, rank=rank, size=size, port=port) for name, (rank, size) in places.items()
    }
    found = {}
    for name, process in processes.items():
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err.decode()
        found[name] = torch.load(tmp_path / name, weights_only=True)
    weights, curve = found["alone"]
    for name in ("leader", "other"):
        theirs, their_curve = found[name]
        for (loss, score), (their_loss, their_score) in zip(curve, their_curve, strict=True):
            assert their_loss == pytest.approx(loss, rel=1e-3) and their_score == pytest.approx(
                score, abs=0.02
            )
        for key, value in weights.items():
            torch.testing.assert_close(theirs[key], value, rtol=0.02, atol=5e-3)
    assert all(torch.equal(value, found["other"][0][key]) for key, value in found["leader"][0].items())


def start(path: Path, *, rank: int, size: int, port: int) -> "subprocess.Popen[bytes]":
    team = {"RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    paths = os.pathsep.join([str(MEMBER.parent.parent), *sys.path])
    environment = {**os.environ, **{name: str(value) for name, value in team.items()}, "PYTHONPATH": paths}
    return subprocess.Popen(
        [sys.executable, str(MEMBER), str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
