"""Do thresholds come from where they should, and does every mistake say what is valid?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from recipe_core.kernel.errors import BadSetting, Misuse, UnknownName
from recipe_core.kernel.params import merged, parse_set, read_toml, resolve, setting, settings_of


@dataclass(frozen=True)
class Params:
    radius: int = setting(6, low=0, high=8, why="bits")
    share: float = setting(0.5, low=0, high=1, why="share")
    turned: bool = setting(True, why="also turned copies")
    kind: str = setting("soft", choices=("soft", "hard"), why="which")


TYPES = {"near": Params}


def test_every_type_is_read_from_text() -> None:
    words = ["near.radius=3", "near.share=0.25", "near.turned=false", "near.kind=hard"]
    assert resolve("near", Params, parse_set(words, TYPES)["near"]) == Params(
        3, 0.25, False, "hard"
    )


def test_an_integer_is_good_enough_for_a_share() -> None:
    assert resolve("near", Params, {"share": 1}) == Params(share=1.0)


@pytest.mark.parametrize(
    "values", [{"radius": 9}, {"radius": -1}, {"radius": 2.5}, {"radius": True},
               {"share": float("nan")}, {"turned": 1}, {"kind": "other"}, {"share": "0.5"}],
)  # fmt: skip
def test_a_wrong_value_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(BadSetting, match="near"):
        resolve("near", Params, values)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["near.radios=3", "neat.radius=3"])
def test_an_unknown_name_lists_the_valid_ones(word: str) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean '(radius|near)'"):
        parse_set([word], TYPES)


@pytest.mark.parametrize("word", ["near.radius", "near=3", "radius=3", "=", ""])
def test_a_word_of_another_form_is_refused(word: str) -> None:
    with pytest.raises(Misuse, match=r"CHECK\.PARAM=VALUE"):
        parse_set([word], TYPES)


@pytest.mark.parametrize("text", ["three", "1.5", ""])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="not int"):
        parse_set([f"near.radius={text}"], TYPES)


def test_a_later_layer_wins() -> None:
    assert merged({"near": {"radius": 1, "share": 0.1}}, {"near": {"radius": 2}}) == {
        "near": {"radius": 2, "share": 0.1}
    }


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    assert read_toml(path, TYPES) == {}
    path.write_text("[near]\nradius = 2\n")
    assert read_toml(path, TYPES) == {"near": {"radius": 2}}
    for text, said in [("[near]\nradius = 99", "between"), ("[far]\nradius = 1", "far"),
                       ("near = 3", r"\[near\]"), ("[near", "not valid TOML")]:  # fmt: skip
        path.write_text(text)
        with pytest.raises(Misuse, match=said):
            read_toml(path, TYPES)


def test_settings_carry_their_reason() -> None:
    radius = settings_of(Params)[0]
    assert (radius.name, radius.default, radius.low, radius.high, radius.why) == (
        "radius",
        6,
        0,
        8,
        "bits",
    )
