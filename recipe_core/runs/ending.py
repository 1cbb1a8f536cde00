"""What does an exception that ended a run mean, and where in the user's own code did it arise?"""

from __future__ import annotations

import errno
import os
import re
import site
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recipe_core.kernel.errors import Cancelled, RecipeError

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|not enough memory"
    r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|std::bad_alloc",
    re.IGNORECASE,
)
_FRAME = re.compile(
    r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<name>.+))?\n(?P<code>    .*)?', re.M
)
_OURS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    status     done, stopped, oom, failed
    message    in a sentence or two
    traceback  the user's own lines first, then the whole of it; "" where there is none
    """

    status: str
    message: str = ""
    traceback: str = ""


def ending(e: BaseException) -> Ending:
    """How a run ends that raised this."""
    if isinstance(e, Cancelled | KeyboardInterrupt):
        return Ending("stopped", "Stopped; what was saved is kept.")
    if ran_out_of_memory(e):
        return Ending("oom", f"Memory ran out. {_first_line(e)}", told(e))
    if isinstance(e, RecipeError):
        return Ending("failed", str(e), told(e))
    if isinstance(e, SystemExit):
        return Ending("failed", f"The pipeline ended the process (exit code {e.code}).", told(e))
    return Ending("failed", f"{type(e).__name__}: {_first_line(e)}{_place(e)}", told(e))


def ran_out_of_memory(e: BaseException) -> bool:
    """Whether this is memory running out: the processor's or a device's, in any library's words."""
    for cause in _causes(e):
        if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
            return True
        if isinstance(cause, OSError) and cause.errno == errno.ENOMEM:
            return True
        if isinstance(cause, RuntimeError) and _OUT_OF_MEMORY.search(str(cause)):
            return True
    return False


def told(e: BaseException) -> str:
    """The traceback as text: first the lines of the user's own files, then the whole of it."""
    whole = "".join(traceback.format_exception(e))
    own = own_lines(whole)
    if not own:
        return whole
    last = traceback.format_exception_only(e)[-1].strip().splitlines()
    return "\n".join([*own, last[0] if last else "", "", "The whole traceback:", whole])


def own_lines(whole: str) -> list[str]:
    """The frames of a traceback's text that are neither Recipe's nor a library's, in order.

    Found in the text, since a loader process sends its traceback as a text.
    """
    return [
        f'File "{m["file"]}", line {m["line"]}, in {m["name"]}\n{(m["code"] or "").rstrip()}'
        for m in _FRAME.finditer(whole)
        if is_own(m["file"])
    ]


def is_own(file: str) -> bool:
    """Whether a source file is the user's, not Recipe's, a library's or Python's."""
    if file.startswith("<"):
        return False
    path = os.path.realpath(file)
    return not any(path.startswith(f"{place}{os.sep}") for place in _not_the_users())


def _not_the_users() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    places = [str(_OURS), paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]]
    return tuple({os.path.realpath(p) for p in [*places, site.getusersitepackages()]})


def _place(e: BaseException) -> str:
    frames = [m for m in _FRAME.finditer("".join(traceback.format_exception(e)))
              if is_own(m["file"])]  # fmt: skip
    if not frames:
        return ""
    return f" ({Path(frames[-1]['file']).name}, line {frames[-1]['line']})"


def _causes(e: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = e
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _first_line(e: BaseException) -> str:
    lines = str(e).strip().splitlines()
    # a loader process's error reaches us as "Caught ValueError in DataLoader worker process 0.",
    # its traceback, and what it said as the last line
    if lines and lines[0].startswith("Caught ") and len(lines) > 1:
        return lines[-1]
    return lines[0] if lines else type(e).__name__
