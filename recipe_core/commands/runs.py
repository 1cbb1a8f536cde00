"""What does one type about runs? `recipe runs list|show|stop|resume|delete|restore|export`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_core.commands.printed import duration
from recipe_core.kernel.errors import Misuse, UnknownName

if TYPE_CHECKING:
    from recipe_core.runs.watching import Run

TAIL_LINES = 20
Parser = argparse.ArgumentParser


def add_runs(commands: Any, add_workspace: Callable[[Parser], None]) -> None:
    """Adds the command and what can follow it."""
    text = "Every training process of the workspace: list, show, stop, resume, delete, export."
    group = commands.add_parser("runs", help=text, description=text)
    which = group.add_subparsers(title="what to do", metavar="WHAT", required=True)

    def verb(name: str, run: Any, text: str, wanted: str = "?") -> Parser:
        parser: Parser = which.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run)
        add_workspace(parser)
        if wanted:
            nargs: Any = "?" if wanted == "?" else None
            note = " (default: the newest)" if wanted == "?" else ""
            parser.add_argument(
                "name", metavar="RUN", nargs=nargs, help=f"its id, or the end of it{note}"
            )
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
        return parser

    verb("list", _list, "The ledger, newest first.", "").add_argument(
        "--trash", action="store_true", help="the deleted ones"
    )
    verb("show", _show, "One run: how it is doing, its last numbers, the log where it failed.")
    verb("stop", _stop, "Stop a run; it finishes its step and saves.").add_argument(
        "--now", action="store_true", help="do not let it finish its step"
    )
    verb("resume", _resume, "Go on with a run that ended early.")
    verb("delete", _delete, "Move a run to the trash.", "one")
    verb("restore", _restore, "Bring a deleted run back.", "one")
    export = verb("export", _export, "Write a run's curves for another tool.", "one")
    export.add_argument("--as", dest="kind", choices=("tensorboard", "mlflow"), required=True)
    export.add_argument("dest", type=Path, metavar="DEST", help="folder to write into")


# -- the verbs ----------------------------------------------------------------------------------


def _list(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    found = pipeline.runs(asked.workspace, trash=asked.trash)
    if asked.json:
        return _document({"runs": [as_json(r) for r in found]})
    if not found:
        print("No runs are in the trash." if asked.trash else "No run has been started here yet.")
        return 0
    for line in _aligned([("RUN", "STATUS", "STARTED", "TOOK", "PROGRESS", "TITLE"),
                          *map(_row, found)]):  # fmt: skip
        print(line)
    return 0


def _show(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked)
    last = pipeline.last_values(asked.workspace, run.id)
    tail = pipeline.log_tail(asked.workspace, run.id)
    if asked.json:
        events = pipeline.events(asked.workspace, run.id)
        return _document({"run": {**as_json(run), "last": last, "events": events, "log": tail}})
    for line in _described(run, last):
        print(line)
    if run.status in ("failed", "oom", "lost"):
        end = (run.traceback or tail).rstrip().splitlines()
        shown = end[:TAIL_LINES] if run.traceback else end[-TAIL_LINES:]
        print("\n" + "\n".join(shown))
    return 0


def _stop(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked)
    return _told(pipeline.stop(asked.workspace, run.id, now=asked.now), asked)


def _resume(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked)
    pipeline.resume(asked.workspace, run.id)
    return _told(pipeline.run(asked.workspace, run.id), asked)


def _delete(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked, gone=True)
    pipeline.delete(asked.workspace, run.id)
    return _moved(run, "is in the trash; recipe runs restore brings it back.", asked)


def _restore(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked, gone=True)
    pipeline.restore(asked.workspace, run.id)
    return _moved(run, "is back.", asked)


def _export(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    run = _asked(asked)
    path = pipeline.export_run(asked.workspace, run.id, asked.kind, asked.dest)
    if asked.json:
        return _document({"run": run.id, "kind": asked.kind, "path": str(path)})
    print(f"{run.id} is in {path}.", file=sys.stderr)
    return 0


# -- naming and printing --------------------------------------------------------------------------


def _asked(asked: argparse.Namespace, gone: bool = False) -> Run:
    """The run that the words name, `gone`: also one in the trash. Raises UnknownName, Misuse."""
    from recipe_core import pipeline

    known = list(pipeline.runs(asked.workspace))
    if gone:
        known += pipeline.runs(asked.workspace, trash=True)
    if asked.name is None:
        if not known:
            raise Misuse("No run has been started in this workspace yet.")
        return known[0]
    fits = [r for r in known if r.id.endswith(asked.name) and asked.name]
    exact = [r for r in fits if r.id == asked.name]
    if len(fits) > 1 and not exact:
        raise Misuse(f"{asked.name!r} fits several runs: {', '.join(r.id for r in fits)}.")
    if not fits:
        raise UnknownName("run", asked.name, [r.id for r in known])
    return (exact or fits)[0]


def as_json(run: Run) -> dict[str, Any]:
    """A run as plain values."""
    from recipe_core.kernel.plain import plain

    found: dict[str, Any] = plain(asdict(run))
    return found


def _document(content: dict[str, Any]) -> int:
    from recipe_core.kernel.plain import plain

    print(json.dumps({"schema": 1, **plain(content)}, ensure_ascii=False, indent=1))
    return 0


def _told(run: Run, asked: argparse.Namespace) -> int:
    if asked.json:
        return _document({"run": as_json(run)})
    print(f"{run.id} is {run.status}. {run.message}".rstrip())
    return 0


def _moved(run: Run, said: str, asked: argparse.Namespace) -> int:
    if asked.json:
        return _document({"run": run.id})
    print(f"{run.id} {said}")
    return 0


def _row(run: Run) -> Sequence[str]:
    began = run.started or run.created
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(began))
    return run.id, run.status, when, _took(run), _progress(run), run.title


def _described(run: Run, last: dict[str, float]) -> list[str]:
    lines = [
        f"{run.id}  {run.status}" + (f"  {run.message}" if run.message else ""),
        f"title     {run.title}",
        f"device    {run.device}",
        f"took      {_took(run)}" + (f"  attempt {run.attempt}" if run.attempt > 1 else ""),
        f"progress  {_progress(run)}",
    ]
    lines += [f"command   {run.command}"] if run.command else []
    lines += [f"folder    {run.folder}"]
    lines += [f"last      {name} = {value:.5g}" for name, value in last.items()]
    lines += [f"result    {name} = {value}" for name, value in run.result.items()
              if isinstance(value, str | int | float)]  # fmt: skip
    return lines


def _progress(run: Run) -> str:
    p = run.progress
    said = f"{p.activity} {p.done:,}/{p.total:,}" if p.total else p.activity
    if run.live and p.rate:
        said += f", {p.rate:,.1f}/s"
    if run.live and p.eta_s is not None:
        said += f", {duration(p.eta_s)} left"
    return said or "-"


def _took(run: Run) -> str:
    if not run.started:
        return "-"
    return duration((run.ended or time.time()) - run.started)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(t.ljust(w) for t, w in zip(r, widths, strict=True)).rstrip() for r in rows]
