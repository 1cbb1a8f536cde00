"""Which thresholds does a check have, why these, and who changed them?

A check's thresholds are one frozen dataclass whose fields are made by `setting`:

    @dataclass(frozen=True)
    class Params:
        radius: int = setting(6, low=0, high=8, why="bits of 64 that may differ")

Overrides run `defaults < recipe.toml < --set check.param=value < slider`; an unknown name or
a value of the wrong type stops with the valid ones.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from recipe_core.kernel.errors import BadSetting, Misuse, UnknownName

Value = bool | int | float | str
Overrides = Mapping[str, Mapping[str, Value]]
"""check id -> parameter -> value"""


def setting(
    default: Any,
    *,
    why: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its range (inclusive) or choices, and its reason."""
    return dataclasses.field(
        default=default, metadata={"why": why, "low": low, "high": high, "choices": choices}
    )


@dataclass(frozen=True)
class Setting:
    """One parameter of a check, as shown in listings and drawn as a widget."""

    name: str
    default: Value
    why: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]


def settings_of(params_type: type) -> tuple[Setting, ...]:
    """The parameters of a check, in their written order."""
    return tuple(
        Setting(
            f.name,
            cast(Value, f.default),
            f.metadata["why"],
            f.metadata["low"],
            f.metadata["high"],
            f.metadata["choices"],
        )
        for f in dataclasses.fields(params_type)
    )


def resolve(check_id: str, params_type: type, overrides: Mapping[str, Value]) -> Any:
    """The check's parameters with `overrides` applied.

    Raises UnknownName for a parameter that does not exist, BadSetting for a wrong value.
    """
    known = {s.name: s for s in settings_of(params_type)}
    for name in overrides:
        if name not in known:
            raise UnknownName(f"parameter of {check_id}", name, known)
    return params_type(**{n: valid(check_id, known[n], v) for n, v in overrides.items()})


def valid(owner: str, s: Setting, value: Any) -> Value:
    """The value of `owner`'s setting; a whole number where a float is meant becomes one.

    Raises BadSetting where its type is wrong or it lies outside its range.
    """
    where = f"{owner}.{s.name}"
    wanted = type(s.default)
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise BadSetting(
            f"{where} must be {wanted.__name__}, not {value!r} (default {s.default!r})."
        )
    if s.choices and value not in s.choices:
        raise BadSetting(f"{where} must be one of {', '.join(s.choices)}, not {value!r}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        too_low = s.low is not None and value < s.low
        too_high = s.high is not None and value > s.high
        if math.isnan(value) or too_low or too_high:
            raise BadSetting(f"{where} must lie between {s.low} and {s.high}, not {value!r}.")
    checked: Value = value
    return checked


def parse_set(arguments: Iterable[str], types: Mapping[str, type]) -> dict[str, dict[str, Value]]:
    """`--set ID.PARAM=VALUE` arguments as overrides; `types` maps check id -> Params class."""
    overrides: dict[str, dict[str, Value]] = {}
    for argument in arguments:
        target, equals, text = argument.partition("=")
        check_id, dot, name = target.partition(".")
        if not (equals and dot and name):
            raise Misuse(f"--set takes CHECK.PARAM=VALUE, not {argument!r}.")
        if check_id not in types:
            raise UnknownName("check", check_id, types)
        known = {s.name: s for s in settings_of(types[check_id])}
        if name not in known:
            raise UnknownName(f"parameter of {check_id}", name, known)
        overrides.setdefault(check_id, {})[name] = _parse(argument, text, known[name])
    return overrides


def _parse(argument: str, text: str, s: Setting) -> Value:
    if isinstance(s.default, bool):
        if text.lower() not in ("true", "false"):
            raise BadSetting(f"--set {argument}: write true or false.")
        return text.lower() == "true"
    try:
        return type(s.default)(text)
    except ValueError:
        kind = type(s.default).__name__
        raise BadSetting(f"--set {argument}: {text!r} is not {kind}.") from None


def read_toml(path: Path, types: Mapping[str, type]) -> dict[str, dict[str, Value]]:
    """Overrides from a recipe.toml with one table per check; {} where there is no file."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise Misuse(f"{path} is not valid TOML: {e}.") from None
    for check_id, table in tables.items():
        if check_id not in types:
            raise UnknownName(f"check (in {path})", check_id, types)
        if not isinstance(table, dict):
            raise Misuse(f"{path}: write [{check_id}] and below it PARAM = VALUE.")
        resolve(check_id, types[check_id], table)
    return tables


def merged(*layers: Overrides) -> dict[str, dict[str, Value]]:
    """Overrides of several layers, a later layer winning over an earlier one."""
    result: dict[str, dict[str, Value]] = {}
    for layer in layers:
        for check_id, values in layer.items():
            result.setdefault(check_id, {}).update(values)
    return result
