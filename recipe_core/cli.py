"""What does one type? Arguments in, front desk, table or JSON out.

Exit codes: 0 fine, 1 the gate of --fail-on failed, 2 misuse, 3 a check broke, 130 stopped.
Machine output goes to stdout and is one document; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from recipe_core.commands import printed
from recipe_core.commands.printed import FINE, GATE
from recipe_core.kernel.errors import Cancelled, Misuse, RecipeError

if TYPE_CHECKING:
    import pyarrow as pa

    from recipe_core.execution.executor import Executor
    from recipe_core.kernel.params import Overrides
    from recipe_core.kernel.report import Report
    from recipe_core.runs.progress_file import State

MISUSE, STOPPED = 2, 130
SELDOM = 100_000
"""Objects made before Python looks for garbage: imports make many and leave none."""
HIDDEN = ("pandas",)
"""Modules that a scan does without: see execution/without.py."""
FORMATS = ("auto", "folder", "manifest", "coco", "voc", "yolo", "hf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = _parser(words).parse_args(words)
    alone = arguments is None and asked.run in (_scan, _check)  # a process of its own
    if alone:
        from recipe_core.execution.forked import import_quietly
        from recipe_core.execution.memory import keep_freed
        from recipe_core.execution.without import hide

        import_quietly()
        keep_freed()
        gc.set_threshold(SELDOM)
        hide(HIDDEN)
    code = _carried_out(asked)
    if alone and code in (FINE, GATE) and getattr(asked, "engine", "local") == "local":
        _leave(code)
    return code


def _leave(code: int) -> None:
    """Ends this process without taking a hundred modules apart, a twentieth of a second.

    Returns where the output cannot be written: Python's own end says so.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _carried_out(asked: argparse.Namespace) -> int:
    try:
        return int(asked.run(asked))
    except (KeyboardInterrupt, Cancelled):
        printed.say("Stopped. What was measured is kept; the same command goes on from there.")
        return STOPPED
    except RecipeError as e:
        printed.say(f"recipe: {e}")
        return MISUSE
    except BrokenPipeError:  # `recipe samples | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE


