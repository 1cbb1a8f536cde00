"""Where is kept what the probes of a training pipeline read?

    WORKSPACE/sanity/
      latest              name of the folder written last
      <key>/about.json    facts of the pipeline: task, device, seed, classes, sizes
      <key>/<probe>.json  numbers, error, seconds and version of one probe
      <key>/<probe>.npz   its arrays, where it has any

The key says what was under test: configuration, content of the task file, fingerprint of the data.
A probe's JSON is written last, so that it completes the arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import WorkspaceError
from recipe_core.kernel.plain import plain
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.store.workspace import Workspace, read_arrays, replaced, write_arrays, write_json


@dataclass(frozen=True)
class ReadingStore:
    """The folder of one pipeline's readings. Constructing it touches nothing."""

    folder: Path

    def write_about(self, about: Mapping[str, Any]) -> None:
        """Stores the facts of the pipeline and makes this the latest folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "about.json", plain(dict(about)))
        name = self.folder.name
        replaced(self.folder.parent / "latest", lambda p: p.write_text(name, encoding="ascii"))

    def write(self, name: str, version: int, reading: Reading) -> None:
        """Stores what one probe read, in place of what it read before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = self.folder / f"{name}.npz"
        if reading.arrays:
            write_arrays(arrays, reading.arrays)
        write_json(self.folder / f"{name}.json", {
            "version": version, "numbers": _coded(dict(reading.numbers)),
            "missing": reading.missing, "error": plain(reading.error),
            "traceback": plain(reading.traceback), "whose": reading.whose,
            "seconds": reading.seconds, "arrays": sorted(reading.arrays),
        })  # fmt: skip

    def forget(self, names: Iterable[str]) -> None:
        """Deletes what these probes read: they are about to run again."""
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def read(self, versions: Mapping[str, int]) -> Readings:
        """The readings of these probes (name -> version) that are there in this version."""
        found = {}
        for name, version in versions.items():
            path = self.folder / f"{name}.json"
            if path.exists():
                stored = _json(path)
                if stored.pop("version") == version:
                    found[name] = self._reading(name, stored)
        return Readings(found, self.about())

    def about(self) -> dict[str, Any]:
        """The facts of the pipeline; {} before it was opened."""
        path = self.folder / "about.json"
        facts: dict[str, Any] = _json(path) if path.exists() else {}
        return facts

    def _reading(self, name: str, stored: dict[str, Any]) -> Reading:
        wanted = stored.pop("arrays")
        arrays = read_arrays(self.folder / f"{name}.npz") if wanted else {}
        stored["numbers"] = _decoded(stored["numbers"])
        return Reading(**stored, arrays={k: arrays[k] for k in wanted})


def store_of(workspace: Workspace, key: str) -> ReadingStore:
    """The folder of the pipeline with this key."""
    return ReadingStore(workspace.path / "sanity" / key)


def latest(workspace: Workspace) -> ReadingStore | None:
    """The folder written last; None before the first run."""
    try:
        name = (workspace.path / "sanity" / "latest").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return store_of(workspace, name)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise WorkspaceError(f"{path} cannot be read ({e}). Run recipe sanity again.") from None


_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _coded(value: Any) -> Any:
    """Strict JSON that keeps NaN and infinities: as {"": "nan"}."""
    if isinstance(value, Mapping):
        return {str(k): _coded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_coded(v) for v in value]
    if hasattr(value, "tolist"):
        return _coded(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return {"": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    return plain(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {""} and value[""] in _SPECIAL:
            return _SPECIAL[value[""]]
        return {k: _decoded(v) for k, v in value.items()}
    return [_decoded(v) for v in value] if isinstance(value, list) else value
