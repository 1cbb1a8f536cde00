"""The second desk: what can one ask of a training pipeline? The command line, the app and Python
all call these.

from recipe_core import pipeline
run_id = pipeline.launch("w", "train", "recipe_core.training.loop:train", config)
for run in pipeline.runs("w"):
    print(run.id, run.status, run.progress)
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe_core import recipe
from recipe_core.kernel.errors import Misuse, RecipeError, UnknownName
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.params import Overrides, Value
from recipe_core.kernel.progress import Progress, silent

if TYPE_CHECKING:
    from recipe_core.overfit.ledger import Change, Entry
    from recipe_core.overfit.planning import Proposal
    from recipe_core.runs.curves import Curve
    from recipe_core.runs.folder import RunFolder
    from recipe_core.runs.job import Job
    from recipe_core.runs.watching import Run
    from recipe_core.store.readings import ReadingStore
    from recipe_core.training.config import RunConfig

NETWORK_EPOCHS = 12
"""Of a network that is asked about labels: later epochs learn the wrong ones by heart (Arpit et al.
2017)."""
MOST_BATCH = 1024
"""Larger batches need another learning rate, and seldom help."""


# -- runs ---------------------------------------------------------------------------------------


def launch(
    workspace: Path | str | None,
    kind: str,
    entry: str,
    config: Mapping[str, Any],
    title: str = "",
    command: str = "",
    device: str = "",
    *,
    queue: str = "auto",
) -> str:
    """Starts a run in a process of its own; its id. See runs.launching.launch."""
    from recipe_core.runs import launching

    return launching.launch(
        _place(workspace), kind, entry, config, title=title, command=command, device=device,
        queue=queue,
    )  # fmt: skip


def runs(workspace: Path | str | None = None, *, trash: bool = False) -> tuple[Run, ...]:
    """Every run (or every deleted one), newest first; those that ended are read once a process."""
    from recipe_core.runs import launching, watching

    launching.reap()
    return watching.runs(_place(workspace), trash)


def run(workspace: Path | str | None, run_id: str) -> Run:
    """One run as it is now. Raises UnknownName."""
    from recipe_core.runs import launching, watching

    launching.reap()
    return watching.run(_place(workspace), run_id)


def stop(workspace: Path | str | None, run_id: str, *, wait: bool = True, now: bool = False) -> Run:
    """Asks a run to stop: it finishes its step and saves, within 10 s; else it is made to end.

    wait  until it has ended (a page only asks); now: it may not finish its step
    """
    from recipe_core.runs import launching

    patience = {"finish_s": 0.0, "unwind_s": 1.0} if now else {}
    return launching.stop(_place(workspace), run_id, wait=wait, **patience)


def follow(
    workspace: Path | str | None,
    run_id: str,
    listener: Callable[[Run], object] = lambda run: None,
    *,
    every_s: float = 0.25,
) -> Run:
    """Waits for a run's end and tells the listener how it is doing; Ctrl-C stops the run.

    Raises Cancelled where it was stopped, by whomever.
    """
    from recipe_core.kernel.errors import Cancelled

    try:
        while (state := run(workspace, run_id)).live:
            listener(state)
            time.sleep(every_s)
    except KeyboardInterrupt:
        state = stop(workspace, run_id)
    listener(state)
    if state.status == "stopped":
        raise Cancelled(f"{run_id} was stopped; it can be resumed.")
    return state


def resume(workspace: Path | str | None, run_id: str) -> None:
    """Goes on with a run that ended early. Raises Misuse where it is alive or done."""
    from recipe_core.runs import launching

    launching.resume(_place(workspace), run_id)


def delete(workspace: Path | str | None, run_id: str) -> None:
    """Moves a run to the trash, from where `restore` brings it back. Raises Misuse if alive."""
    from recipe_core.runs import launching

    launching.delete(_place(workspace), run_id)


def restore(workspace: Path | str | None, run_id: str) -> None:
    """Brings a deleted run back."""
    from recipe_core.runs import launching

    launching.restore(_place(workspace), run_id)


def empty_trash(workspace: Path | str | None = None) -> int:
    """Deletes the deleted runs for good; how many there were."""
    from recipe_core.runs import launching

    return launching.empty_trash(_place(workspace))


def star(workspace: Path | str | None, run_id: str, on: bool = True) -> None:
    """Marks a run to find it again, or takes the mark off."""
    from recipe_core.runs import marks

    marks.star(_place(workspace), run_id, on)


def starred(run: Run) -> bool:
    """Whether someone marked this run."""
    from recipe_core.runs import marks

    return marks.starred(run.folder)


def note(workspace: Path | str | None, run_id: str, text: str) -> None:
    """Writes a note about a run in place of the one before. Raises Misuse where it is too long."""
    from recipe_core.runs import marks

    marks.note(_place(workspace), run_id, text)


def noted(run: Run) -> str:
    """What someone noted about this run; "" without a note."""
    from recipe_core.runs import marks

    return marks.noted(run)


def export_run(workspace: Path | str | None, run_id: str, kind: str, dest: Path | str) -> Path:
    """Writes a run for another tool: `tensorboard` event files or an `mlflow` file store.

    Returns the folder to open with it. Raises UnknownName; Misuse where the tool's package is
    missing or `dest` cannot be written.
    """
    from recipe_core.runs.exports import export

    return export(_folder(workspace, run_id), kind, Path(dest))


# -- what a run shows -----------------------------------------------------------------------------


def curves(
    workspace: Path | str | None,
    run_id: str,
    names: Sequence[str] | None = None,
    *,
    after: int | None = None,
    most: int = 3000,
) -> tuple[Curve, ...]:
    """A run's curves, thinned so that spikes stay. See runs.curves.curves."""
    from recipe_core.runs.curves import curves as read

    return read(_folder(workspace, run_id), names, after=after, most=most)


