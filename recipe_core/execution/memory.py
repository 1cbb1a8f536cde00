"""How does a process keep the memory that it frees and needs again a moment later?

glibc hands what is freed at the top of its heap back to the kernel, which has to clear every page
anew: a worker that measures small pictures took eleven page faults a photo, and a scan on a virtual
machine a twentieth longer.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
KEPT = 64 << 20
"""Bytes free at the top of the heap above which they go back to the kernel."""
LARGE = 32 << 20
"""Bytes from which an array has a mapping of its own, returned at once (glibc allows no more)."""
AHEAD = 1 << 20
"""Bytes by which the heap grows beyond what is asked for."""


def keep_freed() -> None:
    """From now on up to KEPT freed bytes stay with this process. Does nothing without glibc."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl has no such options
            options = ctypes.CDLL(None).mallopt
            for option, size in (
                (_MMAP_THRESHOLD, LARGE), (_TRIM_THRESHOLD, KEPT), (_TOP_PAD, AHEAD),
            ):  # fmt: skip
                options(option, size)