# -- what can be typed --------------------------------------------------------------------------


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """What these words are read with: the command that they name, or all of them.

    A scan does not wait for a dozen commands that nobody has typed.
    """
    parser = argparse.ArgumentParser(
        prog="recipe",
        description="Karpathy's recipe for training neural networks, with evidence for each step.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    typed = [_COMMANDS[words[0]]] if words and words[0] in _COMMANDS else _COMMANDS.values()
    for add in typed:
        add(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up where it is asked for: that takes long, and no scan waits for it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import importlib.metadata

        try:
            print(importlib.metadata.version("recipe-workbench"))
        except importlib.metadata.PackageNotFoundError:
            print("unknown (not installed)")
        parser.exit()


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _add_workspace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-w", "--workspace", type=Path, default=None,
        help="folder of the results (default: $RECIPE_WORKSPACE or .recipe)",
    )  # fmt: skip


def _add_judging(
    parser: argparse.ArgumentParser, what: str = "ID.PARAM=VALUE", how: str = "change a threshold"
) -> None:
    parser.add_argument(
        "--check", action="append", metavar="ID", help="only this check; repeatable"
    )
    parser.add_argument("--set", action="append", default=[], metavar=what, help=how)
    parser.add_argument("--json", action="store_true", help="print the report as JSON on stdout")
    parser.add_argument(
        "--fail-on", choices=("warn", "fail"), help="exit with 1 if a verdict is this bad or worse"
    )


def _add_scan(commands: Any) -> None:
    p = _command(commands, "scan", _scan, "Read a data set, measure it, judge it.")
    p.add_argument("source", help="folder of images, manifest, COCO or YOLO file")
    _add_workspace(p)
    p.add_argument("--format", choices=FORMATS, default="auto", help="how to read the source")
    p.add_argument("--workers", type=int, help="processes that read files (default: all cores)")
    p.add_argument("--engine", default="local", help="local (default), here or ray")
    _add_judging(p)
    p.add_argument(
        "--wait", type=float, nargs="?", const=1e9, default=0.0, metavar="SECONDS",
        help="wait for another scan of this workspace",
    )  # fmt: skip


def _add_check(commands: Any) -> None:
    p = _command(commands, "check", _check, "Judge again from what is stored; opens no image.")
    _add_workspace(p)
    _add_judging(p)


def _add_samples(commands: Any) -> None:
    p = _command(commands, "samples", _samples, "The sample table with every measured column.")
    _add_workspace(p)
    p.add_argument("--where", default="", metavar="EXPR", help="SQL expression over the columns")
    p.add_argument("--sort", default="", metavar="COL", help="sort by it; --sort=-COL descends")
    p.add_argument("--limit", type=int, help="at most this many rows")
    _add_output(p, ("csv", "json", "parquet"))


def _add_findings(commands: Any) -> None:
    p = _command(commands, "findings", _findings, "One row per sample that a check names.")
    _add_workspace(p)
    p.add_argument("--check", action="append", metavar="ID", help="only this check; repeatable")
    _add_output(p, ("csv", "json"))


def _add_output(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    parser.add_argument("--format", choices=formats, help="default: by the name of FILE, else csv")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")


def _add_report(commands: Any) -> None:
    p = _command(commands, "report", _report, "Write the report: .html, .json or .md.")
    _add_workspace(p)
    p.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")


def _add_export(commands: Any) -> None:
    p = _command(commands, "export", _export, "Write a cleaned copy of the data set.")
    _add_workspace(p)
    p.add_argument("dest", type=Path, help="a folder that does not exist yet")
    p.add_argument(
        "--as", dest="kind", choices=("manifest", "imagefolder", "coco", "yolo"), required=True
    )
    p.add_argument(
        "--drop", action="append", default=[], metavar="CHECK",
        help="leave out the samples that this check names (of copies, all but the one to keep)",
    )  # fmt: skip
    p.add_argument("--link", choices=("copy", "hardlink", "symlink"), default="copy")


def _add_sanity(commands: Any) -> None:
    from recipe_core.commands import sanity

    p = _command(commands, "sanity", _sanity, "Prove a training pipeline right, or name its bug.")
    _add_workspace(p)
    sanity.add(p)
    _add_judging(p, "ID.PARAM=VALUE or FIELD=VALUE", "change a threshold or a setting of the run")


def _add_embed(commands: Any) -> None:
    from recipe_core.commands import embed

    p = _command(commands, "embed", _embed, "Which pictures look alike? Neighbours and a map.")
    _add_workspace(p)
    embed.add(p)


def _add_noise(commands: Any) -> None:
    from recipe_core.commands import noise

    p = _command(commands, "noise", _noise, "Which labels are wrong, and how many?")
    _add_workspace(p)
    noise.add(p)


def _add_overfit(commands: Any) -> None:
    from recipe_core.commands import overfit

    p = _command(commands, "overfit", _overfit, "Train a model that can overfit, and judge it.")
    _add_workspace(p)
    overfit.add(p)


def _add_runs(commands: Any) -> None:
    from recipe_core.commands.runs import add_runs

    add_runs(commands, _add_workspace)


def _add_checks(commands: Any) -> None:
    p = _command(commands, "checks", _checks, "Every check with its question and thresholds.")
    p.add_argument("--json", action="store_true")


def _add_app(commands: Any) -> None:
    p = _command(commands, "app", _app, "Open the web app.")
    p.add_argument("source", nargs="?", help="data set to scan (default: the sample data)")
    _add_workspace(p)
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--host", default="127.0.0.1")


_COMMANDS = {
    "scan": _add_scan, "check": _add_check, "samples": _add_samples, "findings": _add_findings,
    "report": _add_report, "export": _add_export, "embed": _add_embed, "noise": _add_noise,
    "sanity": _add_sanity, "overfit": _add_overfit, "runs": _add_runs, "checks": _add_checks,
    "app": _add_app,
}  # fmt: skip
"""name -> what adds it to the parser, in the order of the help."""


# -- scan and check -----------------------------------------------------------------------------


def _scan(asked: argparse.Namespace) -> int:
    executor = _engine(asked)
    from recipe_core import recipe
    from recipe_core.runs.progress_file import ProgressFile
    from recipe_core.store.workspace import Workspace

    place = asked.workspace or recipe.default_workspace()
    said = shlex.join(["recipe", "scan", asked.source, "-w", str(place)])
    progress = ProgressFile(
        Workspace(place).scan_folder / "progress.json", asked.source, said, _bar()
    )
    _let_signals_interrupt()
    try:
        report = recipe.scan(
            asked.source, place, format=asked.format, engine=executor,
            check_ids=asked.check, overrides=_set(asked), progress=progress, wait_s=asked.wait,
        )  # fmt: skip
    except BaseException as e:
        _end_badly(progress, e)
        raise
    progress.end("done")
    return _told(report, asked)


def _engine(asked: argparse.Namespace) -> Executor:
    """The engine, its workers started before anything else where a first scan will need them."""
    from recipe_core.execution.engines import engine

    first = asked.workspace is None or not (asked.workspace / "current").exists()
    ahead = "recipe_core.images.look" if first else ""
    return engine(asked.engine, asked.workers, ahead, HIDDEN, keep=True)


def _end_badly(progress: Any, e: BaseException) -> None:
    if isinstance(e, KeyboardInterrupt | Cancelled):
        progress.end("stopped", "Stopped. What was measured is kept; scan again to go on.")
    else:
        progress.end("failed", str(e) or type(e).__name__)


def _let_signals_interrupt() -> None:
    """SIGTERM stops a scan as Ctrl-C does; a process started in the background ignores neither."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _check(asked: argparse.Namespace) -> int:
    from recipe_core import recipe

    report = recipe.check(asked.workspace, check_ids=asked.check, overrides=_set(asked))
    return _told(report, asked)


def _set(asked: argparse.Namespace) -> Overrides:
    """The thresholds of --set; without any, no check is imported for its parameters."""
    if not asked.set:
        return {}
    from recipe_core import recipe
    from recipe_core.kernel.params import parse_set

    return parse_set(asked.set, recipe.parameter_types("data"))


def _told(report: Report, asked: argparse.Namespace) -> int:
    """Prints the report and returns the exit code it deserves."""
    from recipe_core import recipe

    if asked.json:
        sys.stdout.write(recipe.to_json(report))
    else:
        from recipe_core.reporting.terminal import terminal_report

        print(terminal_report(report, printed.width(), printed.paint()))
    return printed.exit_code({f.verdict for f in report.findings}, asked.fail_on)


def _bar() -> Any:
    """A listener that tells how far the scan is."""
    tell = printed.teller()

    def listen(state: State) -> None:
        if state.status == "running":
            tell(state.activity, state.done, state.total, state.rate, state.eta_s)
        else:
            printed.clear()

    return listen


# -- tables -------------------------------------------------------------------------------------


def _samples(asked: argparse.Namespace) -> int:
    from recipe_core import recipe

    table = recipe.samples(asked.workspace, asked.where, asked.sort, limit=asked.limit)
    return _write_table(table, asked)


def _findings(asked: argparse.Namespace) -> int:
    from recipe_core import recipe

    return _write_table(recipe.findings_table(asked.workspace, asked.check), asked)


def _write_table(table: pa.Table, asked: argparse.Namespace) -> int:
    ending = asked.output.suffix.lstrip(".").lower() if asked.output else ""
    kind = asked.format or (ending if ending in ("csv", "json", "parquet") else "csv")
    if kind == "parquet" and asked.output is None:
        raise Misuse("Parquet cannot go to the terminal: name a file with -o.")
    content = _table_bytes(table, kind)
    try:
        if asked.output is None:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
        else:
            asked.output.write_bytes(content)
    except BrokenPipeError:
        raise
    except OSError as e:
        raise Misuse(f"{asked.output} cannot be written: {e.strerror or e}.") from None
    return FINE


def _table_bytes(table: pa.Table, kind: str) -> bytes:
    import pyarrow as pa

    if kind == "json":
        from recipe_core.kernel.plain import plain

        return (json.dumps(plain(table.to_pylist()), ensure_ascii=False) + "\n").encode()
    sink = pa.BufferOutputStream()
    if kind == "csv":
        import pyarrow.csv

        pa.csv.write_csv(_undictionaried(table), sink)
    else:
        import pyarrow.parquet

        pa.parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _undictionaried(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    fields = [
        pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))


# -- what looks alike -----------------------------------------------------------------------------


def _embed(asked: argparse.Namespace) -> int:
    from recipe_core.commands import embed

    _let_signals_interrupt()
    return embed.run(asked)


# -- label noise --------------------------------------------------------------------------------


def _noise(asked: argparse.Namespace) -> int:
    from recipe_core.commands import noise

    _let_signals_interrupt()
    return noise.run(asked)


# -- overfit ------------------------------------------------------------------------------------


def _overfit(asked: argparse.Namespace) -> int:
    from recipe_core.commands import overfit

    _let_signals_interrupt()
    return overfit.run(asked)


# -- sanity -------------------------------------------------------------------------------------


def _sanity(asked: argparse.Namespace) -> int:
    from recipe_core.commands import sanity

    _let_signals_interrupt()
    return sanity.run(asked)


# -- report, export, checks, app ----------------------------------------------------------------


def _report(asked: argparse.Namespace) -> int:
    from recipe_core import pipeline

    printed.say(f"Wrote {pipeline.write_report(asked.workspace, asked.output)}")
    return FINE


def _export(asked: argparse.Namespace) -> int:
    from recipe_core import recipe

    _let_signals_interrupt()
    summary = recipe.export(
        asked.workspace, asked.dest, kind=asked.kind, drop=asked.drop, link=asked.link
    )
    said = f"{summary.n_exported:,} samples in {summary.dest}; {summary.n_excluded:,} left out"
    printed.say(f"{said} (excluded.csv says why); {summary.n_relabelled:,} relabelled.")
    for note in summary.notes:
        printed.say(note)
    return FINE


def _checks(asked: argparse.Namespace) -> int:
    from dataclasses import asdict

    from recipe_core import recipe

    listed: list[dict[str, Any]] = [
        {"id": c.id, "stage": c.stage, "question": c.question, "why": c.why,
         "thresholds": [asdict(s) for s in c.settings]}
        for c in recipe.checks()
    ]  # fmt: skip
    if asked.json:
        print(json.dumps(listed, ensure_ascii=False, indent=1))
        return FINE
    for c in listed:
        print(f"{c['id']} ({c['stage']}): {c['question']}")
        for s in c["thresholds"]:
            bounds = "|".join(s["choices"]) or f"{s['low']} … {s['high']}"
            print(f"    {s['name']} = {s['default']}  [{bounds}]  {s['why']}")
    return FINE


def _app(asked: argparse.Namespace) -> int:
    from recipe_core import web

    return web.serve(asked.source, asked.workspace, host=asked.host, port=asked.port)


if __name__ == "__main__":
    raise SystemExit(main())