def last_values(workspace: Path | str | None, run_id: str) -> dict[str, float]:
    """The newest value of each curve."""
    from recipe_core.runs.curves import last_values as read

    return read(_folder(workspace, run_id))


def log_tail(workspace: Path | str | None, run_id: str, most: int = 8000) -> str:
    """The last lines that the process printed."""
    from recipe_core.runs.watching import log_tail as read

    return read(_folder(workspace, run_id), most)


def events(workspace: Path | str | None, run_id: str, after: int = 0) -> list[dict[str, Any]]:
    """What happened to a run, oldest first, without the first `after` events."""
    from recipe_core.runs.curves import events as read

    return read(_folder(workspace, run_id), after)


def _folder(workspace: Path | str | None, run_id: str) -> RunFolder:
    from recipe_core.runs.folder import found

    return found(_place(workspace), run_id)


def _place(workspace: Path | str | None) -> Path:
    return (Path(workspace) if workspace is not None else recipe.default_workspace()).resolve()


# -- what looks alike? ----------------------------------------------------------------------------


def start_embed(
    workspace: Path | str | None = None,
    *,
    embedding: str = "patches",
    map: str = "tsne",
    clusters: int = 20,
    device: str = "auto",
    seed: int = 0,
) -> str:
    """Starts describing every picture as a run of kind "embed"; the run's id.

    The arguments are those of recipe.embed. Raises WorkspaceError before the first scan, Misuse for
    what cannot be asked or is not there.
    """
    from recipe_core.data.clusters import FEWEST, MOST
    from recipe_core.data.flat_map import KINDS
    from recipe_core.images.embedding import resolved

    place = _place(workspace)
    recipe.evidence(place)
    if map not in KINDS:
        raise UnknownName("kind of map", map, KINDS)
    if not FEWEST <= clusters <= MOST:
        raise Misuse(f"There can be {FEWEST} to {MOST} clusters, not {clusters}.")
    config = {"embedding": resolved(embedding, place), "map": map, "clusters": clusters,
              "device": device, "seed": seed}  # fmt: skip
    words = ["recipe", "embed", "-w", str(place)]
    for name in ("embedding", "map", "clusters", "seed"):
        words += [f"--{name}", str(config[name])]
    queued = device if device.startswith("cuda") else ""
    return launch(
        place, "embed", "recipe_core.pipeline:carry_out_embed", config, "What looks alike",
        shlex.join(words), queued,
    )  # fmt: skip


def carry_out_embed(job: Job) -> None:
    """The entry of a run of kind "embed"."""
    job.result(recipe.embed(job.workspace, **job.config, progress=job.progress))


# -- label noise: which labels are wrong? ---------------------------------------------------------


