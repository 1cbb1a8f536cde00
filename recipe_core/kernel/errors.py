"""What can go wrong, and whose turn it is next?

    RecipeError                 every error of ours; its text says what to do
    ├── Misuse                  the caller asked for something that is not there (exit code 2)
    │   ├── UnknownName         a check, parameter, column or format that does not exist
    │   ├── BadSetting          a value of the wrong type or outside its range
    │   └── SourceError         the data set cannot be read as asked
    ├── WorkspaceError          results cannot be stored or read (disk full, read-only, damaged)
    │   └── WorkspaceBusy       another process is scanning into this workspace
    ├── MissingInput            a check lacks what it needs: it is skipped, with this reason
    ├── ProbeFailed             a probe of the training pipeline raised, hung or died
    └── Cancelled               the user stopped it; what is done is kept

A broken image file is not an error here: it is a row with an error class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class RecipeError(Exception):
    """Base of every error that Recipe raises on purpose."""


class Misuse(RecipeError):
    """The call cannot be carried out as asked; the text says what to type instead."""


class UnknownName(Misuse):
    """A name that does not exist; the text lists the names that do."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        names = sorted(valid)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"There is no {kind} {name!r}.{hint} Valid: {', '.join(names) or 'none'}.")


class BadSetting(Misuse):
    """A parameter's value has the wrong type or lies outside its range."""


class SourceError(Misuse):
    """The data set cannot be read as asked."""


class WorkspaceError(RecipeError):
    """Results cannot be written or read; earlier results are intact."""


class WorkspaceBusy(WorkspaceError):
    """Another process holds the workspace; the text says which."""


class MissingInput(RecipeError):
    """A check cannot be judged without this input: it is skipped, with the reason."""


class ProbeFailed(RecipeError):
    """A probe of the training pipeline raised, hung or died; carries its name and its reading."""

    def __init__(self, probe: str, reading: Any) -> None:
        super().__init__(f"{probe}: {reading.error}")
        self.probe = probe
        self.reading = reading


class Cancelled(RecipeError):
    """The user stopped it; what is done is kept and the next call goes on from there."""
