"""What does the trained network look at, on the samples that somebody chose?

At the end of an overfit run a few samples are looked at; others by a run of kind `look`:
    RUN/looks/<key>.npz   rows (k,), targets (k,), probabilities (k, C), inputs (k, h, w, 3) uint8,
                          saliency (k, h, w) float32, filters (m, h, w, 3) uint8 (0 of them where
                          the net starts with no convolution), maps_<i> (k2, h, w) of the first
                          sample, and layers: their names
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recipe_core.kernel.errors import Misuse
from recipe_core.overfit.kept import look_file
from recipe_core.runs.folder import found
from recipe_core.runs.job import Job
from recipe_core.store.workspace import write_arrays
from recipe_core.training import checkpoints
from recipe_core.training.bench import Bench, open_bench
from recipe_core.training.config import RunConfig
from recipe_core.training.seeing import Seen, seen

MOST_SAMPLES = 24
MOST_LAYERS = 6
Rows = Sequence[int] | npt.NDArray[np.int64]


def run(job: Job) -> None:
    """The entry of a run of kind `look`; config: run (id), rows, device. Raises Misuse."""
    folder = found(job.workspace, str(job.config["run"]))
    config = RunConfig.from_json(asked_of(folder.path)).but(device=job.config["device"])
    bench = open_bench(job.workspace, config, job.progress)
    job.progress("looking", 0, 0)
    look(folder.path, bench, job.config["rows"])
    job.result({"rows": list(job.config["rows"])})


def asked_of(folder: Path) -> dict[str, object]:
    """The configuration that a run was launched with."""
    from recipe_core.runs.folder import read_json

    asked: dict[str, object] = read_json(folder / "config.json")["config"]
    return asked


def look(folder: Path, bench: Bench, rows: Rows) -> Path:
    """Looks with the run's newest weights and stores it; the file.

    rows  of the sample table; those that the run neither trained on nor evaluated are left out
    Raises Misuse where none is left, or where the run has no weights yet.
    """
    saved = checkpoints.latest(folder)
    if saved is None:
        raise Misuse("This run has no weights yet: it saves them at the end of an epoch.")
    positions = _positions(bench, rows)
    model = bench.model()
    bench.task.load_checkpoint(model, bench.optimizer(model), saved / "model.pt")
    what = seen(bench, model, positions, MOST_LAYERS)
    file = look_file(folder, rows)
    file.parent.mkdir(exist_ok=True)
    write_arrays(file, _arrays(what, bench.images.rows[positions], bench.images.labels[positions]))
    return file


def _positions(bench: Bench, rows: Rows) -> npt.NDArray[np.int64]:
    place = {int(r): i for i, r in enumerate(bench.images.rows)}
    known = [place[int(r)] for r in rows if int(r) in place][:MOST_SAMPLES]
    if not known:
        raise Misuse("The run knows none of these samples: it trained and evaluated on others.")
    return np.asarray(known, np.int64)


def _arrays(
    what: Seen, rows: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.generic]]:
    maps = {f"maps_{i}": m for i, m in enumerate(what.maps.values())}
    return {
        "rows": rows, "targets": targets, "probabilities": what.probabilities,
        "inputs": what.inputs, "saliency": what.saliency, "filters": what.filters,
        "layers": np.array(list(what.maps)), **maps,
    }  # fmt: skip