def start_noise(
    workspace: Path | str | None = None,
    *,
    embedding: str = "patches",
    probabilities: Path | str = "",
    device: str = "auto",
    seed: int = 0,
    cnn: str = "",
) -> str:
    """Starts looking for wrong labels as a run of kind "noise"; the run's id.

    The arguments are those of recipe.noise, and
    cnn  a model (see RunConfig.model) that is trained once for each fold; its out-of-sample
         probabilities stand beside the other classifiers. "" for none

    Raises WorkspaceError before the first scan, Misuse for files that are not there, for a model
    that nobody knows, and for `cnn` with `probabilities`, whose place it takes.
    """
    from recipe_core.images.embedding import resolved

    place = _place(workspace)
    recipe.evidence(place)
    if cnn and probabilities:
        raise Misuse("Say --cnn or --probabilities: both are out-of-sample probabilities.")
    if cnn:
        _refuse_unknown(cnn)
    given = str(Path(probabilities).resolve()) if probabilities else ""
    if given and not Path(given).is_file():
        raise Misuse(f"There is no file {given}.")
    embedding = resolved(embedding, place)
    config = {"embedding": embedding, "probabilities": given, "device": device, "seed": seed,
              "cnn": cnn}  # fmt: skip
    words = ["recipe", "noise", "-w", str(place), "--seed", str(seed), "--embedding", embedding]
    words += ["--probabilities", given] if given else []
    words += ["--cnn", cnn] if cnn else []
    queued = device if device.startswith("cuda") else ""
    return launch(
        place, "noise", "recipe_core.pipeline:carry_out_noise", config, "Wrong labels",
        shlex.join(words), queued,
    )  # fmt: skip


def _refuse_unknown(model: str) -> None:
    from recipe_core.kernel.errors import UnknownName
    from recipe_core.training.models import names

    if model not in names():
        raise UnknownName("model", model, names())


def carry_out_noise(job: Job) -> None:
    """The entry of a run of kind "noise"."""
    asked = job.config
    given = _by_network(job) if asked.get("cnn") else asked["probabilities"]
    finding = recipe.noise(
        job.workspace, embedding=asked["embedding"], probabilities=given,
        device=asked["device"], seed=asked["seed"], progress=job.progress,
    )  # fmt: skip
    kept = ("noise_rate", "noise_rate_low", "noise_rate_high", "labelled_samples",
            "auroc_on_planted", "classifier_agrees")  # fmt: skip
    job.result({k: finding.numbers[k] for k in kept if k in finding.numbers}
               | {"verdict": finding.verdict, "summary": finding.summary})  # fmt: skip


def _by_network(job: Job) -> Path:
    """The file of a network's out-of-sample probabilities, trained once for each fold."""
    import numpy as np

    from recipe_core.data.label_noise.folds import copy_groups, stratified_folds
    from recipe_core.data.label_noise.measure import FOLDS, labelled
    from recipe_core.images.squares import side_for
    from recipe_core.training.config import RunConfig
    from recipe_core.training.crossed import crossed

    evidence = recipe.evidence(job.workspace)
    rows, labels, names = labelled(evidence)
    seed = job.config["seed"]
    folds = stratified_folds(labels, copy_groups(evidence, rows), FOLDS, seed)
    config = RunConfig(
        model=job.config["cnn"], seed=seed, device=job.config["device"], epochs=NETWORK_EPOCHS,
        image_size=side_for(evidence, rows), schedule="one_cycle", lr=3e-3, augmentation="mild",
    )  # fmt: skip
    p = crossed(evidence, rows, labels, names, folds, config, workspace=job.workspace,
                folder=job.folder, stop_asked=job.stop_asked, progress=job.progress)  # fmt: skip
    every = evidence.codes("label")[1]
    whole = np.full((len(evidence), len(every)), 1 / len(every))
    whole[rows] = 0
    whole[rows[:, None], np.array([every.index(n) for n in names])] = p
    path = job.folder / f"{job.config['cnn']}-probabilities.npy"
    np.save(path, whole)
    return path


# -- sanity: is the pipeline right? ----------------------------------------------------------------


@dataclass(frozen=True)
class Sanity:
    """What the examination of a pipeline found.

    about     task, device, seed, num_classes, given, n_train, … ({} before it was opened)
    findings  in the order in which they were made
    """

    about: Mapping[str, Any]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """The sanity JSON of the contract."""
        from recipe_core.skeleton.sanity_json import sanity_json

        return sanity_json(self.findings, self.about)


