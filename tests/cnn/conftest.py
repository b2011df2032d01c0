"""What the tests of networks share."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small networks are no faster on several cores, which other tests are using."""
    torch = pytest.importorskip("torch", reason="networks are made in PyTorch")
    torch.set_num_threads(1)
