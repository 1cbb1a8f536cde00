"""The front desk: what can one ask of Recipe? The command line, the app and Python all call these.

from recipe_core import recipe
report = recipe.scan("photos/", "photos.recipe")
for finding in report.findings:
    print(finding.verdict, finding.check, finding.summary)
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recipe_core.kernel.check import Check, Finish, Measure, broken, judged
from recipe_core.kernel.discovery import checks_in
from recipe_core.kernel.errors import Cancelled, MissingInput, Misuse, UnknownName, WorkspaceError
from recipe_core.kernel.evidence import Evidence, Files
from recipe_core.kernel.nouns import Dataset, Finding
from recipe_core.kernel.params import Overrides, Value, merged, read_toml, resolve
from recipe_core.kernel.progress import Progress, silent
from recipe_core.kernel.report import Report
from recipe_core.store import columns, results
from recipe_core.store.workspace import (
    Workspace,
    commit,
    locked,
    prepare,
    read_table,
    replaced,
    writing,
)

if TYPE_CHECKING:
    from recipe_core.data.browse import Browser, Filter, Order, Sources
    from recipe_core.data.export import ExportSummary, Kind, Link
    from recipe_core.data.survey import Changes
    from recipe_core.data.vectors import Vectors
    from recipe_core.execution.executor import Executor
    from recipe_core.store.decisions import Batch, Decisions
    from recipe_core.store.decisions import Kind as DecisionKind
    from recipe_core.store.query import SampleQuery
    from recipe_core.store.views import Views

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")
STAGES = ("data", "skeleton", "overfit")
"""The recipe's stages that stand so far, in its order."""
SUGGESTED = "suggested_label"
"""The column that a label-noise estimate adds."""
REPORT_KINDS = ("html", "json", "md")


# -- checks and their thresholds ----------------------------------------------------------------


def checks(stage: str | None = None) -> tuple[Check, ...]:
    """Every check, or those of one stage. Raises UnknownName for a stage that does not exist."""
    if stage is not None and stage not in STAGES:
        raise UnknownName("stage", stage, STAGES)
    wanted = STAGES if stage is None else (stage,)
    return tuple(c for s in wanted for c in checks_in(f"recipe_core.{s}.checks"))


def chosen(ids: Sequence[str] | None, stage: str = "data") -> tuple[Check, ...]:
    """The checks of a stage with these ids, all of it where `ids` is empty.

    Raises UnknownName; Misuse for a check of another stage, with the command that runs it.
    """
    known = {c.id: c for c in checks(stage)}
    for check_id in set(ids or ()) - set(known):
        elsewhere = {c.id: c.stage for c in checks()}
        if check_id in elsewhere:
            raise Misuse(f"{check_id} is a check of another stage. {_ASK[elsewhere[check_id]]}")
        raise UnknownName("check", check_id, known)
    return tuple(c for c in known.values() if not ids or c.id in ids)


_ASK = {
    "data": "Run: recipe scan SOURCE, or recipe check",
    "skeleton": "It judges a training pipeline. Run: recipe sanity",
    "overfit": "It judges a training run. Run: recipe overfit",
}
"""stage -> how its checks are run."""


def parameter_types(stage: str | None = None) -> dict[str, type]:
    """check id -> its Params class, of all checks or of one stage."""
    return {c.id: c.params for c in checks(stage)}


def thresholds(
    workspace: Path | str | None, overrides: Overrides | None = None, stage: str | None = None
) -> dict[str, dict[str, Value]]:
    """recipe.toml with `overrides` above it, of all checks or of one stage's.

    Raises UnknownName, BadSetting.
    """
    layers = _overrides(_open(workspace), overrides)
    return {k: v for k, v in layers.items() if k in parameter_types(stage)}


def default_workspace() -> Path:
    """`$RECIPE_WORKSPACE`, else `.recipe` in the current folder."""
    return Path(os.environ.get("RECIPE_WORKSPACE") or ".recipe")


def settings_file(workspace: Path | str) -> Path:
    """The recipe.toml that holds for a workspace: beside it."""
    return _open(workspace).path.resolve().parent / "recipe.toml"


# -- scanning -----------------------------------------------------------------------------------