def start_sanity(
    workspace: Path | str | None,
    config: RunConfig,
    *,
    check_ids: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    command: str = "",
) -> str:
    """Starts the examination of a pipeline as a run of kind "sanity"; the run's id.

    config  the pipeline: `task` is the user's file, else the product's own is examined
    Raises Misuse, UnknownName, WorkspaceError before the first scan.
    """
    place = _place(workspace)
    wanted = [c.id for c in recipe.chosen(check_ids, "skeleton")]
    asked = {
        "run": config.to_json(), "key": sanity_key(place, config), "checks": wanted,
        "overrides": recipe.thresholds(place, overrides, "skeleton"),
        "memory_limit_mb": config.memory_limit_mb,
    }  # fmt: skip
    title = Path(config.task).name if config.task else f"built-in {config.model}"
    return launch(
        place, "sanity", "recipe_core.skeleton.battery:entry", asked, title, command, config.device
    )


def sanity_key(workspace: Path | str | None, config: RunConfig) -> str:
    """16 hex digits for what is examined: configuration, content of the task file, data set."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(config.fingerprint().encode())
    digest.update(recipe.fingerprint(recipe.evidence(workspace)).encode())
    if config.task:
        try:
            digest.update(Path(config.task).read_bytes())
        except OSError as e:
            raise Misuse(f"{config.task} cannot be read: {e.strerror or e}.") from None
    return digest.hexdigest()


def sanity(
    workspace: Path | str | None,
    config: RunConfig,
    *,
    check_ids: Sequence[str] | None = None,
    overrides: Overrides | None = None,
    command: str = "",
    progress: Progress = silent,
    tell: Callable[[Finding], None] | None = None,
) -> Sanity:
    """Examines a pipeline in a process of its own and waits for it.

    tell  called with each finding as it is made
    Raises Misuse where the task file is at fault, RecipeError where the run did not end well; where
    `progress` raises, or on Ctrl-C, the run is stopped first.
    """
    place = _place(workspace)
    run_id = start_sanity(
        place, config, check_ids=check_ids, overrides=overrides, command=command
    )  # fmt: skip
    told: set[str] = set()
    try:
        while True:
            state = run(place, run_id)
            if not state.live or _finished(state) - told:  # judging draws pictures: not in vain
                found = _found_so_far(place, state)
                for f in found.findings:
                    if tell is not None and f.check not in told:
                        tell(f)
                told |= _finished(state)
            if not state.live:
                break
            doing = state.progress
            progress(doing.activity, doing.done, doing.total)
            time.sleep(0.2)
    except BaseException:
        stop(place, run_id)
        raise
    if state.status != "done":
        said = state.message or f"The run ended as {state.status}."
        raise (Misuse if "TaskError" in state.traceback else RecipeError)(said)
    return found


def _finished(state: Run) -> set[str]:
    return {c["id"] for c in state.result.get("checks", ())}


def _found_so_far(place: Path, state: Run) -> Sanity:
    from recipe_core.skeleton.battery import judged_again, with_ids

    asked, finished = state.config, _finished(state)
    store = _store(place, asked["key"])
    findings = judged_again(
        store, recipe.evidence(place), with_ids(asked["checks"]), asked["overrides"]
    )
    return Sanity(store.about(), tuple(f for f in findings if f.check in finished))


def last_sanity(workspace: Path | str | None = None, overrides: Overrides | None = None) -> Sanity:
    """What the latest examination read, judged again; loads no torch.

    Before the first only what needs no examination: what people answered.
    """
    from recipe_core.skeleton.battery import judged_again, with_ids
    from recipe_core.store.readings import latest, store_of
    from recipe_core.store.workspace import Workspace

    place = _place(workspace)
    store = latest(Workspace(place)) or store_of(Workspace(place), "none")
    layers = recipe.thresholds(place, overrides, "skeleton")
    found = judged_again(store, recipe.evidence(place), with_ids(()), layers)
    return Sanity(store.about(), found)


def judge_sanity(
    workspace: Path | str | None, check_id: str, overrides: Mapping[str, Value] | None = None
) -> Finding:
    """One check's finding of the latest examination under these thresholds (for sliders).

    Raises UnknownName; Misuse where it has not been made.
    """
    recipe.chosen([check_id], "skeleton")
    found = last_sanity(workspace, {check_id: dict(overrides or {})})
    for finding in found.findings:
        if finding.check == check_id:
            return finding
    raise Misuse(f"{check_id} has not been made yet. Run: recipe sanity --check {check_id}")


def _store(place: Path, key: str) -> ReadingStore:
    from recipe_core.store.readings import store_of
    from recipe_core.store.workspace import Workspace

    return store_of(Workspace(place), key)


# -- overfit: a model that can, one change at a time ---------------------------------------------


def propose_overfit(workspace: Path | str | None = None) -> Proposal:
    """The first configuration for these data on this machine, with its reasons; loads no torch.

    Raises WorkspaceError before the first scan, Misuse where there is nothing to train on.
    """
    from recipe_core.overfit.planning import facts, first_config
    from recipe_core.runs.turns import physical

    return first_config(facts(_place(workspace), physical("auto") or "cpu"))


def training_samples(workspace: Path | str | None = None) -> int:
    """How many samples a run with default splits trains on; loads no torch. Raises Misuse."""
    from recipe_core.training.config import RunConfig
    from recipe_core.training.images import open_images

    return len(open_images(_place(workspace), RunConfig(), pixels=False).train)


def look(workspace: Path | str | None, run_id: str, rows: Sequence[int]) -> str:
    """Starts a look at these samples through the net of a finished run; the id of that run."""
    device = run(workspace, run_id).device
    asked = {"run": run_id, "rows": [int(r) for r in rows], "device": device or "cpu"}
    return launch(
        workspace, "look", "recipe_core.overfit.looking:run", asked,
        f"{len(rows)} samples through {run_id}", device=device,
    )  # fmt: skip


def probe_batch(workspace: Path | str | None, config: RunConfig) -> str:
    """Starts the search for the largest batch that fits the device's memory; the run's id.

    Tried downwards from a power of two that the training set fills, at most MOST_BATCH.
    """
    n = training_samples(workspace)
    most = 1 << max(0, min(MOST_BATCH, n).bit_length() - 1)
    asked = config.but(batch_size=most, limit=0).to_json()
    return launch(
        workspace, "probe", "recipe_core.training.oom:probe", asked,
        f"Batch that fits: {_named(config)}, {config.image_size} px", device=config.device,
    )  # fmt: skip


def probed_batch(workspace: Path | str | None, config: RunConfig) -> Run | None:
    """The newest search for this model, picture size and device; None where there was none."""
    same = ("model", "width", "stem", "image_size", "task", "device", "precision", "optimizer")
    wanted = {k: config.to_json()[k] for k in same}
    return next(
        (r for r in runs(workspace)
         if r.kind == "probe" and {k: r.config.get(k) for k in same} == wanted),
        None,
    )  # fmt: skip


def probe_rates(workspace: Path | str | None, config: RunConfig) -> str:
    """Starts the range test of the learning rate for a configuration, on copies; the run's id."""
    recipe.evidence(workspace)
    return launch(
        workspace, "rates", "recipe_core.skeleton.battery:rate_entry", config.to_json(),
        f"Learning rates: {_named(config)}, {config.image_size} px", device=config.device,
    )  # fmt: skip


