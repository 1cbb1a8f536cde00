"""What does a training process know of the run it carries out, and how does it report?

    def entry(job: Job) -> None:
        for step in range(1000):
            job.progress("training", step, 1000)      # raises Cancelled when a stop was asked for
            job.log.scalars(step, {"loss": loss})
        job.result({"accuracy": 0.93})

Returning means done. Cancelled means stopped, memory that ran out `oom`, anything else `failed`.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recipe_core.kernel.errors import Cancelled
from recipe_core.kernel.plain import plain
from recipe_core.runs.folder import RunFolder
from recipe_core.runs.heartbeat import Heartbeat
from recipe_core.runs.log import RunLog, problem
from recipe_core.store.workspace import replaced, write_json

SECONDS_BETWEEN_LOOKS = 0.1


class Job:
    """A run, as the function that carries it out sees it.

    folder     the run's folder (checkpoints and whatever else belongs to it go here)
    workspace  the workspace that it belongs to
    config     what the run was launched with
    device     the device as `config.json` names it
    resuming   whether an earlier attempt left something to go on from
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Mapping[str, Any],
        log: RunLog,
        heartbeat: Heartbeat,
        device: str = "cpu",
    ) -> None:
        self.id = folder.id
        self.folder = folder.path
        self.workspace = folder.workspace
        self.config: dict[str, Any] = dict(config)
        self.device = device
        self.resuming = heartbeat.beat.attempt > 1
        self.log = log
        self._files = folder
        self._heartbeat = heartbeat
        self._asked = False
        self._looked = 0.0

    def progress(self, activity: str, done: int, total: int) -> None:
        """A kernel Progress. Raises Cancelled when a stop was asked for; cheap at every step."""
        self._heartbeat.progress(activity, done, total)
        if self.stop_asked():
            raise Cancelled("A stop was asked for.")

    def stop_asked(self) -> bool:
        """Whether someone asked for a stop; looks at the disk at most ten times a second."""
        now = time.monotonic()
        if not self._asked and now - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._asked = self._files.stop.exists()
        return self._asked

    def picture(self, name: str, png: bytes, *, step: int | None = None, caption: str = "") -> None:
        """Keeps a PNG file. One with a `step` joins a series, one without replaces the last.

        Raises WorkspaceError where it cannot be written.
        """
        file = re.sub(r"[^A-Za-z0-9_-]+", "_", name) + ("" if step is None else f".{step:09d}")
        try:
            self._files.pictures.mkdir(exist_ok=True)
            target = self._files.pictures / f"{file}.png"
            replaced(target, lambda p: p.write_bytes(png))
        except OSError as e:
            raise problem(self.folder, e) from None
        self.log.event("picture", caption or name, name=name, file=target.name, step=step)

    def result(self, found: Mapping[str, Any]) -> None:
        """What the run found, for the ledger (NaN and ±inf become null). The last one counts.

        Raises WorkspaceError where it cannot be written.
        """
        try:
            write_json(self._files.result, plain(found))
        except OSError as e:
            raise problem(self.folder, e) from None


@contextlib.contextmanager
def opened(
    folder: Path, config: Mapping[str, Any], *, device: str = "cpu", attempt: int = 1
) -> Iterator[Job]:
    """A job in this process, without a worker around it: for tests and scripts.

    folder   WORKSPACE/runs/<any name>; made where it does not exist
    """
    files = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    log = RunLog(files)
    heartbeat = Heartbeat(files, attempt, dict)
    heartbeat.start()
    try:
        yield Job(files, config, log, heartbeat, device)
    finally:
        heartbeat.stop()
        log.close()