def scan(
    source: Path | str,
    workspace: Path | str | None = None,
    *,
    format: str = "auto",
    workers: int | None = None,
    engine: str | Executor = "local",
    check_ids: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    progress: Progress = silent,
    wait_s: float = 0.0,
) -> Report:
    """Reads the data set, measures what is new, judges, and stores all of it in the workspace.

    source     folder, manifest, COCO or YOLO file; see `recipe_core.images.sources`
    workers    processes that read files (default: the cores this process may use)
    engine     name of an engine (execution/engines.py), or one that is ready
    overrides  check id -> parameter -> value, above recipe.toml
    wait_s     seconds to wait for another scan of the same workspace

    Raises Misuse for what cannot be asked, WorkspaceBusy, WorkspaceError when results cannot be
    stored, and whatever `progress` raises to stop; what was measured by then is kept.
    """
    from recipe_core.execution.engines import engine as engine_named

    place = _open(workspace)

    def plan() -> tuple[tuple[Check, ...], Overrides]:
        import pyarrow.parquet  # noqa: F401 - results are stored with it

        versions()  # looked up now, and kept
        return chosen(check_ids), _overrides(place, overrides)

    # What may be wrong with these is said before anything is read; else checks are imported while
    # the workers read.
    settled = check_ids or overrides or settings_file(place.path).exists()
    early = plan() if settled else None
    if isinstance(engine, str):
        engine = engine_named(engine, workers, keep=True)
    hands = engine if engine.quick else engine_named("local", keep=True)
    prepare(place)
    try:
        with locked(place, command=f"recipe scan {source}", wait_s=wait_s):
            evidence, store = _surveyed(source, format, place, engine, progress, plan)
            wanted, layers = early or plan()
            named = {m.name for c in wanted if c.id in (check_ids or ()) for m in c.measures}
            return _judged(place, evidence, wanted, layers, named, hands, progress, store)
    finally:
        hands.close()


def _surveyed(
    source: Path | str, format: str, place: Workspace, executor: Executor, progress: Progress,
    meanwhile: Callable[[], object],
) -> tuple[Evidence, Callable[[], None]]:  # fmt: skip
    """The pass over the files, see `survey.survey`; what makes it the workspace's results."""
    from recipe_core.data import survey
    from recipe_core.images.boxes import box_columns, pixel_boxes
    from recipe_core.images.sources.detect import read_dataset

    progress("listing files", 0, 0)
    dataset = read_dataset(source, format, progress)
    _refuse_to_replace_decisions(place, dataset)
    seen = survey.survey(dataset, place, executor, progress, meanwhile)
    boxes = pixel_boxes(dataset.boxes, seen.samples)
    samples = survey.stamped(seen, dataset.root)
    counts = box_columns(boxes, samples)
    for name in counts.column_names:
        samples = samples.append_column(name, counts[name])
    read_from = Path(source).absolute()

    def store() -> None:
        progress("storing results", 0, 0)
        commit(place, lambda f: results.write_dataset(f, read_from, dataset, samples, boxes))
        survey.forget_leavings(place, seen.pack)

    return Evidence(dataset, samples, boxes), store


def _refuse_to_replace_decisions(place: Workspace, dataset: Dataset) -> None:
    """Decisions belong to the samples of one data set: another one needs its own workspace."""
    if place.current() is None or not place.decisions.exists():
        return
    old = results.read_evidence(place).dataset
    if old.root != dataset.root:
        raise Misuse(
            f"{place.path} holds decisions about {old.root}. Scan {dataset.root} into another "
            "workspace with -w."
        )


def _judged(
    place: Workspace,
    evidence: Evidence,
    wanted: Sequence[Check],
    layers: Overrides,
    named: Set[str],
    hands: Executor,
    progress: Progress,
    store: Callable[[], None],
) -> Report:
    evidence, failed = _with_measures(place, evidence, wanted, named, hands, progress, store)
    findings = []
    for i, check in enumerate(wanted):
        progress(f"judging {check.id}", i, len(wanted))
        findings.append(_finding(check, evidence, failed, layers))
    report = Report(_described(evidence), tuple(findings), versions(), _now())
    _store_report(place, report)
    progress("done", len(wanted), len(wanted))
    return report


def _finding(
    check: Check, evidence: Evidence, failed: Mapping[str, Finding], layers: Overrides
) -> Finding:
    finding = judged(check, evidence, layers.get(check.id, {}))
    for measure in check.measures:
        if measure.name in failed:
            bad = failed[measure.name]
            return Finding(
                bad.verdict, bad.summary, bad.next_step, bad.numbers,
                check=check.id, stage=check.stage, thresholds=finding.thresholds,
            )  # fmt: skip
    return finding


def _with_measures(
    place: Workspace, evidence: Evidence, wanted: Sequence[Check], named: Set[str],
    hands: Executor, progress: Progress, store: Callable[[], None],
) -> tuple[Evidence, dict[str, Finding]]:  # fmt: skip
    """Evidence with every whole-table measure the checks need; those that broke, by name.

    named  measures that are made although they wait to be asked for
    store  makes the evidence the workspace's results, while workers have begun with measures
    """
    every = {m.name: m for c in wanted for m in c.measures}
    stored = {name: results.stored_measure(place, m, evidence) for name, m in every.items()}
    needed = [m for m in every.values()
              if not m.asked or (m.name in named and not m.by) or stored[m.name][1]]  # fmt: skip
    needed.sort(key=lambda m: m.pictures)
    tables, failed = dict(evidence.tables), {}
    with contextlib.closing(_StoredFiles(place, evidence, hands)) as held:
        begun = {m.name: _begun(m, evidence, held) for m in needed if not stored[m.name][1]}
        store()
        names = dict(_named_measures(place))
        for measure in needed:
            progress(f"measuring {measure.name.replace('_', ' ')}", 0, 0)
            file, there = stored[measure.name]
            try:
                tables[measure.name] = read_table(place.tables / file) if there else _made(
                    place, measure, file, begun[measure.name], Evidence(
                        evidence.dataset, evidence.samples, evidence.boxes, tables, evidence._cache
                    ), progress)  # fmt: skip
                names[measure.name] = file
            except MissingInput as e:
                failed[measure.name] = Finding("skipped", f"Not judged: {e}.")
            except (Cancelled, WorkspaceError):
                raise
            except Exception as e:
                failed[measure.name] = broken(e)
    folder = place.current()
    if folder is not None:
        with writing(place):
            results.name_measures(place, folder, names)
    complete = Evidence(evidence.dataset, evidence.samples, evidence.boxes, tables, evidence._cache)
    return complete, failed


