"""What does a run use of the machine? Memory and processor of its processes, and of its GPU."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

CHILDREN = Path("/proc/thread-self/children")
Look = Callable[[], Mapping[str, Any]]


def watcher(device: str) -> Look:
    """A function that measures, each time it is called, this process and all below it.

    device   as `turns.physical` names it: "cuda:1", "cuda:GPU-…"; anything else has no GPU to ask

    memory_mb        resident memory, summed over the processes (pages shared by forked ones count
                     in each)
    machine_mb, machine_used_mb   the machine's memory
    cpu_percent      of one core, since the last call
    processes        how many
    gpu_percent      share of the last moment in which the GPU was busy, whoever's work it was
    gpu_memory_mb, gpu_memory_total_mb   of the GPU, whoever uses it
    """
    known: dict[int, psutil.Process] = {}
    gpu = _gpu(device)

    def look() -> dict[str, Any]:
        family = _family(known)
        memory, cpu = 0, 0.0
        for process in family:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
                cpu += process.cpu_percent()
        machine = psutil.virtual_memory()
        return {
            "memory_mb": _mb(memory), "cpu_percent": round(cpu, 1), "processes": len(family),
            "machine_mb": _mb(machine.total),
            "machine_used_mb": _mb(machine.total - machine.available), **gpu(),
        }  # fmt: skip

    return look


def _family(known: dict[int, psutil.Process]) -> list[psutil.Process]:
    """This process and its descendants; the same objects as last time, which know their times."""
    found: dict[int, psutil.Process] = {}
    for pid in [os.getpid(), *_descendants(os.getpid())]:
        with contextlib.suppress(psutil.Error):
            found[pid] = known.get(pid) or psutil.Process(pid)
    known.clear()
    known.update(found)
    return list(found.values())


def _descendants(pid: int) -> Iterator[int]:
    """Linux names a thread's children; psutil would read every process of the machine for them."""
    if not CHILDREN.exists():
        yield from (p.pid for p in psutil.Process(pid).children(recursive=True))
        return
    with contextlib.suppress(OSError):  # a process or thread may just have ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in map(int, (thread / "children").read_text().split()):
                    yield child
                    yield from _descendants(child)


def _gpu(device: str) -> Look:
    """Asks NVIDIA's management library, which asks the driver: no CUDA context is made for it."""
    kind, _, which = device.partition(":")
    if kind != "cuda":
        return dict
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(which))
            if which.isdigit()
            else pynvml.nvmlDeviceGetHandleByUUID(which)
        )
    except pynvml.NVMLError:  # no driver, or no such device
        return dict

    def look() -> dict[str, Any]:
        found: dict[str, Any] = {}
        with contextlib.suppress(pynvml.NVMLError):
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found |= {"gpu_memory_mb": _mb(memory.used), "gpu_memory_total_mb": _mb(memory.total)}
        with contextlib.suppress(pynvml.NVMLError):  # a slice of a GPU (MIG) has no utilisation
            found["gpu_percent"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        return found

    return look


def _mb(bytes_: float) -> float:
    return round(bytes_ / 2**20, 1)
