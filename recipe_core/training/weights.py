"""Which weights does a network start from, and did all of them arrive?

A file is read with `weights_only=True`: a pickle that would run code is refused. A head for another
number of classes is left out, and said; any other gap stops the run, because a network of which
half starts from noise trains, only worse.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import nn

from recipe_core.kernel.errors import BadSetting, Misuse
from recipe_core.training.config import RunConfig
from recipe_core.training.models import build, head_of

State = dict[str, torch.Tensor]
INSIDE = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.", "model.")
SHOWN = 8


def started(config: RunConfig, num_classes: int, width: float = 1.0) -> tuple[nn.Module, list[str]]:
    """The network of `config` with its weights, and sentences about what was left out.

    Raises Misuse where the weights cannot be had or do not fit, and as `models.build` does.
    """
    if not config.weights:
        return build(config, num_classes, width), []
    if width != 1:
        note = f"{width:g} times as wide, {config.weights} does not fit: weights start random."
        return build(config, num_classes, width), [note]
    state = read(config)
    config, notes = _stem_of(config, state)
    model = build(config, num_classes)
    return model, [*notes, *fill(model, state, config.weights, num_classes)]


def _stem_of(config: RunConfig, state: State) -> tuple[RunConfig, list[str]]:
    """`stem=auto` follows the weights."""
    first = state.get("conv1.weight")
    if config.stem != "auto" or first is None or first.ndim != 4:
        return config, []
    stem = "standard" if first.shape[-1] == 7 else "small"
    return config.but(stem=stem), [f"The stem is {stem}, as in {config.weights}."]


def read(config: RunConfig) -> State:
    """The state dict that `config.weights` names. Raises Misuse."""
    path = Path(config.weights).expanduser()
    if path.is_file():
        return _from_file(path)
    if "/" in config.weights or path.suffix in (".pt", ".pth", ".bin", ".ckpt"):
        raise Misuse(f"There is no file {config.weights}; name the file of the weights to load.")
    return _from_torchvision(config)


def _from_file(path: Path) -> State:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as e:
        raise Misuse(
            f"{path} cannot be loaded as weights only ({_first_line(e)}). Save the state dict "
            "alone: torch.save(model.state_dict(), PATH)."
        ) from None
    for name in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    tensors = isinstance(found, Mapping) and all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()
    )
    if not tensors or not found:
        raise Misuse(
            f"{path} holds no state dict (parameter name -> tensor). Save it with "
            "torch.save(model.state_dict(), PATH)."
        )
    return _without_prefix(dict(found))


def _without_prefix(state: State) -> State:
    for prefix in PREFIXES:
        if all(k.startswith(prefix) for k in state):
            state = {k[len(prefix) :]: v for k, v in state.items()}
    return state


def _from_torchvision(config: RunConfig) -> State:
    try:
        known = torchvision.models.get_model_weights(config.model)
    except ValueError:
        raise Misuse(
            f"torchvision has no weights for {config.model}; name a file: --set weights=PATH."
        ) from None
    if config.weights not in known.__members__:
        raise Misuse(
            f"{config.weights!r} is neither a file nor weights of {config.model}. Valid: "
            f"{', '.join(known.__members__)}, or --set weights=PATH."
        )
    chosen = known[config.weights]
    try:
        return dict(chosen.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as e:
        raise Misuse(
            f"The weights {chosen} cannot be fetched here ({_first_line(e)}). Fetch {chosen.url} "
            f"elsewhere, copy it here and give it with --set weights={Path(chosen.url).name}."
        ) from None


def _first_line(e: BaseException) -> str:
    return (str(e).strip().splitlines() or [type(e).__name__])[0][:200]


def fill(model: nn.Module, state: State, source: str, num_classes: int) -> list[str]:
    """Copies the state into the model but for a head of another size; what was left out, in words.

    Raises Misuse for parameters of the model that the state lacks or has in another shape.
    """
    own = model.state_dict()
    other = {k: v for k, v in state.items() if k in own and v.shape != own[k].shape}
    head = head_of(model, num_classes)
    inside_head = {f"{head[0]}.weight", f"{head[0]}.bias"} if head else set()
    left = {k for k in other if k in inside_head}
    if left:  # a head is one thing: half of it would be worse than none
        left = inside_head & own.keys()
    _refuse_gaps(own, state, {k: v for k, v in other.items() if k not in left}, left, source)
    model.load_state_dict({k: v for k, v in state.items() if k in own and k not in left}, False)
    return _left_out(left, own, state, source)


def _refuse_gaps(own: State, state: State, other: State, left: set[str], source: str) -> None:
    missing = [k for k in own if k not in state and k not in left and not _counter(k)]
    if not missing and not other:
        return
    shapes = [f"{k} {_shape(state[k])} instead of {_shape(own[k])}" for k in other]
    parts = [
        *([f"{len(missing)} parameters are missing: {_some(missing)}"] if missing else []),
        *([f"{len(shapes)} have another shape: {_some(shapes)}"] if shapes else []),
    ]
    hint = " --set stem=standard has the 7x7 stem." if "conv1.weight" in other else ""
    raise BadSetting(f"{source} does not fit this model. {'; '.join(parts)}.{hint}")


def _left_out(left: set[str], own: State, state: State, source: str) -> list[str]:
    notes = []
    if left:
        name = sorted(left)[-1]
        was = f" ({_shape(state[name])} there, {_shape(own[name])} here)" if name in state else ""
        notes.append(f"The head of {source} is left out and starts random{was}.")
    more = sorted(state.keys() - own.keys())
    if more:
        notes.append(f"{source} holds {len(more)} entries that the model has no use for: "
                     f"{_some(more)}.")  # fmt: skip
    return notes


def _counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")  # files from before torch 0.4.1 have none


def _shape(v: Any) -> str:
    return "x".join(str(n) for n in v.shape) or "scalar"


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
