"""Which engine is meant by this name, and how many workers does this machine carry?"""

from __future__ import annotations

import os
from pathlib import Path

from recipe_core.execution.executor import Executor
from recipe_core.kernel.errors import BadSetting, UnknownName

ENGINES = {
    "local": "worker processes on this machine",
    "here": "this process, without protection from crashes and hangs",
    "ray": "a Ray cluster (RAY_ADDRESS), or Ray on this machine",
}
"""name -> where the work runs"""

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def engine(
    name: str, workers: int | None = None, ahead: str = "", without: tuple[str, ...] = (),
    keep: bool = False,
) -> Executor:  # fmt: skip
    """The engine called `name`; `workers` >= 1, by default one per usable core.

    keep   local workers wait for a further map until `close`
    ahead  module that local workers import at once, without those modules; '' starts none ahead
    One local worker is still a process of its own: protection from a crash needs one.
    Raises UnknownName for another name, BadSetting for workers < 1, Misuse for "ray" without Ray.
    """
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    if workers is not None and workers < 1:
        raise BadSetting(f"workers must be at least 1, not {workers}.")
    if name == "here":
        from recipe_core.execution.here import Here

        return Here()
    if name == "ray":
        from recipe_core.execution.ray_engine import RayEngine

        return RayEngine(workers)
    from recipe_core.execution.processes import LocalProcesses

    local = LocalProcesses(workers or usable_cores(), keep)
    if ahead:
        local.start_ahead(ahead, without)
    return local


def usable_cores(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Cores this process may use, >= 1: its affinity, and no more than its container's quota."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13, knows -X cpu_count too
        allowed = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, int(min(allowed, _quota(cgroups, own))))


def _quota(cgroups: Path, own: Path) -> float:
    """The smallest CPU quota (in cores) of our control group and those above; inf without one."""
    folders = [cgroups, cgroups / "cpu"]
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            base = cgroups if controllers == "" else cgroups / "cpu"
            parts = Path(path.lstrip("/")).parts
            folders += [base.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return min(_quota_of(folder) for folder in folders)


def _quota_of(folder: Path) -> float:
    """cpu.max of cgroup 2 ("200000 100000" or "max 100000"), or the two files of cgroup 1."""
    words = _text(folder / "cpu.max").split() or [
        *_text(folder / "cpu.cfs_quota_us").split(),
        *_text(folder / "cpu.cfs_period_us").split(),
    ]
    if len(words) != 2 or words[0] in ("max", "-1"):
        return float("inf")
    return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