def _named_measures(place: Workspace) -> Mapping[str, str]:
    folder = place.current()
    path = folder / "tables.json" if folder else None
    return results.read_json(path) if path is not None and path.exists() else {}


def _begun(measure: Measure, evidence: Evidence, held: Files) -> Finish:
    """What makes a measure; where that is its way, workers have begun."""
    if measure.begin is not None:
        with contextlib.suppress(Exception):  # made as a whole it says the same again, heard
            return measure.begin(evidence, held)
    return lambda evidence, progress: measure.function(evidence, held, progress)


def _made(
    place: Workspace, measure: Measure, file: str, finish: Finish, evidence: Evidence,
    progress: Progress,
) -> pa.Table:  # fmt: skip
    """The measure's table, stored under that name."""
    table = finish(evidence, progress)
    with writing(place):
        results.write_measure(place, file, table)
    if measure.columns:
        shown_too = table.select(["row", *measure.columns])
        columns.write(place, measure.name, evidence.samples, shown_too, fingerprint(evidence))
    return table


def _store_report(place: Workspace, report: Report) -> None:
    folder = place.current()
    if folder is not None:
        with writing(place):
            results.write_report(folder, report)


def noise(
    workspace: Path | str | None = None,
    *,
    embedding: str = "patches",
    probabilities: Path | str = "",
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Finding:
    """Looks for wrong labels, stores what it finds, and judges it.

    embedding      how pictures are described: see recipe_core.images.embedding
    probabilities  .npy file of out-of-sample probabilities: see data.label_noise.measure.Options

    Raises Misuse, MissingInput where there is too little to learn from, WorkspaceError where the
    data set is scanned again meanwhile, and whatever `progress` raises to stop.
    """
    from recipe_core.data.embedded import described_in
    from recipe_core.data.label_noise.measure import NOISE, Options, measure_noise
    from recipe_core.images.embedding import tidied

    place = _open(workspace)
    found, folder = _measured_evidence(place), place.current()
    options = Options(embedding, str(probabilities), device, seed)
    held = files(place, found)
    training = _training_columns(place, found)
    table = measure_noise(found, held, progress, options, training)
    _keep_measured(place, folder, found, {NOISE: table}, "recipe noise")
    tidied(held.folder, described_in(found, held.folder))
    return check(place.path, check_ids=["label_noise"]).findings[0]


def _training_columns(place: Workspace, found: Evidence) -> dict[str, npt.NDArray[np.float64]]:
    """(n,) of every column that a training run left about samples, NaN where it left none."""
    from recipe_core.data.label_noise.joined import SIGNALS

    keys = [c for c in columns.KEYS if c in found.samples.column_names]
    table = columns.joined(place, found.samples.select(keys))
    return {
        name: np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64)
        for name in SIGNALS
        if name in table.column_names
    }


