"""Does the check see what people's answers say, and nothing that they do not say?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recipe_core import recipe
from recipe_core.kernel.check import judged
from recipe_core.kernel.nouns import Finding
from recipe_core.kernel.readings import Reading, Readings
from recipe_core.skeleton import labelling
from recipe_core.skeleton.checks.human_baseline import CHECK
from recipe_core.store.answers import Answers
from tests.app.making import write_source
from tests.store.test_answers import NOW

NAMES = ("cat", "dog", "hat")


def found(given: object, first: object, second: object = (), **more: object) -> Finding:
    given = np.asarray(given, np.int64)
    second = np.asarray(second if len(second) else [-2] * len(given), np.int64)  # type: ignore[arg-type]
    arrays = {"rows": np.arange(len(given)), "given": given, "first": np.asarray(first),
              "second": second, **more}  # fmt: skip
    reading = Reading({"class_names": list(NAMES), "split": "test"}, arrays)  # type: ignore[arg-type]
    return judged(CHECK, Readings({labelling.READING: reading}))


def people(given: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Answers that are wrong with probability `rate`."""
    rng = np.random.default_rng(seed)
    wrong = (given + rng.integers(1, 3, len(given))) % 3
    return np.where(rng.random(len(given)) < rate, wrong, given)


GIVEN = np.random.default_rng(1).integers(0, 3, 120)


def test_nobody_and_too_few_are_skipped() -> None:
    assert judged(CHECK, Readings({labelling.READING: labelling.as_reading(None)})).verdict == (
        "skipped"
    )
    few = found(GIVEN[:10], GIVEN[:10])
    assert few.verdict == "skipped" and "10 pictures labelled so far" in few.summary


def test_people_who_agree_pass() -> None:
    finding = found(GIVEN, people(GIVEN, 0.05, 2), people(GIVEN, 0.05, 3))
    assert finding.verdict == "pass"
    assert finding.numbers["kappa_low"] < finding.numbers["kappa"] < finding.numbers["kappa_high"]
    assert finding.numbers["n"] == finding.numbers["n_twice"] == 120


def test_labels_of_other_pictures_fail() -> None:
    shuffled = np.random.default_rng(4).permutation(GIVEN)
    finding = found(shuffled * 0 + np.where(np.arange(120) < 90, 0, 1), shuffled)
    assert finding.verdict == "fail" and finding.next_step


def test_people_who_disagree_with_themselves_are_warned_of() -> None:
    """Right in 75 %, but about other pictures each time."""
    finding = found(GIVEN, people(GIVEN, 0.3, 5), people(GIVEN, 0.3, 6))
    assert finding.verdict == "warn" and "tells the classes apart" in finding.next_step


def test_wrong_labels_are_named_worst_first() -> None:
    labels = GIVEN.copy()
    labels[:5] = (labels[:5] + 1) % 3
    second = people(GIVEN, 0, 0)
    second[10] = (GIVEN[10] + 1) % 3
    finding = found(labels, GIVEN, second)
    assert finding.verdict == "pass"
    assert sorted(finding.subjects.rows.tolist()) == [0, 1, 2, 3, 4, 10]
    assert finding.subjects.scores[finding.subjects.rows < 5].max() == 0
    assert finding.subjects.scores[finding.subjects.rows == 10].min() > 0
    assert finding.numbers["labels_doubted_by_both"] == 5
    assert "5 pictures" in finding.next_step


def test_without_a_second_pass_it_is_asked_for() -> None:
    finding = found(GIVEN, GIVEN)
    assert finding.verdict == "pass" and "second pass" in finding.next_step
    assert "kappa" not in finding.numbers


def test_a_net_that_beats_people_is_looked_at_not_failed() -> None:
    finding = found(GIVEN, people(GIVEN, 0.3, 7), model=GIVEN)
    assert finding.verdict == "pass" and "shortcut" in finding.next_step
    assert finding.numbers["model_accuracy"] == 1 and finding.numbers["model_n"] == 120


