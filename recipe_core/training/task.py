"""What is under test or in training? A pipeline's functions: a user's file over the product's own.

    task = load_task(Path("my.py"), images, config)       None: the product's own pipeline
    task.build_model()                                     num_classes, class_names are filled in
    task.given                                             what the file itself defines

The file runs in this process with the user's own rights. What goes wrong in it is told with its own
line first.
"""

from __future__ import annotations

import atexit
import difflib
import importlib.util
import inspect
import linecache
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from recipe_core.kernel.errors import BadSetting, Misuse
from recipe_core.training.config import RunConfig
from recipe_core.training.devices import Place, place_of
from recipe_core.training.images import Images
from recipe_core.training.own_globals import OwnGlobals
from recipe_core.training.product import Product, evaluator

FUNCTIONS = (
    "build_model", "build_transform", "build_loss", "build_optimizer", "build_scheduler",
    "train_loader", "eval_loader", "train_step", "predict", "evaluate", "save_checkpoint",
    "load_checkpoint", "label_map",
)  # fmt: skip
VALUES = ("scheduler_interval", "frozen", "pretrained_normalization")
INTERVALS = ("step", "epoch")


class TaskError(Misuse):
    """The user's task file is at fault; the text starts with its own file and line."""


@dataclass(frozen=True)
class Task:
    """The callables of a training pipeline, each as contract.md describes it.

    given        names that the file defines; the others are the product's
    takes_width  whether build_model can be asked for a width
    said         sentences that building the model gave rise to
    kept         the file's own globals as they were; None for the product's own pipeline
    """

    build_model: Callable[..., nn.Module]
    build_transform: Callable[[bool], Callable[[Any], torch.Tensor]]
    build_loss: Callable[[], Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]
    build_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    build_scheduler: Callable[[torch.optim.Optimizer, int, int], Any]
    scheduler_interval: str
    train_loader: Callable[[Any, int, int], Any]
    eval_loader: Callable[[Any, int], Any]
    train_step: Callable[[nn.Module, Any, Any, torch.optim.Optimizer], torch.Tensor]
    predict: Callable[[torch.Tensor], torch.Tensor]
    evaluate: Callable[[nn.Module, Any], dict[str, float]]
    save_checkpoint: Callable[[nn.Module, Any, Any], None]
    load_checkpoint: Callable[[nn.Module, Any, Any], None]
    label_map: Callable[[str], dict[str, int]]
    frozen: list[str]
    pretrained_normalization: dict[str, list[float]] | None
    given: frozenset[str]
    takes_width: bool
    num_classes: int
    class_names: tuple[str, ...]
    path: Path | None
    place: Place
    product: Product
    said: list[str] = field(default_factory=list)
    kept: OwnGlobals | None = None

    def own_line(self, error: BaseException) -> str:
        """`file:line: source` of the innermost frame in the user's file; '' where there is none."""
        return own_line(error, self.path) if self.path else ""


def load_task(path: Path | str | None, images: Images, config: RunConfig) -> Task:
    """The task of a file, or the product's own pipeline where `path` is None or empty.

    Raises TaskError where the file cannot be run or defines something of the wrong kind, Misuse
    where there is no such file or the device is not there.
    """
    place = place_of(config)
    said: list[str] = []
    product = Product(images, config, place, lambda s: None if s in said else said.append(s))
    file = Path(path).expanduser() if path else None
    module = _module(file) if file else None
    own = _own(module, file) if module and file else {}
    _refuse_what_it_overrides(own, config, file)
    kept = OwnGlobals(module) if module else None
    return replace(_task(product, own, file, said), kept=kept)


def _task(product: Product, own: Mapping[str, Any], path: Path | None, said: list[str]) -> Task:
    images, place = product.images, product.place
    known = {"num_classes": images.num_classes, "class_names": list(images.class_names)}
    parts: dict[str, Any] = {n: getattr(product, n) for n in FUNCTIONS if n != "evaluate"}
    parts |= {n: getattr(product, n) for n in VALUES}
    wrapped = {n: _filled_in(own[n], known) for n in FUNCTIONS if n in own}
    parts |= wrapped | {n: own[n] for n in VALUES if n in own}
    if "build_scheduler" in own and "scheduler_interval" not in own:
        parts["scheduler_interval"] = "epoch"
    takes_width = (
        "width" in _parameters(own["build_model"]) if "build_model" in own else product.takes_width
    )
    parts["build_model"] = _builder(own.get("build_model", product.build_model), known, path)
    parts["build_loss"] = _loss_builder(parts["build_loss"], own, place, path)
    parts.setdefault("evaluate", evaluator(parts["predict"], parts["build_loss"], place))
    return Task(
        **parts, given=frozenset(own), takes_width=takes_width, num_classes=images.num_classes,
        class_names=images.class_names, path=path, place=place, product=product, said=said,
    )  # fmt: skip


# -- the user's file ----------------------------------------------------------------------------


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise Misuse(f"There is no task file {path}.")
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # what lies beside it can be imported from it
        sys.path.append(folder)
    name = f"recipe_task_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Misuse(f"{path} is no Python file; a task file ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a worker of a DataLoader looks its functions up by this name …
    _let_import(name, path)  # … and imports it where it is not forked
    try:
        spec.loader.exec_module(module)
    except SyntaxError as e:
        raise TaskError(f"{e.filename or path}:{e.lineno}: {(e.text or '').strip()}\n"
                        f"SyntaxError: {e.msg}") from e  # fmt: skip
    except Exception as e:
        raise _at_fault(e, path) from e
    return module


