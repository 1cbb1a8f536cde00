"""What does a run use of the machine? Memory and processor of its processes, and of its GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import psutil


def watcher(device: str) -> Callable[[], Mapping[str, Any]]:
    """A function that measures, each time it is called, this process and all below it.

    memory_mb        resident memory, summed over the processes (pages shared by forked ones count
                     in each)
    machine_mb, machine_used_mb   the machine's memory
    cpu_percent      of one core, since the last call
    processes        how many
    """
    known: dict[int, psutil.Process] = {}

    def look() -> dict[str, Any]:
        family = _family(known)
        memory, cpu = 0, 0.0
        for process in family:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
                cpu += process.cpu_percent()
        machine = psutil.virtual_memory()
        return {
            "memory_mb": round(memory / 2**20, 1), "cpu_percent": round(cpu, 1),
            "processes": len(family), "machine_mb": round(machine.total / 2**20, 1),
            "machine_used_mb": round((machine.total - machine.available) / 2**20, 1),
        }  # fmt: skip

    return look


def _family(known: dict[int, psutil.Process]) -> list[psutil.Process]:
    """This process and its descendants; the same objects as last time, which know their times."""
    me = psutil.Process()
    found = {p.pid: known.get(p.pid, p) for p in [me, *me.children(recursive=True)]}
    known.clear()
    known.update(found)
    return list(found.values())
