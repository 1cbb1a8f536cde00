"""How does a process do without a module that is installed?

Arrow imports pandas wherever it finds it, on the first array it makes: half a second and 60 MB of
every process, for a scan that has no use for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Hidden:
    """A finder; importlib.abc, whose base class says so, costs every worker 10 ms."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is hidden in this process", name=name)
        return None


def hide(names: Iterable[str]) -> None:
    """From now on importing these top-level modules fails, unless they are imported already."""
    sys.meta_path.insert(0, _Hidden(names))
