"""Where in the recipe does this data set stand? Every item with the evidence there is for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from recipe_core.kernel.nouns import Finding, Verdict
from recipe_core.kernel.report import Report
from recipe_core.reporting.verdicts import worst_first

State = Literal["failing", "look", "done", "unjudged", "stale", "not yet"]
LOOKS: Mapping[State, tuple[Verdict, str]] = {
    "failing": ("fail", "failing"),
    "look": ("warn", "warning"),
    "done": ("pass", "done"),
    "unjudged": ("skipped", "not judged"),
    "stale": ("skipped", "stale"),
    "not yet": ("skipped", "not yet"),
}
"""Which verdict's colour and sign an item wears, and its word."""


@dataclass(frozen=True)
class Item:
    """One item of the recipe and the checks that are evidence for it."""

    title: str
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One stage of the recipe, in its order."""

    id: str
    title: str
    aim: str
    items: tuple[Item, ...]


RECIPE = (
    Stage("data", "1 · Become one with the data", "Know it before any code learns from it.", (
        Item("Every file can be trusted", ("corruption", "format_forensics")),
        Item("No copies, none across splits",
             ("exact_duplicates", "near_duplicates", "split_leak", "conflicting_labels")),
        Item("Classes are balanced", ("class_balance",)),
        Item("Variation and shortcuts",
             ("image_variation", "image_quality", "split_drift", "shortcut")),
        Item("Boxes are right", ("annotations",)),
        Item("Labels are right", ("label_noise",)),
        Item("Local or global features", ("local_or_global",)),
        Item("Spatial detail", ("spatial_detail",)),
    )),
    Stage("skeleton", "2 · Skeleton", "A training and evaluation pipeline one can trust.", (
        Item("Fixed seed", ("fixed_seed", "batch_order")),
        Item("Metrics over the whole set", ("metrics",)),
        Item("Loss on made-up inputs", ("loss_function",)),
        Item("Loss at init", ("loss_at_init", "init_bias")),
        Item("Human baseline", ("human_baseline",)),
        Item("Input-independent baseline", ("zero_input",)),
        Item("Overfit one batch", ("overfit_batch",)),
        Item("Bigger net, lower loss", ("bigger_net",)),
        Item("See the input to the net", ("see_the_input", "augmentation")),
        Item("Prediction dynamics", ("prediction_dynamics",)),
        Item("Gradient dependency", ("gradient_dependency",)),
        Item("Generalise a special case", ("special_case",)),
        Item("Silent failures", ("parameters_update", "gradient_reset", "train_eval_mode",
                                 "dead_units", "checkpoint_reload", "learning_rate")),
    )),
    Stage("overfit", "3 · Overfit", "A model big enough, one change at a time.", (
        Item("A model that fits its training set", ("training_fit",)),
        Item("One change at a time, beyond seed noise", ("proven_changes",)),
    )),
    Stage("regularize", "4 · Regularize", "Trade training loss for validation loss.", (
        Item("More data"), Item("Augmentation"), Item("Smaller input, smaller model"),
        Item("Dropout, weight decay, early stopping"),
    )),
    Stage("tune", "5 · Tune", "Search where it matters.", (Item("Random over grid search"),)),
    Stage("squeeze", "6 · Squeeze", "The last percent.", (
        Item("Ensembles"), Item("Distillation"), Item("Leave it training"),
    )),
)  # fmt: skip


def with_unlisted(stage: Stage, known: Iterable[tuple[str, str]]) -> Stage:
    """The stage with an item for every check of it, by (id, title), that no item names yet."""
    named = {check for item in stage.items for check in item.checks}
    more = tuple(Item(title, (check,)) for check, title in known if check not in named)
    return Stage(stage.id, stage.title, stage.aim, stage.items + more)


def telling(item: Item, findings: Mapping[str, Finding]) -> str:
    """The check of an item that one should look at: the worst one; '' where none has been made."""
    made = [findings[c] for c in item.checks if c in findings]
    return worst_first(made)[0].check if made else ""


def item_state(item: Item, findings: Mapping[str, Finding], *, outdated: bool) -> State:
    """The worst news among the item's findings; old findings are stale, whatever they say."""
    verdicts = {findings[c].verdict for c in item.checks if c in findings}
    if not verdicts:
        return "not yet"
    if outdated:
        return "stale"
    if verdicts & {"fail", "error"}:
        return "failing"
    if "warn" in verdicts:
        return "look"
    return "done" if "pass" in verdicts else "unjudged"


def outdated(report: Report, versions: Mapping[str, str]) -> list[str]:
    """What was updated since the findings were made: "pillow 12.0 → 13.0"; [] if nothing."""
    return [
        f"{name} {old} → {versions[name]}"
        for name, old in report.versions.items()
        if name in versions and versions[name] != old
    ]


def next_steps(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that ask for something, in the order to do it: failures first."""
    order: tuple[Verdict, ...] = ("fail", "warn", "error")
    return [f for verdict in order for f in findings if f.verdict == verdict and f.next_step]
