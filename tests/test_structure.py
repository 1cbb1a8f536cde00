"""Do imports point in the one direction, and is a wrong one noticed?"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("recipe_core", "app", "pages")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
HEAVY = {"streamlit", "plotly", "pandas", "sklearn", "scipy", "torch", "ray", "matplotlib"}

VIOLATIONS = {
    "front": ("app/planted.py", "import pages"),
    "front from below": ("recipe_core/kernel/planted.py", "import app"),
    "front desk": ("recipe_core/data/planted.py", "from recipe_core import recipe"),
    "second desk": ("recipe_core/data/planted.py", "from recipe_core import pipeline"),
    "the second desk from the front desk": (
        "recipe_core/recipe.py",
        "from recipe_core import pipeline",
    ),
    "a stage from a workshop": ("recipe_core/images/planted.py", "import recipe_core.data.survey"),
    "a workshop from the store": ("recipe_core/store/planted.py", "import recipe_core.images.look"),
    "the store from the kernel": (
        "recipe_core/kernel/planted.py",
        "import recipe_core.store.query",
    ),
    "two stages": ("recipe_core/skeleton/__init__.py", "import recipe_core.data.survey"),
    "a folder without a place": ("recipe_core/helpers/__init__.py", ""),
    "streamlit": ("recipe_core/reporting/planted.py", "import streamlit"),
    "torch": ("recipe_core/images/planted.py", "def f():\n    import torch"),
    "torch in a page": ("pages/planted.py", "import torch"),
    "torch in a description": ("recipe_core/training/config.py", "import torch"),
    "ray": ("recipe_core/execution/planted.py", "import ray"),
    "optuna": ("recipe_core/runs/planted.py", "import optuna"),
}
BROKEN = {
    "front": "pages -> app -> recipe_core BROKEN",
    "front from below": "pages -> app -> recipe_core BROKEN",
    "streamlit": "no streamlit under recipe_core BROKEN",
    "torch": "torch only in training, probes and images/embedding BROKEN",
    "torch in a page": "torch only in training, probes and images/embedding BROKEN",
    "torch in a description": "a run can be described without torch BROKEN",
    "ray": "ray in one file, optuna nowhere yet BROKEN",
    "optuna": "ray in one file, optuna nowhere yet BROKEN",
}


def test_imports_point_one_way() -> None:
    assert _lint_imports(ROOT) == (0, "")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the code in which something can be planted."""
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("__pycache__", "_web")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_unchanged_copy_passes(house: Path) -> None:
    assert _lint_imports(house) == (0, "")


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_wrong_import_is_noticed(house: Path, name: str) -> None:
    file, code = VIOLATIONS[name]
    (house / file).parent.mkdir(exist_ok=True)
    (house / file).write_text(f'"""What is planted here?"""\n\n{code}\n', encoding="utf-8")
    exit_code, said = _lint_imports(house)
    assert exit_code == 1
    expected = BROKEN.get(name, "pipeline -> recipe -> stages -> workshops")
    assert said.startswith(expected), said


def _lint_imports(folder: Path) -> tuple[int, str]:
    """Exit code, and the lines of the contracts that broke."""
    done = subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"}, check=False,
    )  # fmt: skip
    kept_or_broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    if done.returncode and not kept_or_broken:
        return done.returncode, done.stdout + done.stderr
    return done.returncode, "\n".join(kept_or_broken)


# -- files --------------------------------------------------------------------------------------


def _modules() -> list[Path]:
    return sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def _complaint(source: str, is_init: bool) -> str:
    """What the house's manners have against a module; '' where nothing."""
    tree = ast.parse(source)
    if is_init and any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
        return "an __init__ file re-exports"
    first = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    asks = "?" in first or first.startswith(("What ", "Which ", "How "))
    if not is_init and tree.body and not asks:
        return "the first lines of a module are the question that it answers"
    return ""


def test_modules_open_with_their_question_and_init_files_re_export_nothing() -> None:
    public = ROOT / "recipe_core" / "__init__.py"
    found = {
        str(p.relative_to(ROOT)): _complaint(p.read_text(encoding="utf-8"), p.name == "__init__.py")
        for p in _modules()
        if p != public
    }
    assert {p: c for p, c in found.items() if c} == {}


@pytest.mark.parametrize(
    ("source", "is_init", "complains"),
    [
        ('"""Which?"""\nX = 1\n', False, False),
        ('"""Things."""\nX = 1\n', False, True),
        ("X = 1\n", False, True),
        ("", True, False),
        ("from os import path\n", True, True),
    ],
)
def test_manners_are_noticed(source: str, is_init: bool, complains: bool) -> None:
    assert bool(_complaint(source, is_init)) is complains


# -- what a command loads -----------------------------------------------------------------------

LOADED = """
import sys
sys.argv = ["recipe", *sys.argv[1:]]
try:
    from recipe_core.cli import main
    code = main()
except SystemExit as e:
    code = e.code
print("LOADED", code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _loaded(*arguments: str) -> tuple[int, set[str]]:
    """Exit code of a command, and the top-level modules that it had loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, code, *names = done.stdout.splitlines()[-1].split()
    return int(code), set(names)


def test_help_loads_no_library() -> None:
    code, names = _loaded("--help")
    assert code == 0
    assert names & (HEAVY | {"numpy", "pyarrow", "PIL", "duckdb"}) == set()


def test_a_scan_starts_without_heavy_libraries(tmp_path: Path) -> None:
    """A source that is not there: everything up to the first look at the files has happened."""
    missing = tmp_path / "no such folder"
    code, names = _loaded("scan", str(missing), "-w", str(tmp_path / "w"), "--json")
    assert code == 2
    assert "pyarrow" in names, "the scan did not get as far as the front desk"
    # pyarrow loads pandas by itself as soon as it makes an array or casts one
    assert names & (HEAVY - {"pandas"}) == set()


TORCH = {"torch", "torchvision", "tensorboard", "mlflow"}


def test_a_whole_scan_and_the_ledger_load_no_torch(tmp_path: Path) -> None:
    from PIL import Image

    from recipe_core.runs.folder import RunFolder
    from recipe_core.store.workspace import write_json

    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(4):
            noise = Image.effect_noise((32, 32), 50 + 10 * i)
            noise.save(tmp_path / "photos" / label / f"{i}.png")
    place = tmp_path / "w"
    code, names = _loaded("scan", str(tmp_path / "photos"), "-w", str(place), "--engine", "here")
    assert code == 0 and names & TORCH == set()
    run = RunFolder(place / "runs" / "train-20260101-000000-abcd")
    run.path.mkdir(parents=True)
    asked = {"kind": "train", "title": "t", "config": {}, "entry": "", "command": "",
             "created": 1.0, "device": "cpu"}  # fmt: skip
    write_json(run.config, asked)
    for words in (["list", "--json"], ["show"]):
        code, names = _loaded("runs", *words, "-w", str(place))
        assert code == 0 and "psutil" in names and names & (HEAVY | TORCH) - {"pandas"} == set()


def test_the_app_starts_without_torch() -> None:
    code = (
        "import sys, app.main, app.router\n"
        "from recipe_core import pipeline, recipe\n"
        "print(sorted(m for m in sys.modules if m in ('torch', 'torchvision', 'streamlit')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == "['streamlit']", done.stderr
