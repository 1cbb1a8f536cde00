"""How is one probe run, so that its trouble stays its own and is told as the right one's fault?"""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from recipe_core.kernel.check import Probe
from recipe_core.kernel.errors import Cancelled, MissingInput
from recipe_core.kernel.progress import Progress, silent
from recipe_core.kernel.readings import Reading


def function_of(probe: Probe) -> Callable[[Any, Progress], Reading]:
    """The probe's function; imports the module that holds it, and torch with it."""
    module, _, name = probe.function.partition(":")
    function: Callable[[Any, Progress], Reading] = getattr(importlib.import_module(module), name)
    return function


def probed(probe: Probe, bench: Any, progress: Progress = silent) -> Reading:
    """What the probe reads of this bench; whatever it raises is a reading with an error.

    Every generator is seeded before it, so that a probe reads the same alone and after others.
    Raises Cancelled only.
    """
    from recipe_core.skeleton.probes.common import start_afresh

    function = function_of(probe)
    start_afresh(bench.seed)
    start = time.perf_counter()
    try:
        reading = function(bench, progress)
    except Cancelled:
        raise
    except MissingInput as e:
        reading = Reading(missing=str(e))
    except Exception as e:
        reading = failed(e, bench.task.path)
    return replace(reading, seconds=time.perf_counter() - start)


def failed(error: BaseException, task_file: Path | str | None) -> Reading:
    """The reading of a probe that raised: the user's lines first where they are in the way."""
    from recipe_core.training.devices import out_of_memory

    said = f"{type(error).__name__}: {error}".strip().rstrip(":")
    text = "".join(traceback.format_exception(error))
    first = said.splitlines()[0][:500] if said else type(error).__name__
    if out_of_memory(error):
        return Reading(error=first, traceback=text, whose="memory")
    own = own_lines(error.__traceback__, task_file)
    if own or _names(error, task_file):
        place = f"{own[-1]}, " if own else ""
        shown = "\n".join(own)
        return Reading(error=f"{place}{first}", traceback=f"{shown}\n{said}\n\n{text}".lstrip(),
                       whose="task")  # fmt: skip
    return Reading(error=first, traceback=text, whose="recipe")


def own_lines(trace: TracebackType | None, task_file: Path | str | None) -> list[str]:
    """`file:line in function: code` of every frame of the task file, outermost first."""
    if not task_file:
        return []
    wanted = Path(task_file).resolve()
    return [
        f"{wanted.name}:{f.lineno} in {f.name}: {f.line or ''}".rstrip(": ")
        for f in traceback.extract_tb(trace)
        if _same(f.filename, wanted)
    ]


def _same(name: str, wanted: Path) -> bool:
    try:
        return Path(name).resolve() == wanted
    except OSError:
        return False


def _names(error: BaseException, task_file: Path | str | None) -> bool:
    """Whether the message itself quotes the file: an error that comes from a loader's process."""
    if not task_file:
        return False
    return str(Path(task_file)) in str(error) or str(Path(task_file).resolve()) in str(error)
