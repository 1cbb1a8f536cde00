"""What exactly goes into the net, and with which label? Compared with the source pictures."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Subset

from recipe_core.kernel.progress import Progress
from recipe_core.kernel.readings import Reading
from recipe_core.skeleton.probes.seen import hooked, on_device, weight_layers
from recipe_core.skeleton.probes.views import alike, view_of
from recipe_core.training.images import stratified

SAMPLES = 64
COMPARED = 24
"""Pictures compared with their source, pixel by pixel."""
BATCH = 16
LEVELS = 200
"""Quantiles that stand for the pixels of a picture."""
ZOOMS = (1.0, 8 / 7)
RIM = 0.95
"""A row or column of one value in more than this share was added to bring a picture to a size."""
Floats = npt.NDArray[np.float64]


def see_the_input(bench: Any, progress: Progress) -> Reading:
    """Stages: transform_eval, transform_train (as the sets give them), evaluate, train_step (as the
    model gets them), layer (as its first weight layer gets them, in train_step).

    numbers  stages: name -> figures of `_figures`; maps: label maps of the two splits, as lists;
             agree_train, agree_eval: [agreeing, matched] labels of what the loaders give; shifts:
             [shift, count] of those that disagree; distinct: [distinct, n] evaluation tensors;
             shown_share: see _shown_share; cut_off: see _cut_off, both of the evaluation transform
    arrays   shown (k, C, H, W) what evaluation gives to the model; shown_y (k,)
    """
    n = max(SAMPLES, min(256, 2 * bench.task.num_classes))
    chosen = {s: stratified(bench.labels(s), n, 1) for s in ("eval", "train")}
    plain = {"eval": bench.eval_set, "train": bench.plain_train_set}
    x = {s: torch.stack([plain[s][int(i)][0] for i in chosen[s]]) for s in plain}
    y = {s: bench.labels(s)[chosen[s]] for s in plain}
    few = chosen["train"][:COMPARED]
    varied = torch.stack([bench.train_set[int(i)][0] for i in few])
    sources = {
        s: [bench.images.picture(int(bench.positions(s)[i])) for i in chosen[s][:COMPARED]]
        for s in plain
    }
    progress("through the loaders", 1, 3)
    numbers: dict[str, Any] = {
        "maps": _maps(bench), "declared": bench.task.pretrained_normalization
    }  # fmt: skip
    stages = {
        "transform_eval": _figures(x["eval"][:COMPARED], sources["eval"]),
        "transform_train": _figures(varied, sources["train"]),
    }
    seen = x["eval"][:COMPARED].double().numpy()
    numbers["shown_share"] = _shown_share(seen, sources["eval"])
    numbers["cut_off"] = _cut_off(seen, sources["eval"])
    caught = {}
    for split in ("eval", "train"):
        given = Subset(plain[split], chosen[split].tolist())
        caught[split] = _through(bench, given, split)
        xs, ys = caught[split]["loader"]
        match, sure = _matched(xs, x[split])
        numbers[f"agree_{split}"], numbers[f"shifts_{split}"] = _agreeing(
            ys, y[split][match], sure, bench.task.num_classes
        )
        for stage, name in (("model", "evaluate" if split == "eval" else "train_step"),
                            ("layer", "layer")):  # fmt: skip
            into = caught[split].get(stage)
            if into is None or (name == "layer" and split == "eval"):
                continue
            usable = [k for k in range(len(into)) if match[k] < COMPARED][:COMPARED]
            if len(usable) >= 8:
                of = [sources[split][match[k]] for k in usable]
                stages[name] = _figures(into[usable], of)
    numbers["stages"] = stages
    flat = x["eval"].flatten(1).numpy()
    numbers["distinct"] = [len(np.unique(flat, axis=0)), len(flat)]
    into = caught["eval"].get("model")
    shown = x["eval"][:32] if into is None else into[:32]
    labels = y["eval"][:32] if into is None else caught["eval"]["loader"][1][:32]
    return Reading(numbers, {"shown": shown.float().numpy(), "shown_y": np.asarray(labels)})


def _maps(bench: Any) -> list[list[int]]:
    """Index of each class, in the order of class_names, for the training and evaluation split."""
    if "label_map" not in bench.task.given:
        return []
    names = bench.task.class_names
    return [[int(bench.task.label_map(s)[c]) for c in names] for s in bench.images.splits]


def _through(bench: Any, dataset: Any, split: str) -> dict[str, Any]:
    """What the loader gives, and what then reaches the model and its first weight layer."""
    task = bench.task
    model = bench.model().train()
    most = -(-len(dataset) // BATCH)
    try:
        batches = _given(bench, dataset, split, most)
    except IndexError:  # a loader that counts on the size of the whole set
        batches = _given(bench, dataset.dataset, split, most)
    xs = torch.cat([b[0] for b in batches]).cpu().float()
    ys = np.concatenate([b[1].cpu().numpy() for b in batches])
    found: dict[str, list[torch.Tensor]] = {"model": [], "layer": []}
    layers = weight_layers(model)

    def seen(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        place = "model" if module is model else "layer"
        if place == "layer" and len(found["layer"]) >= len(found["model"]):
            return  # the first weight layer of this pass has been seen
        if inputs and isinstance(inputs[0], torch.Tensor):
            found[place].append(inputs[0].detach().float().cpu())

    with hooked({"": model} | {n: m for n, m in layers.items() if m is not model}, seen,
                before=True):  # fmt: skip
        if split == "eval":
            task.evaluate(model, batches)
        else:
            optimizer = bench.optimizer(model)
            for batch in batches:
                bench.step(model, batch, optimizer)
    torch.set_grad_enabled(True)
    told: dict[str, Any] = {"loader": (xs, ys)}
    for place, values in found.items():
        if sum(map(len, values)) == len(xs) and len({v.shape[1:] for v in values}) == 1:
            joined = torch.cat(values)
            if joined[0].numel() == xs[0].numel():
                told[place] = joined.reshape(xs.shape)
    return told


def _given(bench: Any, dataset: Any, split: str, most: int) -> list[Any]:
    if split == "eval":
        loader = bench.task.eval_loader(dataset, BATCH)
    else:
        loader = bench.task.train_loader(dataset, BATCH, bench.seed)
    return list(islice(on_device(bench, loader), most))


def _matched(given: torch.Tensor, known: torch.Tensor) -> tuple[Any, Any]:
    """Which known tensor each given one is (shifted or normalised as it may be), and how surely."""
    if given.shape[1:] != known.shape[1:]:
        return np.zeros(len(given), np.int64), np.zeros(len(given))

    def unit(v: torch.Tensor) -> torch.Tensor:
        v = v.flatten(1).double()
        v = v - v.mean(1, keepdim=True)
        return torch.nn.functional.normalize(v, dim=1)

    alike = unit(given) @ unit(known).T
    best = alike.max(1)
    return best.indices.numpy(), best.values.numpy()


def _agreeing(ys: Any, wanted: Any, sure: Any, classes: int) -> tuple[list[int], list[list[int]]]:
    known = sure > 0.9
    agree = int((ys[known] == wanted[known]).sum())
    shift = (ys[known] - wanted[known]) % classes
    counts = np.bincount(shift[shift > 0], minlength=1)
    order = np.argsort(-counts)[:3]
    return [agree, int(known.sum())], [[int(k), int(counts[k])] for k in order if counts[k]]


# -- tensors against pictures -------------------------------------------------------------------


def _figures(x: torch.Tensor, sources: list[Image.Image]) -> dict[str, Any]:
    """mean, std, low, high; channels: std of each; gain, offset, fit of x = gain * source + offset
    for each channel, from quantiles (so whatever a crop or flip does); plain, turned, viewed:
    median correlation with the source as it is, turned or mirrored, and with its pixels read in the
    wrong order; order: score of each order of the channels, colour: how coloured the source is.
    """
    values = x.double().numpy()
    _, c, h, w = values.shape
    refs = [np.stack([_fitted(s, h, w, z) for z in ZOOMS]) for s in sources]
    finite = np.nan_to_num(values)
    found: dict[str, Any] = {
        "n": len(values), "mean": float(finite.mean()), "std": float(finite.std()),
        "low": float(finite.min()), "high": float(finite.max()),
        "nan": bool(~np.isfinite(values).all()), "channels": finite.std((0, 2, 3)).tolist(),
    }  # fmt: skip
    found |= _linear(finite, refs)
    found |= _layout(finite, refs)
    return found | (_order(finite, refs) if c == 3 else {})


def _fitted(picture: Image.Image, h: int, w: int, zoom: float) -> Floats:
    """(h, w, 3) in 0 … 1: stretched to the size (zoom 1), or its centre, enlarged."""
    if zoom == 1:
        return np.asarray(picture.resize((w, h), Image.Resampling.BILINEAR), np.float64) / 255
    scale = zoom * max(w / picture.width, h / picture.height)
    size = (max(w, round(scale * picture.width)), max(h, round(scale * picture.height)))
    large = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (large.width - w) // 2, (large.height - h) // 2
    return np.asarray(large.crop((left, top, left + w, top + h)), np.float64) / 255


def _linear(x: Floats, refs: list[Floats]) -> dict[str, Any]:
    q = np.linspace(0, 1, LEVELS)
    gain, offset, fit = [], [], []
    for c in range(x.shape[1]):
        mine = np.concatenate([np.quantile(v[c], q) for v in x])
        best = max((_line(mine, np.concatenate([np.quantile(_channel(r[z], c, x.shape[1]), q)
                                                for r in refs]))
                    for z in range(len(ZOOMS))), key=lambda line: line[2])  # fmt: skip
        gain.append(best[0])
        offset.append(best[1])
        fit.append(best[2])
    return {"gain": gain, "offset": offset, "fit": fit}


def _line(mine: Floats, theirs: Floats) -> tuple[float, float, float]:
    """Gain, offset and correlation of mine = gain * theirs + offset."""
    if theirs.std() < 1e-6 or mine.std() == 0:
        return 0.0, float(mine.mean()), 0.0
    a, b = np.polyfit(theirs, mine, 1)
    return float(a), float(b), float(np.corrcoef(theirs, mine)[0, 1])


def _channel(picture: Floats, c: int, channels: int) -> Floats:
    return picture[..., c] if channels == 3 else picture @ np.array([0.299, 0.587, 0.114])


def _layout(x: Floats, refs: list[Floats]) -> dict[str, float]:
    plain, turned, viewed = [], [], []
    for v, ref in zip(x, refs, strict=True):
        mine = v.mean(0)
        grey = ref.mean(-1)
        plain.append(max(alike(mine, g) for g in grey))
        square = mine.shape[0] == mine.shape[1]
        turned.append(max(alike(t, g) for g in grey for t in _turns(mine, square)))
        wrong = [r.reshape(3, *r.shape[:2]) for r in ref] if len(v) == 3 else []
        wrong += [
            r.transpose(2, 0, 1).reshape(*r.shape).transpose(2, 0, 1) for r in ref if len(v) == 3
        ]
        viewed.append(max((alike(v, r) for r in wrong), default=0.0))
    return {"plain": float(np.median(plain)), "turned": float(np.median(turned)),
            "viewed": float(np.median(viewed))}  # fmt: skip


def _shown_share(x: Floats, sources: list[Image.Image]) -> float:
    """The share of a picture's area that its tensor shows, where that is clearly its middle and
    clearly not the whole; 1 where it is not: median of the pictures (n, c, h, w)."""
    views = [view_of(v, s) for v, s in zip(x, sources, strict=True)]
    clear = [v.share if v.alike > 0.9 and v.alike > v.whole + 0.2 else 1.0 for v in views]
    return float(np.median(clear))


def _cut_off(x: Floats, sources: list[Image.Image]) -> list[float]:
    """Shares of values at a channel's very ends: in the tensors, and in their source pictures.

    What was filled in around a picture is left out; tensors of two or three values were meant so.
    """
    if len(np.unique(x.round(3))) <= 3:
        return [0.0, 0.0]
    _, c, h, w = x.shape
    refs = np.stack([_fitted(s, h, w, 1) for s in sources])
    theirs = np.stack([_channel(refs, k, c) for k in range(c)], 1)
    low, high = x.min((0, 2, 3), keepdims=True), x.max((0, 2, 3), keepdims=True)
    counts = np.zeros(3)
    for mine, ref in zip(
        ((x == low) | (x == high)).reshape(-1, h, w),
        ((theirs < 1.5 / 255) | (theirs > 253.5 / 255)).reshape(-1, h, w), strict=True,
    ):  # fmt: skip
        inside = np.ix_(mine.mean(1) < RIM, mine.mean(0) < RIM)
        counts += mine[inside].sum(), ref[inside].sum(), mine[inside].size
    return [float(v) for v in counts[:2] / max(counts[2], 1)]


def _turns(v: Floats, square: bool) -> list[Floats]:
    found = [v[::-1], v[:, ::-1], v[::-1, ::-1]]
    return [*found, v.T, v.T[::-1], v.T[:, ::-1]] if square else found


ORDERS = ((0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1))


def _order(x: Floats, refs: list[Floats]) -> dict[str, Any]:
    """orders: mean correlation of what a channel has beyond grey, for each order of the source's
    channels; same: the least correlation of a whole channel with its source, in the best order;
    colour: how far the source is from grey."""
    theirs = np.stack([r[int(np.argmax([alike(v.mean(0), z.mean(-1)) for z in r]))]
                       for v, r in zip(x, refs, strict=True)]).transpose(0, 3, 1, 2)  # fmt: skip

    def beyond_grey(v: Floats) -> Floats:
        level = (v - v.mean((0, 2, 3), keepdims=True)) / v.std((0, 2, 3), keepdims=True).clip(1e-9)
        return np.asarray(level - level.mean(1, keepdims=True))

    mine, colour = beyond_grey(x), (theirs - theirs.mean(1, keepdims=True)).std()
    source = beyond_grey(theirs)
    scores = [
        float(np.mean([alike(mine[:, c], source[:, o]) for c, o in enumerate(order)]))
        for order in ORDERS
    ]
    best = ORDERS[int(np.argmax(scores))]
    same = min(alike(x[:, c], theirs[:, o]) for c, o in enumerate(best))
    return {"orders": scores, "same": same, "colour": float(colour)}
