"""Does a model that was saved and loaded go on as the one that never stopped?

A checkpoint can load without a word and still hold another model: keys left out with strict=False,
batch norm's running statistics missing, the optimizer's momentum forgotten. Compared are therefore
not keys but outputs, then the optimizer's state, then the losses of going on. A bad answer names
the tensors that differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.check import Check, Probe
from recipe_core.kernel.nouns import Chart, Finding, Table, Verdict
from recipe_core.kernel.params import setting
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.reporting.wording import counted, number

CHECKPOINT = Probe("checkpoint", 1, "recipe_core.skeleton.probes.checkpoint:checkpoint", 180.0)


@dataclass(frozen=True)
class Params:
    outputs: float = setting(
        1e-3, low=0.0, high=1.0,
        why="largest difference of two outputs, relative to the largest output, from which another "
        "model was loaded (fail); weights stored in bfloat16 lose 0.4 % each and so stay near it; "
        "what a second pass of the same model differs by on this device is taken off first",
    )  # fmt: skip
    going_on: float = setting(
        1e-4, low=0.0, high=1.0,
        why="largest difference of the losses of going on, relative to the loss, that is still the "
        "same training; a copy made through plain state dicts shows what the device itself does",
    )  # fmt: skip


def judge(readings: Readings, params: Params) -> Finding:
    read = readings.need("checkpoint")
    scale = max(read["output_scale"], 1e-12)
    off = max(0.0, read["output_difference"] - 2 * read["reference_difference"]) / scale
    loss = max(abs(float(read["losses"][0][0])), 1e-12)
    drift = max(0.0, read["continued"] - 10 * read["reference_continued"]) / loss
    numbers = {
        "output_difference": read["output_difference"], "relative": off,
        "loss_difference": read["continued"], "differing": [n for n, _ in read["tensors"]],
        "lacking": read["lacking"], "optimizer": read["optimizer"][:20],
        "reseeded": read["reseeded"], "restores_generators": read["restored"],
        "changed_by_saving": read["changed_by_saving"],
    }  # fmt: skip
    evidence: dict[str, Any] = {"charts": _charts(read), "tables": _tables(read)}
    verdict, text, step = _told(read, off, drift, params)
    return Finding(
        verdict,
        text,
        step,
        numbers,
        value=off,
        expected=f"at most {number(params.outputs)} of the largest output",
        **evidence,
    )


def _told(read: Reading, off: float, drift: float, params: Params) -> tuple[Verdict, str, str]:
    if read["changed_by_saving"] > 2 * read["reference_difference"] + 1e-6 * read["output_scale"]:
        return "fail", (
            f"Saving changes the model: its outputs move by {number(read['changed_by_saving'])}."
        ), "save_checkpoint must not touch the model."  # fmt: skip
    if off > params.outputs:
        return (
            "fail",
            (
                f"The loaded model gives other outputs: they differ by {number(off)} of the "
                f"largest output, at most {number(params.outputs)} expected; {_which(read)}."
            ),
            "Save and load model.state_dict() whole, with strict=True: buffers are part of it.",
        )
    if read["optimizer"]:
        return "fail", (
            f"The model comes back, the optimizer does not: {_state(read['optimizer'])} differ "
            f"(the losses then part by up to {number(read['continued'])} within {read['after']} "
            "steps)."
        ), "Save and load optimizer.state_dict() too, else momentum starts from zero."  # fmt: skip
    if read["reseeded"]:
        return (
            "fail",
            (
                "Loading puts the random generators to one fixed place: every resumed part draws "
                "the same dropout masks and augmentation again."
            ),
            "Do not seed while loading; store the generators' states, or leave them alone.",
        )
    if drift > params.going_on:
        return (
            "warn",
            (
                f"After loading, training goes on differently: losses part by {number(drift)} of "
                f"the loss within {read['after']} steps, though outputs and optimizer agree."
            ),
            "Look for state outside of state_dict: counters, non-persistent buffers, modes.",
        )
    return "pass", (
        f"The loaded model gives the same outputs (largest difference {number(off)} of the largest "
        f"output), the optimizer's state is whole, and {read['after']} further steps give the same "
        "losses."
    ), ""  # fmt: skip


def _which(read: Reading) -> str:
    names = [n for n, _ in read["tensors"]]
    if not names and not read["lacking"]:
        return "all tensors of the state agree, so something outside of it differs"
    shown = ", ".join(f"`{n}`" for n in (names or read["lacking"])[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{shown}{more} ({len(names)} of {read['n_tensors']} tensors) were not restored"


def _state(differing: list[str]) -> str:
    kinds: dict[str, int] = {}
    for text in differing:
        kinds[text.partition(" of ")[0]] = kinds.get(text.partition(" of ")[0], 0) + 1
    return ", ".join(f"{k} ({counted(n, 'tensor')})" for k, n in list(kinds.items())[:4])


def _charts(read: Reading) -> tuple[Chart, ...]:
    going, _, loaded = (row.tolist() for row in read["losses"])
    x = [read["before"] + 1 + i for i in range(len(going))]
    return (Chart("line", "Loss of going on", "step", "loss", x,
                  {"never stopped": going, "loaded": loaded}),)  # fmt: skip


def _tables(read: Reading) -> tuple[Table, ...]:
    rows: tuple[tuple[Any, ...], ...] = tuple((n, d) for n, d in read["tensors"])
    rows += tuple((n, "lacking") for n in read["lacking"])
    return (
        (Table("Tensors that differ after loading", ("tensor", "difference"), rows),)
        if rows
        else ()
    )


CHECK = Check(
    id="checkpoint_reload",
    stage="skeleton",
    question="Does a model that was saved and loaded go on as the one that never stopped?",
    why="A checkpoint can load without a word and still hold another model. Outputs are compared, "
    "not keys; then the optimizer's state and the losses of going on. A bad answer "
    "names the tensors.",
    params=Params,
    judge=judge,
    probes=(CHECKPOINT,),
)