def embed(
    workspace: Path | str | None = None,
    *,
    embedding: str = "patches",
    map: str = "tsne",
    clusters: int = 20,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Describes every picture, and stores its neighbours, its place on a map, its cluster and how
    alone it stands; what was made, in numbers.

    embedding  how pictures are described: see recipe_core.images.embedding
    map        tsne or pca: see recipe_core.data.flat_map

    Raises Misuse, MissingInput without pictures, WorkspaceError where the data set is scanned again
    meanwhile, and whatever `progress` raises to stop.
    """
    from recipe_core.data.embedded import EMBEDDED, Options, kin, measure_embedding, summary_of
    from recipe_core.data.embedded_pairs import PAIRS, measure_pairs
    from recipe_core.images.embedding import tidied

    place = _open(workspace)
    found, folder = _measured_evidence(place), place.current()
    held = files(place, found)
    options = Options(embedding, map, clusters, device, seed)
    table, made = measure_embedding(found, held, progress, options)
    pairs = measure_pairs(found, held, made, kin(table, made), progress)
    _keep_measured(place, folder, found, {EMBEDDED: table, PAIRS: pairs}, "recipe embed")
    tidied(held.folder, made.file)
    by_copies = [c.id for c in checks("data") if PAIRS in c.measures]
    report = results.read_report(place)
    check(place.path, check_ids=[f.check for f in report.findings if f.check in by_copies]
          if report else by_copies)  # fmt: skip
    return summary_of(table)


def _keep_measured(
    place: Workspace, folder: Path | None, found: Evidence, tables: Mapping[Measure, pa.Table],
    command: str,
) -> None:  # fmt: skip
    """Stores measures that took minutes, where the results are still those they are about."""
    with locked(place, command=command, wait_s=60.0):
        if place.current() != folder or folder is None:
            raise WorkspaceError(f"The data set was scanned again meanwhile. Run {command} again.")
        names = dict(_named_measures(place))
        for measure, table in tables.items():
            names[measure.name], _ = results.stored_measure(place, measure, found)
            with writing(place):
                results.write_measure(place, names[measure.name], table)
        with writing(place):
            results.name_measures(place, folder, names)
        for measure, table in tables.items():
            if measure.columns:
                shown_too = table.select(["row", *measure.columns])
                columns.write(place, measure.name, found.samples, shown_too, fingerprint(found))


# -- judging again ------------------------------------------------------------------------------


def check(
    workspace: Path | str | None = None,
    *,
    check_ids: Sequence[str] | None = None,
    overrides: Overrides | None = None,
) -> Report:
    """Judges again from what is stored; opens no image. Checks not asked for keep their finding.

    A check whose measure was never made is skipped, with the reason.
    """
    place = _open(workspace)
    wanted, layers = chosen(check_ids), _overrides(place, overrides)
    found = evidence(place.path)
    fresh = {c.id: judged(c, found, layers.get(c.id, {})) for c in wanted}
    old = {f.check: f for f in (results.read_report(place) or _empty(found)).findings}
    everything = tuple((old | fresh)[c.id] for c in checks() if c.id in old | fresh)
    report = Report(_described(found), everything, versions(), _now())
    _store_report(place, report)
    return Report(report.dataset, tuple(fresh.values()), report.versions, report.created)


def _empty(found: Evidence) -> Report:
    return Report(_described(found), (), versions(), _now())


def judge(
    workspace: Path | str, check_id: str, overrides: Mapping[str, Value] | None = None
) -> Finding:
    """One check's finding under these parameters; stores nothing (for sliders)."""
    place = _open(workspace)
    layers = merged(_overrides(place, None), {check_id: dict(overrides or {})})
    return judged(chosen([check_id])[0], evidence(place.path), layers[check_id])


# -- reading results ----------------------------------------------------------------------------


def exists(workspace: Path | str | None = None) -> bool:
    """Whether the workspace holds results of a finished scan."""
    folder = _open(workspace).current()
    return folder is not None and (folder / "samples.parquet").exists()


def state(workspace: Path | str | None = None) -> str:
    """A text that changes whenever the results change: a key for caches."""
    return _state(_open(workspace))


def _state(place: Workspace) -> str:
    return f"{place.state()} {columns.state(place)}".strip()


def source(workspace: Path | str | None = None) -> Path:
    """The folder or file that the results were read from."""
    return results.read_source(_open(workspace))


def changed_since(workspace: Path | str | None = None) -> Changes:
    """Files added, removed and changed since the scan, by name, size and time; opens no picture.

    Raises SourceError where the data set is gone.
    """
    from recipe_core.data.survey import changes
    from recipe_core.images.sources.detect import read_dataset

    found = evidence(workspace)
    return changes(read_dataset(source(workspace), found.dataset.format), found.samples)


def evidence(workspace: Path | str | None = None) -> Evidence:
    """Everything measured, kept in this process while the results stay the same."""
    place = _open(workspace)
    base, added = _measured_evidence(place), columns.state(place)
    if not added:
        return base

    def join() -> Evidence:
        samples = columns.joined(place, base.samples)
        # what is known of the columns of the scan holds for the joined table too
        return Evidence(base.dataset, samples, base.boxes, base.tables, dict(base._cache))

    return _kept(place, "evidence", join, (id(base), added))


def _measured_evidence(place: Workspace) -> Evidence:
    """What scans measured, without extra columns."""
    state = (place.current(), _tables_state(place))
    return _kept(place, "measured", lambda: results.read_evidence(place), state)


def _tables_state(place: Workspace) -> int:
    folder = place.current()
    try:
        return (folder / "tables.json").stat().st_mtime_ns if folder else 0
    except OSError:
        return 0


def add_columns(workspace: Path | str | None, source: str, table: pa.Table) -> None:
    """Adds columns to the sample table, in place of earlier ones of the same source.

    table  `row` int64 and the columns, any number of rows; samples that it leaves out have nulls

    Raises Misuse for a name that is taken, WorkspaceError.
    """
    place = _open(workspace)
    found = _measured_evidence(place)
    columns.write(place, source, found.samples, table, fingerprint(found))


def last_report(workspace: Path | str | None = None) -> Report | None:
    """The findings of the last scan or check; None where there are none."""
    place = _open(workspace)
    return _kept(place, "report", lambda: results.read_report(place), place.state())


def rows(
    workspace: Path | str | None = None,
    where: str = "",
    sort: str = "",
    *,
    descending: bool = False,
    limit: int | None = None,
) -> npt.NDArray[np.int64]:
    """Row numbers that satisfy a SQL expression, sorted by a column. Raises Misuse."""
    return _query(_open(workspace)).rows(where, sort, descending=descending, limit=limit)


def samples(
    workspace: Path | str | None = None,
    where: str = "",
    sort: str = "",
    *,
    descending: bool = False,
    limit: int | None = None,
) -> pa.Table:
    """The sample table with every measured column (hashes as hexadecimal text)."""
    place = _open(workspace)
    wanted = _query(place).rows(where, sort, descending=descending, limit=limit)
    return shown(_with_findings(place)).take(pa.array(wanted))


def shown(table: pa.Table) -> pa.Table:
    """The columns that people and scripts see; perceptual hashes as 16 hexadecimal digits."""
    from recipe_core.store.query import INTERNAL

    table = table.select([c for c in table.column_names if c not in INTERNAL])
    for name in ("phash", "dhash"):
        if name in table.column_names:
            texts = [None if v is None else f"{v:016x}" for v in table[name].to_pylist()]
            i = table.column_names.index(name)
            table = table.set_column(i, name, pa.array(texts, pa.string()))
    return table


def findings_table(
    workspace: Path | str | None = None, check_ids: Sequence[str] | None = None
) -> pa.Table:
    """One row per subject: check, verdict, sample_id, path, split, label, group, score, detail."""
    place = _open(workspace)
    wanted = {c.id for c in chosen(check_ids)}
    report = last_report(place.path)
    if report is None:
        raise Misuse(f"{place.path} holds no findings yet. Run: recipe scan SOURCE -w {place.path}")
    found = evidence(place.path)
    pieces = [_subject_rows(f, found) for f in report.findings if f.check in wanted]
    return pa.concat_tables(pieces) if pieces else _FINDING_FIELDS.empty_table()


_FINDING_FIELDS = pa.schema([
    ("check", pa.string()), ("verdict", pa.string()), ("sample_id", pa.string()),
    ("path", pa.string()), ("split", pa.string()), ("label", pa.string()), ("group", pa.int64()),
    ("score", pa.float32()), ("detail", pa.string()),
])  # fmt: skip


def _subject_rows(f: Finding, found: Evidence) -> pa.Table:
    s = f.subjects
    named = found.samples.select(["sample_id", "path", "split", "label"]).take(pa.array(s.rows))
    groups = pa.nulls(len(s), pa.int64()) if s.groups is None else pa.array(s.groups, pa.int64())
    columns = {
        "check": pa.array([f.check] * len(s), pa.string()),
        "verdict": pa.array([f.verdict] * len(s), pa.string()),
        **{c: pc.cast(named[c], pa.string()) for c in named.column_names},
        "group": groups,
        "score": pa.array(s.scores, pa.float32()),
        "detail": pa.array(list(s.details), pa.string()),
    }
    return pa.table(columns, schema=_FINDING_FIELDS)


def _with_findings(place: Workspace) -> pa.Table:
    """The sample table with a column `findings`: the ids of the checks that blame the sample."""
    return _kept(place, "table", lambda: _add_findings(place), _state(place))


def _add_findings(place: Workspace) -> pa.Table:
    found, report = evidence(place.path), last_report(place.path)
    texts = np.full(len(found), "", dtype=object)
    for f in report.findings if report else ():
        named = f.subjects.blamed()
        texts[named] = [f"{t}, {f.check}" if t else f.check for t in texts[named]]
    return found.samples.append_column("findings", pa.array(texts, pa.string()))


def _query(place: Workspace) -> SampleQuery:
    from recipe_core.store.query import SampleQuery

    return _kept(place, "query", lambda: SampleQuery(_with_findings(place)), _state(place))


class _StoredFiles:
    """Files of a workspace: thumbnails from its pack, originals from the data set."""

    def __init__(self, place: Workspace, found: Evidence, hands: Executor | None) -> None:
        from recipe_core.data.survey import thumbnails_of
        from recipe_core.execution.here import Here
        from recipe_core.execution.sharing import Sharing

        self._sharing = Sharing(hands or Here())
        self.folder: Path | None = place.path / "embeddings"
        self._found = found
        self._pack = thumbnails_of(place, found.samples)
        self._offsets = found.samples["thumb_offset"].to_numpy()
        self._lengths = found.samples["thumb_length"].to_numpy()

    def thumbnail(self, row: int) -> bytes | None:
        length = int(self._lengths[row])
        return self._pack.read(int(self._offsets[row]), length) if self._pack and length else None

    def original(self, row: int) -> bytes:
        from recipe_core.images.look import FileRef, read_bytes

        file, member = self._found.samples["file"][row].as_py(), self._found.samples["member"][row]
        if file is None:
            file = self._found.samples["path"][row].as_py().encode()
        path = os.path.join(os.fsencode(self._found.dataset.root), file)
        return read_bytes(FileRef(row, path, member.as_py()))

    def shared_out(self, work: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        return self._sharing.shared_out(work, parts)

    def close(self) -> None:
        self._sharing.close()


def files(place: Workspace, found: Evidence, hands: Executor | None = None) -> Files:
    """The bytes behind the rows of this evidence; `hands` work for its measures (None: here)."""
    return _StoredFiles(place, found, hands)


def thumbnail(workspace: Path | str, row: int) -> bytes | None:
    """The JPEG thumbnail of a sample; None where its picture could not be decoded."""
    return _files(_open(workspace)).thumbnail(row)


def original(workspace: Path | str, row: int) -> bytes:
    """The bytes of a sample's file. Raises OSError where it is gone."""
    return _files(_open(workspace)).original(row)


def _files(place: Workspace) -> Files:
    return _kept(place, "files", lambda: files(place, evidence(place.path)), place.current())


# -- browsing -----------------------------------------------------------------------------------


def browser(workspace: Path | str | None = None) -> Browser:
    """Filters, counts and distributions of a workspace as it is now; cheap to ask for again.

    Kept in this process: the columns while the results stay the same, what was decided while
    nothing new is. Raises WorkspaceError before the first finished scan.
    """
    from recipe_core.data.browse import Browser, decided_by_row

    place = _open(workspace)
    vectors, sources = _kept(place, "vectors", lambda: _vectors(place), _state(place))
    count = decisions(place.path).state()

    def make() -> Browser:
        marks = decided_by_row(decided(place.path), vectors.n, count)
        return Browser(vectors, marks, sources)

    return _kept(place, "browser", make, (_state(place), count))


def _vectors(place: Workspace) -> tuple[Vectors, Sources]:
    from recipe_core.data.browse import Sources
    from recipe_core.data.embedded import stored
    from recipe_core.data.vectors import Vectors

    found, report = evidence(place.path), last_report(place.path)
    named = {f.check: f.subjects.blamed() for f in report.findings} if report else {}
    sources = Sources(
        lambda where: _query(place).rows(where), _descriptors(place, found),
        _once(lambda: stored(found, place.path / "embeddings")),
    )  # fmt: skip
    return Vectors(found, named), sources


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """The same, made when it is first asked for; a second one who asks waits for the first."""
    lock, made = threading.Lock(), list[T]()

    def get() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def _descriptors(
    place: Workspace, found: Evidence
) -> Callable[[Progress], npt.NDArray[np.float32]]:
    """Small descriptors of every thumbnail, made once; they live and die with the results."""
    from recipe_core.data import similar

    folder, lock = place.current(), threading.Lock()
    made: list[npt.NDArray[np.float32]] = []

    def get(progress: Progress) -> npt.NDArray[np.float32]:
        with lock:  # a second one who asks waits for the first one's
            if not made:
                path = (folder or place.path) / similar.FILE
                thumbnail = files(place, found).thumbnail
                made.append(similar.descriptors(path, len(found), thumbnail, progress))
            return made[0]

    return get


def decided(workspace: Path | str | None = None) -> pa.Table:
    """What is decided: store.decisions.DECISION_FIELDS and `row` int64, by row.

    Samples that the data set no longer has come last, with a null row.
    """
    place = _open(workspace)
    log = decisions(place.path)
    state = (place.current(), log.state())
    return _kept(place, "decided", lambda: _by_row(log.current(), evidence(place.path)), state)


def _by_row(table: pa.Table, found: Evidence) -> pa.Table:
    ids = table["sample_id"].combine_chunks()
    # every sample looked up among the decisions: the other way round hashes a million ids
    places = pc.index_in(found.samples["sample_id"], ids)
    here = np.flatnonzero(np.asarray(places.is_valid().to_numpy(), bool))
    order = np.asarray(places.take(pa.array(here)).to_numpy(), np.int64)
    gone = np.setdiff1d(np.arange(len(ids)), order)
    rows = pa.concat_arrays([pa.array(here, pa.int64()), pa.nulls(len(gone), pa.int64())])
    return table.take(pa.array(np.concatenate([order, gone]))).append_column("row", rows)


def decide(
    workspace: Path | str | None,
    kind: DecisionKind,
    rows: Sequence[int] | npt.NDArray[np.integer[Any]],
    value: str | None = None,
    who: str | None = None,
) -> Batch:
    """Writes one decision about these rows, each once; see Decisions.record for kind and value.

    who   default: the user of this process. Raises Misuse, UnknownName (nothing written),
          WorkspaceError.
    """
    from recipe_core.store.decisions import Batch

    place = _open(workspace)
    ids, name, now = _ids(evidence(place.path), rows), who or _user(), _moment()
    batch = decisions(place.path).record(kind, ids, value, name, now)
    return Batch(batch, kind, value, len(ids), name, now.isoformat(timespec="milliseconds"))


def relabel_as_suggested(
    workspace: Path | str | None,
    rows: Sequence[int] | npt.NDArray[np.integer[Any]],
    who: str | None = None,
) -> Batch | None:
    """Gives each of these rows the label that the column `suggested_label` has for it, as one act.

    Rows without a suggestion, or that have that label already, are left as they are; None where
    all are. Raises Misuse, WorkspaceError.
    """
    from recipe_core.store.decisions import Batch

    place = _open(workspace)
    found = evidence(place.path)
    chosen, labels = suggested(found, rows)
    if not len(chosen):
        return None
    name, now = who or _user(), _moment()
    batch = decisions(place.path).record_each("relabel", _ids(found, chosen), labels, name, now)
    one = labels[0] if len(set(labels)) == 1 else None
    moment = now.isoformat(timespec="milliseconds")
    return Batch(batch, "relabel", one, len(labels), name, moment)


def suggested(
    found: Evidence, rows: Sequence[int] | npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Those of the rows whose suggested label is another than their own, ascending, and it."""
    wanted = np.unique(np.asarray(rows, np.int64))
    if not len(wanted) or not found.has(SUGGESTED):
        return np.empty(0, np.int64), []
    both = found.samples.select(["label", SUGGESTED]).take(pa.array(wanted))
    own, new = (pc.cast(both[c], pa.string()).to_pylist() for c in ("label", SUGGESTED))
    other = [i for i, (a, b) in enumerate(zip(own, new, strict=True)) if b and a != b]
    return wanted[other], [new[i] for i in other]


def _ids(found: Evidence, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[str]:
    given = np.asarray(rows)
    if given.size and given.dtype.kind not in "iu":  # a mask or shares would name other samples
        raise Misuse(f"Samples are named by row numbers, not by {given.dtype} values.")
    wanted = np.unique(given.astype(np.int64))
    if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < len(found):
        raise Misuse(f"Rows go from 0 to {len(found) - 1}, not {wanted[0]} to {wanted[-1]}.")
    return list(found.samples["sample_id"].take(pa.array(wanted)).to_pylist())


def undo(workspace: Path | str | None = None, who: str | None = None) -> Batch | None:
    """Takes back the last decision in force; what it was, None where there is none."""
    return decisions(workspace).undo(who or _user(), _moment())


def redo(workspace: Path | str | None = None, who: str | None = None) -> Batch | None:
    """Brings back what was undone last; None if nothing was or something new came since."""
    return decisions(workspace).redo(who or _user(), _moment())


def reversible(workspace: Path | str | None = None) -> tuple[bool, bool]:
    """Whether there is a decision to undo, and one to redo."""
    return decisions(workspace).reversible()


def history(workspace: Path | str | None, row: int) -> pa.Table:
    """store.decisions.EVENT_FIELDS of everything ever decided about a sample. Raises Misuse."""
    place = _open(workspace)
    return decisions(place.path).history(_ids(evidence(place.path), [row])[0])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "someone"


def _moment() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


def views(workspace: Path | str | None = None) -> dict[str, tuple[Filter, Order]]:
    """Saved filters and orders by name. Those that this version cannot read are left out."""
    from recipe_core.data.browse import Filter, Order

    found = {}
    for name, (chosen, order) in _views(workspace).all().items():
        with contextlib.suppress(Misuse):
            found[name] = (Filter.from_json(chosen), Order.from_json(order))
    return found


def save_view(
    workspace: Path | str | None, name: str, filter: Filter, order: Order | None = None
) -> None:
    """Keeps a filter and an order under a name, in place of an earlier one. Raises Misuse."""
    _views(workspace).save(name, filter.to_json(), order.to_json() if order else "{}")


def forget_view(workspace: Path | str | None, name: str) -> bool:
    """Deletes a saved view; whether there was one."""
    return _views(workspace).forget(name)


def _views(workspace: Path | str | None) -> Views:
    from recipe_core.store.views import Views

    return Views(_open(workspace).path / "views.db")


# -- reports ------------------------------------------------------------------------------------


def report_bytes(workspace: Path | str | None, kind: str, further: Sequence[Finding] = ()) -> bytes:
    """The report as `html` (one self-contained file), `json` or `md`.

    further  findings of later stages, after those of the data
    """
    from recipe_core.reporting.html import html_report
    from recipe_core.reporting.markdown import markdown_report

    if kind not in REPORT_KINDS:
        raise UnknownName("kind of report", kind, REPORT_KINDS)
    place = _open(workspace)
    found, report = evidence(place.path), last_report(place.path)
    if report is None:
        raise Misuse(f"{place.path} holds no findings yet. Run: recipe check -w {place.path}")
    report = replace(report, findings=(*report.findings, *further))
    if kind == "json":
        return to_json(report).encode()
    if kind == "md":
        return markdown_report(report, found, checks()).encode()
    return html_report(report, found, _files(place), checks()).encode()


def write_report(
    workspace: Path | str | None, path: Path | str, further: Sequence[Finding] = ()
) -> Path:
    """Writes the report; the ending of the name says which kind. Returns the path."""
    target = Path(path)
    ending = target.suffix.lstrip(".").lower()
    kind = {"htm": "html", "markdown": "md"}.get(ending, ending)
    if kind not in REPORT_KINDS:
        raise Misuse(f"The report's name must end in .html, .json or .md, not {target.name!r}.")
    content = report_bytes(workspace, kind, further)
    try:
        replaced(target, lambda p: p.write_bytes(content))
    except OSError as e:
        raise Misuse(f"{target} cannot be written: {e.strerror or e}.") from None
    return target


def decisions(workspace: Path | str | None = None) -> Decisions:
    """What people decided about the samples of this workspace."""
    from recipe_core.store.decisions import Decisions

    return Decisions(_open(workspace).decisions)


def export(
    workspace: Path | str | None,
    dest: Path | str,
    *,
    kind: Kind,
    drop: Sequence[str] = (),
    link: Link = "copy",
    progress: Progress = silent,
) -> ExportSummary:
    """Writes the cleaned data set to a new folder; the source is never touched.

    drop  check ids: their subjects stay out (of copies, all but the one to keep)
    Raises Misuse, UnknownName (nothing written), WorkspaceError (disk full).
    """
    from recipe_core.data.export import export as write

    place = _open(workspace)
    found, report = evidence(place.path), last_report(place.path)
    written = write(
        found, _files(place), Path(dest), kind, decisions=decisions(place.path).current(),
        findings=report.findings if report else (), drop=chosen_to_drop(drop), link=link,
        progress=progress,
    )  # fmt: skip
    return replace(written, notes=(*written.notes, *better_mended(drop)))


def better_mended(drop: Sequence[str]) -> list[str]:
    """Of the checks whose samples are left out, what would put them right instead."""
    return [f"{c.id}: {c.mended_by}" for c in chosen(drop) if c.mended_by] if drop else []


def chosen_to_drop(ids: Sequence[str]) -> list[str]:
    """The same ids, each once. Raises UnknownName for one that is no check."""
    return [c.id for c in chosen(ids)] if ids else []


def to_json(report: Report) -> str:
    """The JSON report of the contract, as text."""
    from recipe_core.reporting.json_ import json_report

    return json_report(report)


@cache
def versions() -> dict[str, str]:
    """What made the results: Recipe, Python and the libraries that touch pixels."""
    import importlib.metadata  # takes long, and no scan waits for it

    libraries = ("pillow", "simplejpeg", "pillow-heif", "numpy", "pyarrow", "duckdb")
    found = {"python": platform.python_version()}
    for name in ("recipe-workbench", *libraries):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _described(found: Evidence) -> dict[str, Any]:
    codes, names = found.codes("split")
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return {
        "name": found.dataset.name,
        "source": str(found.dataset.root),
        "format": found.dataset.format,
        "n_samples": len(found),
        "n_classes": len(found.dataset.class_names),
        "splits": {n: int(c) for n, c in zip(names, counts, strict=True)},
        "n_boxes": found.boxes.num_rows,
        "fingerprint": fingerprint(found),
        "notes": [{"kind": n.kind, "text": n.text} for n in found.dataset.notes],
    }


def fingerprint(found: Evidence) -> str:
    """24 hex digits over every sample's path, label, split and content, in order."""
    return found.fingerprint()


def _now() -> str:
    return _moment().isoformat(timespec="seconds")


# -- in this process ----------------------------------------------------------------------------

_KEEP = 18
_cache: OrderedDict[tuple[str, str], tuple[Any, Any]] = OrderedDict()
_cache_lock = threading.RLock()


def _kept(place: Workspace, kind: str, make: Callable[[], T], state: Any) -> T:
    """`make()`, made once per workspace and state; the least recently used are dropped."""
    key = (str(place.path.resolve()), kind)
    with _cache_lock:
        if key not in _cache or _cache[key][0] != state:
            _cache[key] = (state, make())
        _cache.move_to_end(key)
        while len(_cache) > _KEEP:
            _cache.popitem(last=False)
        value: T = _cache[key][1]
        return value


def _open(workspace: Path | str | None) -> Workspace:
    return Workspace(Path(workspace) if workspace is not None else default_workspace())


def _overrides(place: Workspace, given: Overrides | None) -> dict[str, dict[str, Value]]:
    file = settings_file(place.path)
    if not given and not file.exists():  # other stages' checks need not be loaded
        return {}
    types = parameter_types()
    layers = merged(read_toml(file, types), given or {})
    for check_id, values in layers.items():
        if check_id not in types:
            raise UnknownName("check", check_id, types)
        resolve(check_id, types[check_id], values)
    return layers
