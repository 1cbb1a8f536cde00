"""What does an overfit run do? It trains, then asks whether the model fits its training set.

When the training has ended, three things are left beside what every run leaves:
    RUN/training_fit.json, .npz  the reading that `checks/training_fit.py` judges
    WORKSPACE/columns/           what training said about each sample, for the sample table
    result.json                  with train_accuracy, train_loss, floor, gap and the verdict
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipe_core.kernel.check import judged
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.overfit.checks.training_fit import CHECK, READING, VERSION
from recipe_core.overfit.kept import epoch_losses, sample_dynamics
from recipe_core.overfit.looking import look
from recipe_core.overfit.planning import regularizers
from recipe_core.runs.job import Job
from recipe_core.store import columns
from recipe_core.store.readings import ReadingStore
from recipe_core.store.results import read_evidence
from recipe_core.store.workspace import Workspace
from recipe_core.training import checkpoints
from recipe_core.training.bench import Bench
from recipe_core.training.evaluate import Predictions, predictions
from recipe_core.training.floors import training_floor
from recipe_core.training.images import stratified
from recipe_core.training.loop import Diverged
from recipe_core.training.run import prepared, trained

ENTRY = "recipe_core.overfit.run:run"
HARDEST = 6
"""Samples of each kind whose saliency is drawn without being asked for."""
SOURCE = "training"
"""Whose columns they are in the sample table."""


def run(job: Job) -> None:
    """The entry of a run of kind `overfit`; `job.config` is a RunConfig's JSON.

    Raises as `training.run` does; a loss that is no number any more is judged before it is raised.
    """
    bench = prepared(job)
    try:
        found = trained(bench, job)
    except Diverged:
        _judge(job, bench, "diverged", {})
        raise
    job.progress("looking back at every training sample", 0, 0)
    _tell_the_samples(job, bench)
    result = _judge(job, bench, "done", found)
    look(job.folder, bench, _worth_a_look(bench, job.folder))
    job.result(result)


def _worth_a_look(bench: Bench, folder: Path) -> npt.NDArray[np.int64]:
    """The samples with the largest training loss, and as many drawn from the evaluation set."""
    found = sample_dynamics(folder)
    hardest = found[0][np.argsort(-found[1].loss)[:HARDEST]] if found else np.empty(0)
    others = bench.images.rows[bench.images.eval]
    drawn = stratified(bench.labels("eval"), HARDEST, 0)
    return np.concatenate([np.asarray(hardest, np.int64), others[drawn]])


def data_fingerprint(bench: Bench) -> str:
    """16 hex digits over what the run learned from and was judged by: contents and labels."""
    images = bench.images
    digest = hashlib.blake2b(digest_size=8)
    for part in (images.train, images.eval):
        for i in part:
            digest.update(f"{images.hashes[i]}\0{images.labels[i]}\0".encode())
        digest.update(b"\1")
    return digest.hexdigest()


# -- does it fit? -------------------------------------------------------------------------------


def _judge(job: Job, bench: Bench, ended: str, found: Mapping[str, Any]) -> dict[str, Any]:
    reading = fit(job.workspace, job.folder, bench, ended)
    ReadingStore(job.folder).write(READING, VERSION, reading)
    finding = judged(CHECK, Readings({READING: reading}))
    job.log.event("verdict", finding.summary, verdict=finding.verdict, next_step=finding.next_step)
    numbers = reading.numbers
    gap = found.get("loss", float("nan")) - numbers["train_loss"]
    return {
        **found, "data": data_fingerprint(bench), "verdict": finding.verdict,
        "summary": finding.summary, "next_step": finding.next_step,
        "train_accuracy": numbers["train_accuracy"], "train_loss": numbers["train_loss"],
        "floor": numbers["floor"], "gap": gap,
    }  # fmt: skip


def fit(workspace: Path, folder: Path, bench: Bench, ended: str) -> Reading:
    """What `training_fit` judges; see there for names. Measured with the run's newest weights."""
    seen = _on_the_training_set(folder, bench)
    images, config = bench.images, bench.config
    rows = images.rows[images.train]
    wrong = np.flatnonzero(seen.labels != seen.targets)
    share = np.bincount(seen.targets, minlength=images.num_classes).max() / len(seen.targets)
    return Reading(
        {
            "n_train": len(rows), "n_classes": images.num_classes, "lr": config.lr,
            "largest_class_share": float(share), "ended": ended,
            "train_accuracy": float((seen.labels == seen.targets).mean()),
            "train_loss": float("nan") if ended == "diverged" else seen.loss,
            "floor": training_floor(bench), "losses": epoch_losses(folder),
            "regularizers": list(regularizers(config)), "model": config.task or config.model,
        },
        {
            "rows": rows[wrong], "losses_of": seen.losses()[wrong],
            "predicted": seen.labels[wrong],
            "contradicted": contradicted(read_evidence(Workspace(workspace)))[rows[wrong]],
        },
    )  # fmt: skip


def _on_the_training_set(folder: Path, bench: Bench) -> Predictions:
    model = bench.model()
    saved = checkpoints.latest(folder)
    if saved is not None:
        bench.task.load_checkpoint(model, bench.optimizer(model), saved / "model.pt")
    loader = bench.task.eval_loader(bench.plain_train_set, bench.config.batch_size)
    return predictions(
        model, bench.moved(loader), bench.loss_fn, bench.task.predict, bench.place.autocast
    )


def contradicted(evidence: Evidence) -> npt.NDArray[np.bool_]:
    """(n,) whether a byte-identical copy of the sample has another label."""
    hashes, labels = evidence.texts("content_hash"), evidence.texts("label")
    _, code = np.unique(hashes, return_inverse=True)
    pairs = np.unique(np.stack([code, np.unique(labels, return_inverse=True)[1]]), axis=1)
    several = np.bincount(pairs[0], minlength=int(code.max(initial=0)) + 1) > 1
    return np.asarray(several[code] & (hashes != ""))


# -- what training says about each sample -------------------------------------------------------


def _tell_the_samples(job: Job, bench: Bench) -> None:
    found = sample_dynamics(job.folder)
    if found is None:
        return
    rows, signals = found
    table = pa.table(
        {"row": pa.array(rows), **{k: pa.array(v) for k, v in signals.columns().items()}}
    )
    evidence = read_evidence(Workspace(job.workspace))
    columns.write(Workspace(job.workspace), SOURCE, evidence.samples, table, evidence.fingerprint())
