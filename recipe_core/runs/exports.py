"""How does a run get into another tool's files?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recipe_core.kernel.errors import Misuse, UnknownName
from recipe_core.runs.folder import RunFolder


def export(folder: RunFolder, kind: str, dest: Path) -> Path:
    """Writes the run below `dest` as `tensorboard` or `mlflow`; the folder to open there.

    Raises UnknownName for another kind, Misuse where the tool's package is not installed or `dest`
    cannot be written.
    """
    try:
        return _writer(kind)(folder, dest.resolve())
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in ("tensorboard", "mlflow"):
            raise
        raise Misuse(
            f"The package {e.name} is not installed. Run: pip install 'recipe-workbench[{kind}]'"
        ) from None
    except OSError as e:
        raise Misuse(f"{dest} cannot be written: {e.strerror or e}.") from None


def _writer(kind: str) -> Callable[[RunFolder, Path], Path]:
    if kind == "tensorboard":
        from recipe_core.runs.to_tensorboard import write

        return write
    if kind == "mlflow":
        from recipe_core.runs.to_mlflow import write as write_store

        return write_store
    raise UnknownName("kind of export", kind, ("tensorboard", "mlflow"))