def _let_import(name: str, path: Path) -> None:
    """A fresh process with this one's sys.path finds the module: so macOS starts loaders' workers.

    It finds a file of the module's name, which runs the user's, as the last of that name was.
    """
    (_importable() / f"{name}.py").write_text(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location(__name__, {str(path.resolve())!r})\n"
        "sys.modules[__name__] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sys.modules[__name__])\n",
        encoding="utf-8",
    )


@cache
def _importable() -> Path:
    folder = tempfile.mkdtemp(prefix="recipe-tasks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sys.path.append(folder)
    return Path(folder)


def _own(module: ModuleType, path: Path) -> dict[str, Any]:
    own = {n: getattr(module, n) for n in (*FUNCTIONS, *VALUES) if hasattr(module, n)}
    for name in FUNCTIONS:
        if name in own and not callable(own[name]):
            raise TaskError(f"{path}: {name} must be a function, not {type(own[name]).__name__}.")
    interval = own.get("scheduler_interval", "epoch")
    if interval not in INTERVALS:
        raise TaskError(f'{path}: scheduler_interval must be "step" or "epoch", not {interval!r}.')
    frozen = own.get("frozen", [])
    if isinstance(frozen, str) or not all(isinstance(p, str) for p in frozen):
        raise TaskError(f"{path}: frozen must be a list of parameter-name prefixes.")
    if not own:
        raise TaskError(f"{path} defines none of the functions of a task: {', '.join(FUNCTIONS)}.")
    _refuse_near_misses(module, path)
    return own


def _refuse_near_misses(module: ModuleType, path: Path) -> None:
    """`build_optimiser` would silently leave the product's optimizer in force."""
    known = (*FUNCTIONS, *VALUES)
    for name, value in vars(module).items():
        mine = getattr(value, "__module__", None) == module.__name__ and inspect.isfunction(value)
        if not mine or name in known or name.startswith("_"):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
        if near and near[0] not in vars(module):
            line = value.__code__.co_firstlineno
            raise TaskError(f"{path}:{line}: def {name}(…) is no function of a task. Did you mean "
                            f"{near[0]}?")  # fmt: skip


def _refuse_what_it_overrides(own: Mapping[str, Any], config: RunConfig, path: Path | None) -> None:
    """A setting that the file's own functions would silently leave without effect."""
    if config.mixup and own.keys() & {"train_step", "train_loader", "build_transform"}:
        raise BadSetting(
            f"mixup needs the product's train_step, train_loader and pictures, and {path} brings "
            "its own; set mixup=0 and mix them in the file."
        )
    if config.augmentation != "none" and "build_transform" in own:
        raise BadSetting(
            f"augmentation={config.augmentation} has no effect on the build_transform of {path}; "
            "set augmentation=none and vary the pictures there."
        )


def _at_fault(error: BaseException, path: Path) -> TaskError:
    where = own_line(error, path)
    what = "".join(traceback.format_exception_only(error)).strip()
    return TaskError(f"{where or path}\n{what}")


def own_line(error: BaseException, path: Path) -> str:
    """`file:line: source` of the innermost frame in this file; '' where the error passed by it."""
    wanted = path.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve() == wanted:
            line = frame.line or linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f"{path}:{frame.lineno}: {line}"
    return ""


# -- calling ------------------------------------------------------------------------------------


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _filled_in(function: Callable[..., Any], known: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with `num_classes` and `class_names` passed by keyword where it asks."""
    asked = {n: v for n, v in known.items() if n in _parameters(function)}
    if not asked:
        return function
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: Any, **more: Any) -> Any:
        given = signature.bind_partial(*args, **more).arguments
        return function(*args, **more, **{n: v for n, v in asked.items() if n not in given})

    return called


def _builder(
    function: Callable[..., Any], known: Mapping[str, Any], path: Path | None
) -> Callable[..., nn.Module]:
    filled = _filled_in(function, known)
    parameters = list(_parameters(function).values())
    # the contract names it num_classes; a first parameter of another name means the same
    by_place = bool(parameters) and parameters[0].name not in (*known, "width")
    by_place = by_place and parameters[0].default is inspect.Parameter.empty
    by_place = by_place and parameters[0].kind is not inspect.Parameter.VAR_KEYWORD

    def build_model(*args: Any, **more: Any) -> nn.Module:
        if by_place and not args:
            given = {k: v for k, v in more.items() if k != "num_classes"}
            model = filled(more.get("num_classes", known["num_classes"]), **given)
        else:
            model = filled(*args, **more)
        if not isinstance(model, nn.Module):
            raise TaskError(f"{_place(function, path)}: build_model must return a torch.nn.Module, "
                            f"not {type(model).__name__}.")  # fmt: skip
        return model

    return build_model


def _loss_builder(
    function: Callable[[], Any], own: Mapping[str, Any], place: Place, path: Path | None
) -> Callable[[], Callable[..., torch.Tensor]]:
    def build_loss() -> Callable[..., torch.Tensor]:
        loss = function()
        if not callable(loss):
            where = _place(own.get("build_loss"), path)
            raise TaskError(f"{where}: build_loss must return a function of (logits, target), not "
                            f"{type(loss).__name__}.")  # fmt: skip
        return loss.to(place.device) if isinstance(loss, nn.Module) else loss

    return build_loss


def _place(function: Any, path: Path | None) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    return f"{path}:{code.co_firstlineno}" if code is not None and path else str(path or "recipe")