def probed_rates(workspace: Path | str | None, config: RunConfig) -> Run | None:
    """The newest range test of this configuration, whatever its learning rate, seed or note."""
    from recipe_core.overfit.ledger import CIRCUMSTANCES
    from recipe_core.training.config import RunConfig as Config

    free = {*CIRCUMSTANCES, "lr"} - {"device"}
    return next(
        (r for r in runs(workspace)
         if r.kind == "rates" and not set(Config.from_json(r.config).differences(config)) - free),
        None,
    )  # fmt: skip


def rate_finding(run: Run) -> Finding:
    """What the range test of this run found: a finding of the check learning_rate."""
    from recipe_core.skeleton.battery import rate_finding as read

    return read(run.folder)


def _named(config: RunConfig) -> str:
    return Path(config.task).name if config.task else config.model


def overfit_command(workspace: Path | str | None, config: RunConfig) -> list[str]:
    """The command that a person would type for an overfit run."""
    from recipe_core.overfit.planning import OVERFIT

    words = ["recipe", "overfit", "-w", str(_place(workspace))]
    for name, (_, value) in OVERFIT.differences(config).items():
        if name in ("model", "lr", "task", "device"):
            words += [f"--{name}", str(value)]
        else:
            words += ["--set", f"{name}={str(value).lower() if value is True else value}"]
    return words


