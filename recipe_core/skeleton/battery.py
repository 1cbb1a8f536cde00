"""How is a training pipeline examined? Probe after probe, each in isolation, judged at once.

A run of kind "sanity"; its worker holds no torch. What it was asked for is its configuration:

    {"run": a RunConfig as JSON, "key": folder of the readings, "checks": ids,
     "overrides": {check id: {parameter: value}}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.discovery import checks_in
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Overrides
from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Readings
from recipe_core.runs.job import Job
from recipe_core.skeleton.bench_process import BenchProcess
from recipe_core.skeleton.checks import learning_rate
from recipe_core.skeleton.labelling import with_answers
from recipe_core.skeleton.order import all_judged, ordered, probes_of
from recipe_core.skeleton.sanity_json import sanity_json
from recipe_core.store.readings import ReadingStore, store_of
from recipe_core.store.results import read_evidence
from recipe_core.store.workspace import Workspace

PACKAGE = "recipe_core.skeleton.checks"


def entry(job: Job) -> None:
    """Carries out a run of kind "sanity": its result is the sanity JSON of the contract."""
    asked = job.config
    checks = with_ids(asked.get("checks") or ())
    place = Workspace(job.workspace)
    store = store_of(place, asked["key"])
    evidence = read_evidence(place)
    overrides: Overrides = asked.get("overrides") or {}

    def tell(readings: Readings, done: Sequence[Check]) -> None:
        found = all_judged(done, with_answers(readings, evidence, place.path), overrides)
        last = found[-1]
        job.log.event("check", last.summary, id=last.check, verdict=last.verdict)
        job.result(sanity_json(found, readings.about))

    measure(Examination(job.workspace, asked["run"], checks, store), job.progress, tell)


def rate_entry(job: Job) -> None:
    """Carries out a run of kind "rates": the learning-rate check alone, before a training.

    Its configuration is a RunConfig as JSON; the readings stay in the run's folder, apart from
    those of the examinations, which are about a pipeline that is settled.
    """
    checks = with_ids(["learning_rate"])
    store = rate_readings(job.folder)
    readings = measure(Examination(job.workspace, job.config, checks, store), job.progress)
    (finding,) = all_judged(checks, readings, {})
    job.result({"verdict": finding.verdict, "summary": finding.summary,
                **learning_rate.suggestion(readings)})  # fmt: skip


def rate_finding(folder: Path) -> Finding:
    """What a run of kind "rates" found, judged again. Raises WorkspaceError."""
    checks = with_ids(["learning_rate"])
    stored = rate_readings(folder).read({p.name: p.version for p in probes_of(checks)})
    return all_judged(checks, stored, {})[0]


def rate_readings(folder: Path) -> ReadingStore:
    """Where the run in this folder keeps what it read."""
    return ReadingStore(folder / "readings" / "rates")


def with_ids(ids: Sequence[str]) -> tuple[Check, ...]:
    """The skeleton's checks with these ids in the order in which they are made; all without ids."""
    return ordered(c for c in checks_in(PACKAGE) if not ids or c.id in ids)


@dataclass(frozen=True)
class Examination:
    """What is examined, by which checks, and where the readings go."""

    workspace: Path
    config: Mapping[str, Any]
    checks: Sequence[Check]
    store: ReadingStore


def measure(
    asked: Examination,
    progress: Progress,
    tell: Callable[[Readings, Sequence[Check]], None] = lambda readings, done: None,
) -> Readings:
    """Runs every probe in the bench's process and stores what it reads.

    tell   called each time that all probes of a further check are in, with the checks so far
    Raises Misuse where the task cannot be loaded, RecipeError where the pipeline does not open, and
    whatever `progress` raises to stop; what was read by then is kept.
    """
    probes = probes_of(asked.checks)
    asked.store.forget(p.name for p in probes)
    bench = BenchProcess(asked.workspace, dict(asked.config))
    try:
        progress("starting", 0, len(probes))
        asked.store.write_about(bench.open(_within(progress, "starting", 0, len(probes))))
        return _probed(asked, probes, bench, progress, tell)
    finally:
        bench.end()


def _probed(
    asked: Examination,
    probes: Sequence[Probe],
    bench: BenchProcess,
    progress: Progress,
    tell: Callable[[Readings, Sequence[Check]], None],
) -> Readings:
    done: list[Check] = []
    for i, probe in enumerate((*probes, None)):
        readings = asked.store.read({p.name: p.version for p in probes})
        for check in asked.checks:
            if check not in done and _is_in(check, readings, last=probe is None):
                done.append(check)
                tell(readings, _in_order(asked.checks, done))
        if probe is None:
            break
        spoken = probe.name.replace("_", " ")
        progress(spoken, i, len(probes))
        reading = bench.probe(probe, _within(progress, spoken, i, len(probes)))
        asked.store.write(probe.name, probe.version, reading)
    progress("done", len(probes), len(probes))
    return readings


def _is_in(check: Check, readings: Readings, last: bool) -> bool:
    """Whether all that a check needs is in; one that needs no probe comes when all else is done."""
    return last if not check.probes else all(p.name in readings for p in check.probes)


def _in_order(checks: Sequence[Check], done: Sequence[Check]) -> list[Check]:
    """The checks that are done, the last one last."""
    return [*(c for c in checks if c in done[:-1]), done[-1]]


def _within(progress: Progress, probe: str, place: int, probes: int) -> Progress:
    """Progress of one probe as that of the whole battery; also called to ask whether to stop."""
    last = [probe]

    def report(activity: str, done: int, total: int) -> None:
        if activity:
            share = f" {done:,}/{total:,}" if total else ""
            said = activity if activity == probe else f"{probe}: {activity}"
            last[0] = f"{said}{share}"
        progress(last[0], place, probes)

    return report


def judged_again(
    store: ReadingStore, evidence: Evidence, checks: Sequence[Check], overrides: Overrides
) -> tuple[Finding, ...]:
    """Findings from what is stored; loads no torch. Checks whose probes never ran are left out."""
    workspace = store.folder.parent.parent
    stored = store.read({p.name: p.version for p in probes_of(checks)})
    readings = with_answers(stored, evidence, workspace)
    made = [c for c in checks if all(p.name in readings for p in c.probes)]
    return all_judged(made, readings, overrides)
