"""Which settings does a training run have, why these, and what may each of them be?

    config = RunConfig(model="resnet18", epochs=20)
    config.but(lr=1e-3)                     a changed copy
    RunConfig.from_json({"lr": 0.001})      what is not given takes its default
    RunConfig.from_words(["lr=1e-3"])       the words of `--set FIELD=VALUE`

Karpathy's first baseline: Adam at 3e-4, a constant rate, no augmentation, no regularization. What
is not the default is something that someone asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recipe_core.kernel.errors import BadSetting, Misuse, UnknownName
from recipe_core.kernel.params import Setting, Value, setting, settings_of, valid

DEVICES = re.compile(r"auto|cpu|cuda(:\d+)?|mps")
NOT_IN_FINGERPRINT = frozenset({"note", "base"})
"""Fields about a run that do not change what it computes."""


@dataclass(frozen=True)
class RunConfig:
    """The frozen description of one training run.

    Raises BadSetting for a value of the wrong type or outside its range.
    """

    model: str = setting(
        "resnet18",
        why="linear, small_cnn, resnet18, resnet34, resnet50 or any name that torchvision's "
        "registry knows; do not be a hero: start from what is known to work",
    )
    width: float = setting(
        1.0, low=0.05, high=16.0,
        why="channels of small_cnn and the ResNets times this; twice as wide must fit better",
    )  # fmt: skip
    weights: str = setting(
        "", why="'' random; a file with a state dict; or torchvision's own (DEFAULT, "
        "IMAGENET1K_V1 …), fetched where the network allows",
    )  # fmt: skip
    stem: str = setting(
        "auto", choices=("auto", "small", "standard"),
        why="of a ResNet: small replaces the 7x7 convolution and the max pool, which shrink a "
        "picture of 64 px to 2x2 before the last stage, by one 3x3; auto: small up to 64 px",
    )  # fmt: skip
    image_size: int = setting(
        64, low=8, high=1024,
        why="pixels: the shorter side is brought to it, then the centre is cut out",
    )  # fmt: skip
    batch_size: int = setting(64, low=1, high=65536, why="samples per optimisation step")
    epochs: int = setting(10, low=1, high=100_000, why="passes over the training samples")
    steps: int = setting(
        0, low=0, high=1_000_000_000,
        why="optimisation steps in all; 0: as many as the epochs have",
    )  # fmt: skip
    optimizer: str = setting(
        "adam", choices=("adam", "adamw", "sgd"),
        why="Adam forgives a learning rate that is somewhat off; tuned SGD may end a bit better",
    )  # fmt: skip
    lr: float = setting(3e-4, low=0.0, high=1000.0, why="3e-4 is a safe start for Adam")
    momentum: float = setting(0.9, low=0.0, high=0.9999, why="of SGD; of Adam it is beta 1")
    weight_decay: float = setting(
        0.0, low=0.0, high=10.0,
        why="no regularization before the model overfits; norms and biases are never decayed",
    )  # fmt: skip
    schedule: str = setting(
        "constant", choices=("constant", "cosine", "step", "plateau", "one_cycle"),
        why="a decay copied from elsewhere ends the learning too early on another data set: "
        "constant first, tuned at the end",
    )  # fmt: skip
    warmup_steps: int = setting(
        0, low=0, high=1_000_000, why="steps in which the rate rises linearly to its full value"
    )
    decay_at: str = setting(
        "0.5,0.75", why="of the step schedule: the shares of the run after which the rate is "
        "divided by ten",
    )  # fmt: skip
    label_smoothing: float = setting(
        0.0, low=0.0, high=0.9, why="a regularizer; it raises the lowest loss that can be reached"
    )
    class_weights: str = setting(
        "none", choices=("none", "balanced"),
        why="balanced: the loss of a class weighs n / (classes x its samples)",
    )  # fmt: skip
    init_bias: str = setting(
        "none", choices=("none", "prior"),
        why="prior: the last bias starts at the log of the class shares, so that the first steps "
        "are not spent on learning them",
    )  # fmt: skip
    dropout: float = setting(0.0, low=0.0, high=0.95, why="share of the features dropped in "
                             "training before the last layer; a regularizer")  # fmt: skip
    augmentation: str = setting(
        "none", choices=("none", "mild", "medium", "strong"),
        why="off unless asked for: it regularizes, and may break labels (a mirrored 2)",
    )  # fmt: skip
    mixup: float = setting(
        0.0, low=0.0, high=10.0,
        why="alpha of the Beta distribution from which two pictures are mixed; 0: off",
    )  # fmt: skip
    normalization: str = setting(
        "data", choices=("data", "imagenet", "none"),
        why="mean and deviation of the training pixels; imagenet for weights that were trained on "
        "it; none: 0 … 1",
    )  # fmt: skip
    precision: str = setting(
        "auto", choices=("auto", "float32", "bfloat16"),
        why="auto: bfloat16 where the GPU computes in it, float32 elsewhere",
    )  # fmt: skip
    channels_last: str = setting(
        "auto", choices=("auto", "on", "off"),
        why="the memory layout in which convolutions are fastest; auto: on where that pays",
    )  # fmt: skip
    seed: int = setting(
        0, low=0, high=2**31 - 1, why="decides weights, order and augmentation: same seed, same run"
    )
    repeat: int = setting(
        0, low=0, high=1_000_000,
        why="tells runs apart that are meant to be equal in everything, the seed too",
    )  # fmt: skip
    device: str = setting("auto", why="auto (cuda, else mps, else cpu), cpu, cuda, cuda:N, mps")
    processes: int = setting(
        0, low=0, high=64,
        why="processes that share every batch; 0: one for each GPU where device is auto or cuda "
        "and there are several, else one",
    )  # fmt: skip
    workers: int = setting(
        0, low=0, high=256, why="processes that load a task's own transforms; 0: the run's own"
    )
    task: str = setting("", why="task file; '': the product's own pipeline")
    train_split: str = setting("", why="'': the split called train, else all but the other one")
    eval_split: str = setting(
        "", why="'': validation, else test, else a fifth held out of the training samples"
    )
    limit: int = setting(
        0, low=0, high=1_000_000_000,
        why="training samples, an equal share of each class; 0: all of them",
    )  # fmt: skip
    per_sample: bool = setting(
        False, why="whether every training sample's loss, margin and hit is kept for each epoch"
    )
    evaluate_every: int = setting(1, low=1, high=100_000, why="epochs between two evaluations")
    checkpoint_every: int = setting(1, low=1, high=100_000, why="epochs between two checkpoints")
    patience: int = setting(
        0, low=0, high=100_000,
        why="evaluations without a lower loss after which training stops; 0: never",
    )  # fmt: skip
    memory_limit_mb: int = setting(
        0, low=0, high=10_000_000, why="memory that the run may take, in MB; 0: no limit of ours"
    )
    base: str = setting("", why="the run that this one was changed from")
    note: str = setting("", why="why this run is made, in the user's words")

    def __post_init__(self) -> None:
        for s in SETTINGS:
            object.__setattr__(self, s.name, valid("config", s, getattr(self, s.name)))
        if not DEVICES.fullmatch(self.device):
            raise BadSetting(
                f"config.device must be auto, cpu, cuda, cuda:N or mps, not {self.device!r}."
            )
        if not self.model.strip():
            raise BadSetting("config.model must name a model, e.g. resnet18.")
        _decays(self.decay_at)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunConfig:
        """The configuration of a JSON object; fields that are not given take their default.

        Raises UnknownName for a field that does not exist, BadSetting for a wrong value.
        """
        for name in values:
            field_named(name)
        return cls(**values)

    @classmethod
    def from_words(cls, words: Iterable[str]) -> RunConfig:
        """The configuration of `FIELD=VALUE` words. Raises Misuse, UnknownName, BadSetting."""
        return cls().but_words(words)

    def to_json(self) -> dict[str, Value]:
        """Every field, for `from_json`."""
        return {s.name: getattr(self, s.name) for s in SETTINGS}

    def but(self, **changes: Value) -> RunConfig:
        """A copy with these fields changed. Raises as `from_json` does."""
        return type(self).from_json(self.to_json() | changes)

    def but_words(self, words: Iterable[str]) -> RunConfig:
        """A copy with `FIELD=VALUE` words applied. Raises Misuse, UnknownName, BadSetting."""
        return self.but(**parsed(words))

    def differences(self, other: RunConfig) -> dict[str, tuple[Value, Value]]:
        """field -> (this one's value, the other's) wherever they differ."""
        mine, theirs = self.to_json(), other.to_json()
        return {k: (mine[k], theirs[k]) for k in mine if mine[k] != theirs[k]}

    def fingerprint(self) -> str:
        """16 hex digits over every field that changes what is computed; repeat included."""
        told = {k: v for k, v in self.to_json().items() if k not in NOT_IN_FINGERPRINT}
        text = json.dumps(told, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def decays(self) -> tuple[float, ...]:
        """`decay_at` as ascending shares of the run, each in (0, 1)."""
        return _decays(self.decay_at)


SETTINGS: tuple[Setting, ...] = settings_of(RunConfig)
"""Every field with its default, range and reason, in the order of a form."""
_BY_NAME = {s.name: s for s in SETTINGS}


def field_named(name: str) -> Setting:
    """The setting with this name. Raises UnknownName."""
    if name not in _BY_NAME:
        raise UnknownName("setting of a run", name, _BY_NAME)
    return _BY_NAME[name]


def _decays(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        shares = (math.nan,)
    if not all(0 < s < 1 for s in shares) or list(shares) != sorted(shares):
        raise BadSetting(
            f"config.decay_at takes ascending shares of the run such as 0.5,0.75, not {text!r}."
        )
    return shares


def parsed(words: Iterable[str]) -> dict[str, Value]:
    """`FIELD=VALUE` words as values of the right type. Raises Misuse, UnknownName, BadSetting."""
    values: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Misuse(f"--set takes FIELD=VALUE, not {word!r}.")
        values[name] = _value(word, text, field_named(name))
    return values


def _value(word: str, text: str, s: Setting) -> Value:
    if isinstance(s.default, bool):
        if text.lower() not in ("true", "false"):
            raise BadSetting(f"--set {word}: write true or false.")
        return text.lower() == "true"
    try:
        return type(s.default)(text)
    except ValueError:
        raise BadSetting(f"--set {word}: {text!r} is not {type(s.default).__name__}.") from None