def start_overfit(workspace: Path | str | None, config: RunConfig, title: str = "") -> str:
    """Starts an overfit run; its id. Raises Misuse, WorkspaceError before the first scan."""
    recipe.evidence(workspace)
    return launch(
        workspace, "overfit", "recipe_core.overfit.run:run", config.to_json(),
        title or f"{_named(config)}, {config.image_size} px, seed {config.seed}",
        shlex.join(overfit_command(workspace, config)), config.device,
    )  # fmt: skip


def repeat_overfit(workspace: Path | str | None, run_id: str, n: int = 3) -> tuple[str, ...]:
    """Starts the same configuration under other seeds until it has `n` runs; the new ids.

    Runs of this configuration that exist or are under way count; those that failed do not.
    """
    from recipe_core.overfit.planning import repeats
    from recipe_core.training.config import RunConfig

    config = RunConfig.from_json(run(workspace, run_id).config)
    alike = [
        int(r.config["seed"])
        for r in runs(workspace)
        if r.kind == "overfit" and (r.live or r.status == "done")
        and not set(RunConfig.from_json(r.config).differences(config))
        - {"seed", "repeat", "note", "base"}
    ]  # fmt: skip
    wanted = max(0, n - len(set(alike)))
    return tuple(
        start_overfit(workspace, c.but(base=config.base or run_id))
        for c in repeats(config, wanted, alike)
    )


def judge_overfit(
    workspace: Path | str | None, run_id: str, overrides: Mapping[str, Value] | None = None
) -> Finding:
    """Whether the run's model fits its training set, from what the run read of itself."""
    from recipe_core.kernel.check import judged
    from recipe_core.overfit.checks.training_fit import CHECK, READING, VERSION
    from recipe_core.store.readings import ReadingStore

    place = _place(workspace)
    layers = recipe.thresholds(place, {CHECK.id: dict(overrides or {})}, "overfit")
    read = ReadingStore(_folder(place, run_id).path).read({READING: VERSION})
    return judged(CHECK, read, layers.get(CHECK.id, {}))


def overfit_findings(
    workspace: Path | str | None = None, overrides: Overrides | None = None
) -> tuple[Finding, ...]:
    """What the newest finished overfit run and the ledger say; skipped before there are any."""
    from dataclasses import asdict

    from recipe_core.kernel.check import judged
    from recipe_core.kernel.readings import Reading, Readings
    from recipe_core.overfit.checks import proven_changes, training_fit

    place = _place(workspace)
    layers = recipe.thresholds(place, overrides, "overfit")
    newest = next((r for r in runs(place) if r.kind == "overfit" and "verdict" in r.result), None)
    fit = (
        judge_overfit(place, newest.id, layers.get(training_fit.CHECK.id))
        if newest
        else judged(training_fit.CHECK, Readings())
    )
    book = Reading({"entries": [asdict(e) for e in ledger(place)]})
    check = proven_changes.CHECK
    told = judged(check, Readings({proven_changes.READING: book}), layers.get(check.id, {}))
    return fit, told


def training_findings(workspace: Path | str | None = None) -> tuple[Finding, ...]:
    """Everything known of the training pipeline and its runs that could be judged."""
    found = (*last_sanity(workspace).findings, *overfit_findings(workspace))
    return tuple(f for f in found if f.verdict != "skipped")


def report_bytes(workspace: Path | str | None, kind: str) -> bytes:
    """The report of data and training as `html`, `json` or `md`. See recipe.report_bytes."""
    return recipe.report_bytes(workspace, kind, training_findings(workspace))


def write_report(workspace: Path | str | None, path: Path | str) -> Path:
    """Writes the report of data and training. See recipe.write_report."""
    return recipe.write_report(workspace, path, training_findings(workspace))


def ledger(workspace: Path | str | None = None) -> tuple[Entry, ...]:
    """Every finished training run as the ledger sees it, oldest first."""
    from recipe_core.overfit.ledger import entry

    finished = [r for r in runs(workspace) if r.kind in ("overfit", "train") and r.status == "done"]
    return tuple(entry(r) for r in reversed(finished))


def changes(
    workspace: Path | str | None = None, metric: str = "accuracy", *, larger_is_better: bool = True
) -> list[Change]:
    """What each setting changed against the one it came from, and whether that is proven."""
    from recipe_core.overfit import ledger as book

    return book.changes(ledger(workspace), metric, larger_is_better=larger_is_better)
