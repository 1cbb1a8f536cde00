"""Is the result for a batch that of a plain loop over its samples? Outputs and loss, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.loss_function import class_pull
from recipe_core.skeleton.probes.made_up import kind_of
from recipe_core.skeleton.probes.seen import precision, warmed

BATCH = 16


def special_case(bench: Any, progress: Progress) -> Reading:
    """arrays   batch, singles, turned (B, C): logits of the batch, one by one, and of the batch in
             reverse order, put back; losses (B,) of single samples; weights (B,) of their classes
    numbers  loss of the batch, precision
    """
    model = warmed(bench)
    x, y, rows = bench.sample(BATCH)
    batch = bench.logits(model, x)
    progress("one by one", 1, 2)
    singles = torch.cat([bench.logits(model, x[i : i + 1]) for i in range(len(x))])
    turned = bench.logits(model, x.flip(0)).flip(0)
    arrays = {
        "rows": rows, "batch": _array(batch), "singles": _array(singles), "turned": _array(turned),
    }  # fmt: skip
    numbers: dict[str, Any] = {"precision": precision(model, x, bench)}
    try:
        numbers["loss"] = float(bench.loss_fn(batch, y))
        losses = [float(bench.loss_fn(batch[i : i + 1], y[i : i + 1])) for i in range(len(y))]
        arrays["losses"] = np.array(losses)
        arrays["weights"] = class_pull(bench, kind_of(bench)).numpy()[y.cpu().numpy()]
    except (RuntimeError, ValueError, IndexError) as e:
        numbers["loss_not_judged"] = f"{type(e).__name__}: {e}"[:300]
    return Reading(numbers, arrays)


def _array(logits: torch.Tensor) -> Any:
    return logits.double().cpu().numpy()
