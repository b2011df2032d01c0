"""What the project promises about its own shape. The floors themselves are import-linter's (pyproject.toml)."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import genus

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("torch", "sklearn", "scipy", "cv2", "PIL", "onnx", "onnxruntime", "openvino", "pandas", "pyarrow")
MAX_LINES = 400
MAX_FUNCTION_LINES = 40


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules_after(code: str) -> set[str]:
    """The top-level modules loaded in a fresh interpreter once `code` has run."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("exported", genus.__all__)
def test_every_public_name_can_be_imported(exported: str) -> None:
    assert getattr(genus, exported) is not None


def test_the_public_names_are_those_that_are_handed_on() -> None:
    assert set(genus.__all__) == {*genus._EXPORTS, "__version__"}
    assert list(genus.__all__) == sorted(genus.__all__)
    assert set(genus.__all__) <= set(dir(genus))
    tree = ast.parse((SOURCE / "genus" / "__init__.py").read_text("utf-8"))
    typed = {
        (alias.name, node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(genus._EXPORTS.items()), "what type checkers see differs from what is imported"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'classify_everything'"):
        _ = genus.classify_everything


def test_import_genus_loads_nothing_heavy() -> None:
    assert not modules_after("import genus") & {*HEAVY, "numpy"}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['genus', '--help']\nfrom genus.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert stop.code in (0, None), stop.code"
    )
    script = f"{code}\nprint('modules:', *(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "train" in done.stdout
    loaded = set(done.stdout.rpartition("modules:")[2].split())
    assert not loaded & {*HEAVY, "numpy"}


def test_prediction_does_not_load_scikit_learn() -> None:
    assert not modules_after("import genus.predictor") & {"sklearn", "scipy", "pandas", "onnx", "openvino"}


@pytest.mark.parametrize(
    "module",
    [
        "predictor",
        "estimators.classifier",
        "features.trained",
        "cnn.networks",
        "cnn.spec",
        "cli.train",
        "cli.cnn_describe",
    ],
)
def test_pytorch_is_loaded_for_networks_only(module: str) -> None:
    """Import-linter lets genus.cnn import PyTorch; this is for what imports genus.cnn."""
    assert "torch" not in modules_after(f"import genus.{module}")


def test_files_that_load_pytorch_are_imported_where_they_are_needed() -> None:
    """Outside genus.cnn never at the top of a file, or whatever imports that file would need PyTorch."""
    networks = SOURCE / "genus" / "cnn"
    loading = {
        f"genus.cnn.{path.stem}"
        for path in networks.glob("*.py")
        if any(each.split(".")[0] == "torch" for each in imported_at_once(path))
    }
    assert "genus.cnn.network" in loading and "genus.cnn.networks" not in loading
    for path in FILES:
        if path.parent != networks:
            assert not loading & set(imported_at_once(path)), name(path)


def imported_at_once(path: Path) -> Iterator[str]:
    """The modules that a file imports as soon as it is imported itself."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= MAX_FUNCTION_LINES, f"{node.name} is too long"


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring not counted."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_asserts_and_no_bare_excepts(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: errors are raised, not asserted"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_names_are_imported_from_the_file_that_defines_them(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "genus":
            target = SOURCE / Path(*str(node.module).split("."))
            is_module = target.with_suffix(".py").is_file()
            are_modules = all((target / f"{alias.name}.py").is_file() for alias in node.names)
            assert is_module or are_modules, (
                f"line {node.lineno}: 'from {node.module} import ...' goes through an __init__"
            )
            assert node.level == 0


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name == "__init__.py" and p.parent.name != "genus"], ids=name
)
def test_packages_hold_only_a_docstring(path: Path) -> None:
    body = ast.parse(path.read_text("utf-8")).body
    assert len(body) == 1 and isinstance(body[0], ast.Expr)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_drawer_for_odds_and_ends(path: Path) -> None:
    assert not re.search(r"util|helper|common|manager|misc", path.stem)


def test_the_version_is_written_in_one_place() -> None:
    wanted = genus.__version__
    assert version("genus") == wanted or os.environ.get("CI") is None  # an old editable install lags behind
    found = [
        name(path) for path in FILES if re.search(rf"[\"']{re.escape(wanted)}[\"']", path.read_text("utf-8"))
    ]
    assert found == ["src/genus/_version.py"]
    project = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[0]
    assert f'version = "{wanted}"' not in project


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{genus.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_nothing_points_into_the_developers_machine() -> None:
    written = [
        path for folder in ("tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")
    ]
    for path in [*FILES, *(path for path in written if ".venv" not in str(path))]:
        text = path.read_text("utf-8")
        assert not re.search(r"[\"'](/home/|/work/|/root/)", text), name(path)
