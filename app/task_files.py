"""Which task files may be examined? Python files below the folder that the app was started in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from recipe_core.kernel.errors import Misuse

MOST_FILES, MOST_FOLDERS, DEEPEST = 400, 3000, 6
SKIPPED = frozenset({
    "node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist", "recipe_core",
})  # fmt: skip
TASK = re.compile(
    rb"^(?:def (?:build_(?:model|transform|loss|optimizer|scheduler)|train_loader|eval_loader"
    rb"|train_step|predict|evaluate|save_checkpoint|load_checkpoint|label_map)\b"
    rb"|(?:frozen|pretrained_normalization|scheduler_interval)\s*=)",
    re.MULTILINE,
)
"""What a task file defines at its top level, at least one of them."""
LONGEST = 1_000_000


def started_in() -> Path:
    """Where the app was started: task files are offered from below it only."""
    return Path.cwd()


def task_files(root: Path) -> list[str]:
    """Paths below `root` of files that define something of a task, in name order.

    Hidden folders, installed packages and links that lead out of `root` are left out.
    """
    found = (path for path in _python_files(root) if is_task(path) and is_below(path, root))
    return sorted(str(p.relative_to(root)) for p, _ in zip(found, range(MOST_FILES), strict=False))


def _python_files(root: Path) -> Iterator[Path]:
    for n, (folder, folders, files) in enumerate(os.walk(root)):
        deep = len(Path(folder).relative_to(root).parts) >= DEEPEST
        folders[:] = [] if deep else sorted(
            f for f in folders if f not in SKIPPED and not f.startswith(".")
        )  # fmt: skip
        yield from (Path(folder, f) for f in sorted(files) if f.endswith(".py"))
        if n >= MOST_FOLDERS:
            return


def is_task(path: Path) -> bool:
    """Whether the file defines a function of the task contract; it is read, never run."""
    try:
        return path.stat().st_size <= LONGEST and TASK.search(path.read_bytes()) is not None
    except OSError:
        return False


def is_below(path: Path, root: Path) -> bool:
    """Whether the path, links followed, lies below `root`."""
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
    except (OSError, RuntimeError):  # gone, or links in a circle
        return False


def chosen(root: Path, name: str) -> Path:
    """The file that a picker named. Raises Misuse for one outside `root`, whoever named it."""
    path = root / name
    if "\0" in name or not is_below(path, root) or path.suffix != ".py" or not path.is_file():
        raise Misuse(f"{name!r} is no Python file below {root}, where the app was started.")
    return path.resolve()


def vetted(root: Path, embedding: str) -> str:
    """The same embedding, a task file in it by its path. Raises Misuse for one outside `root`:
    whoever reaches the app must not choose which code it runs."""
    what, _, rest = embedding.strip().partition(":")
    if what != "task":
        return embedding.strip()
    name, mark, weights = rest.partition(".py:")
    file = chosen(root, f"{name}.py" if mark else rest)
    return f"task:{file}:{weights}" if weights else f"task:{file}"
