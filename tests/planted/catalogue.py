"""Which pipelines are planted, and what must be said of each?

`tasks/bugs/*.py` hold exactly one silent bug each, `tasks/healthy/*.py` none. The first lines of
each file are the table:

    # planted: the bug in one sentence          (or  # healthy: what is unusual but right)
    # must: ids of which at least one must fail
    # may: further ids that the bug explains; any other accusation is a false alarm
    # data: digits, or a set of tests/planted/task_data.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TASKS = Path(__file__).parent / "tasks"


@dataclass(frozen=True)
class PlantedTask:
    """One task file of the suite.

    must  check ids of which at least one must fail; empty for a healthy task
    may   ids that the same bug explains
    """

    path: Path
    says: str
    data: str
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def healthy(self) -> bool:
        return not self.must


def bugs(tasks: Path = TASKS) -> tuple[PlantedTask, ...]:
    return tuple(read(p) for p in sorted((tasks / "bugs").glob("*.py")))


def healthy(tasks: Path = TASKS) -> tuple[PlantedTask, ...]:
    return tuple(read(p) for p in sorted((tasks / "healthy").glob("*.py")))


def read(path: Path) -> PlantedTask:
    """The table in the first lines of a task file."""
    lines = path.read_text("utf-8").splitlines()
    table = dict(line[2:].split(":", 1) for line in lines[:4] if line.startswith("# "))
    says = table.get("planted") or table["healthy"]
    return PlantedTask(
        path, says.strip(), table["data"].strip(), _ids(table.get("must")), _ids(table.get("may"))
    )


def _ids(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
