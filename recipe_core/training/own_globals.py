"""What does a task file keep in its own globals, and how does it get back to where it began?

A gradient scaler, averaged weights, a shared body: a file may hold what outlives one training. In a
process of its own every training starts from what the file says; a bench that trains many models
in one process must see to that, or a rate that diverges leaves a scaler at 1e-30 to the next one.
"""

from __future__ import annotations

import contextlib
import copy
from types import ModuleType
from typing import Any


class OwnGlobals:
    """The globals of a task file as they were when it had been loaded.

    Kept: which names there are and what they are bound to; the state of whatever has `state_dict`
    and `load_state_dict`; what lists, dicts and sets hold that were not empty (what was empty may
    be a cache, which may stay).
    """

    def __init__(self, module: ModuleType) -> None:
        self._names = vars(module)
        self._bound = dict(self._names)
        self._states: dict[str, Any] = {}
        self._held: dict[str, Any] = {}
        for name, value in self._bound.items():
            if name.startswith("__") or isinstance(value, type):
                continue
            if isinstance(value, list | dict | set) and value:
                self._held[name] = copy.copy(value)
            elif hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
                with contextlib.suppress(Exception):  # a foreign object: nothing is owed
                    self._states[name] = copy.deepcopy(value.state_dict())

    def restore(self) -> None:
        """Everything as it was. What came since under a new name goes."""
        for name in [n for n in self._names if n not in self._bound]:
            del self._names[name]
        for name, value in self._bound.items():
            if self._names.get(name) is not value:
                self._names[name] = value
        for name, state in self._states.items():
            with contextlib.suppress(Exception):
                self._bound[name].load_state_dict(copy.deepcopy(state))
        for name, held in self._held.items():
            _filled(self._bound[name], held)


def _filled(container: Any, held: Any) -> None:
    container.clear()
    (container.extend if isinstance(container, list) else container.update)(held)
