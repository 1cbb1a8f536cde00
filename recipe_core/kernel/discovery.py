"""Which checks are there? The files of a stage's `checks` folder, in name order."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import Misuse


@cache
def checks_in(package: str) -> tuple[Check, ...]:
    """The CHECK of every module in `package`.

    Raises Misuse for a file without a CHECK and for two files with one id.
    """
    folder = importlib.import_module(package)
    found: dict[str, Check] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(folder.__path__)):
        check = getattr(importlib.import_module(f"{package}.{name}"), "CHECK", None)
        if not isinstance(check, Check):
            raise Misuse(
                f"{package}.{name} has no CHECK: every file in a checks folder is one check."
            )
        if check.id in found:
            raise Misuse(f"Two files in {package} have the id {check.id!r}.")
        found[check.id] = check
    return tuple(found.values())
