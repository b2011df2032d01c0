"""Fixtures for the tests and for the examples in docstrings."""

import os
from importlib import util
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent

# Workers of pytest-xdist share the cores already: threads of NumPy and PyTorch on top of that wait for one another,
# and the suite takes twice as long. Read when these libraries are loaded, so before any test is.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The files of genus.cnn import PyTorch at their top, so their examples cannot even be looked for where it is missing.
# So do files that tests of networks share; the tests say themselves why they are skipped.
_NEED_TORCH = ("image_batches", "lessons", "team_member")
collect_ignore_glob = (
    []
    if util.find_spec("torch")
    else ["src/genus/cnn/*.py", *(f"tests/cnn/{name}.py" for name in _NEED_TORCH)]
)

# The same examples in every run: a red test means that the change at hand broke it. Other examples now and
# then: pytest --hypothesis-profile=search
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("GENUS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data sets not found at {folder} (set GENUS_DATA)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache, but share what is slow to make among them, and among all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["GENUS_CACHE"] = os.environ.get("GENUS_TEST_CACHE") or str(folder / "genus-cache")