def test_cannot_tell_counts_as_not_right() -> None:
    said = GIVEN.copy()
    said[:30] = labelling.UNTOLD
    finding = found(GIVEN, said)
    assert finding.numbers["accuracy"] == 0.75 and finding.numbers["cannot_tell"] == 30
    assert not len(finding.subjects)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2])
def test_no_false_alarm_on_people_of_ordinary_skill(rate: float) -> None:
    """Kappa of 0.7 and more: 200 labellings of 60 pictures, none may warn or fail."""
    rng = np.random.default_rng(9)
    alarms = 0
    for i in range(200):
        given = rng.integers(0, 3, 60)
        one = people(given, rate, 2 * i)
        alarms += found(given, one, people(one, 0.1, 2 * i + 1)).verdict != "pass"
    assert alarms == 0


# -- drawing and order --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelling")
    recipe.scan(write_source(folder / "pictures"), folder / "w", engine="here")
    return folder / "w"


def test_only_pictures_that_can_be_seen_are_asked_and_the_test_split_comes_first(
    scanned: Path,
) -> None:
    evidence = recipe.evidence(scanned)
    assert list(labelling.splits(evidence)) == ["test", "train"]
    rows = labelling.askable(evidence)
    assert not any(evidence.texts("path")[rows] == "broken.jpg")
    assert set(evidence.texts("error")[rows]) == {""}
    ids = labelling.drawn(evidence, "test", 5, seed=3)
    assert len(set(ids)) == 5 and ids == labelling.drawn(evidence, "test", 5, seed=3)
    assert ids != labelling.drawn(evidence, "test", 5, seed=4)
    assert set(evidence.texts("split")[labelling.rows_of(evidence, ids)]) == {"test"}


def test_each_pass_has_its_own_order_of_the_same_pictures(scanned: Path, tmp_path: Path) -> None:
    log = Answers(tmp_path / "answers.db")
    ids = labelling.drawn(recipe.evidence(scanned), "", 20, seed=0)
    log.begin("", 0, 0, ("a", "b"), ids, NOW)
    asked = log.latest()
    assert asked is not None
    first, second = labelling.order(asked, 1), labelling.order(asked, 2)
    assert first != second and sorted(first) == sorted(second) == sorted(ids)
    assert labelling.order(asked, 1) == first


def test_the_outcome_is_what_was_answered(scanned: Path, tmp_path: Path) -> None:
    evidence, log = recipe.evidence(scanned), Answers(tmp_path / "answers.db")
    names, ids = labelling.class_names(evidence), labelling.drawn(evidence, "", 10, seed=0)
    log.begin("", 0, 0, names, [*ids, "gone"], NOW)
    log.begin_pass(1, 1, "Anna", NOW)
    log.answer(1, 1, ids[0], names[1], seconds=2.0, key="a", now=NOW)
    log.answer(1, 1, ids[1], "", seconds=4.0, key="b", now=NOW)
    found = labelling.outcome(evidence, log)
    assert found is not None and len(found.rows) == 10 and not found.done(1)
    assert found.said[1].tolist() == [1, -1, *[-2] * 8]
    labels = evidence.texts("label")[found.rows]
    assert [names[c] for c in found.given] == labels.tolist()
    assert found.seconds[1] == 3.0


def test_a_nets_predictions_stand_beside_by_name(scanned: Path, tmp_path: Path) -> None:
    evidence, log = recipe.evidence(scanned), Answers(tmp_path / "answers.db")
    names, ids = labelling.class_names(evidence), labelling.drawn(evidence, "", 6, seed=0)
    log.begin("", 0, 0, names, ids, NOW)
    log.begin_pass(1, 1, "Anna", NOW)
    log.answer(1, 1, ids[0], names[0], seconds=1.0, key="a", now=NOW)
    found = labelling.outcome(evidence, log)
    assert found is not None
    # the net counts its classes the other way round and knows one that people were not offered
    model = labelling.Model(
        "net", found.rows[:3], np.array([0, 1, 2]), (names[1], names[0], "unknown")
    )
    assert model.of(found).tolist() == [1, 0, labelling.UNTOLD, *[labelling.UNASKED] * 3]
    reading = labelling.as_reading(found, model)
    assert reading["model_run"] == "net" and len(reading["model"]) == 6
