"""Are the right samples trained on, decoded as torchvision would, and decoded once only?"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import CenterCrop, Compose, Resize

from recipe_core.execution.here import Here
from recipe_core.images.look import FileRef
from recipe_core.images.rgb import fitted, pixels, rgb
from recipe_core.kernel.errors import Cancelled, Misuse, UnknownName
from recipe_core.kernel.progress import silent
from recipe_core.store.decisions import DECISION_FIELDS
from recipe_core.training.augment import STRENGTHS, augmented, mixed
from recipe_core.training.bench import Bench
from recipe_core.training.config import RunConfig
from recipe_core.training.images import chosen, stratified
from recipe_core.training.pixels import decoded
from recipe_core.training.seeds import generator
from recipe_core.training.sets import batches_of
from tests.making import make_evidence
from tests.training.conftest import SMALL


def evidence(n: int = 60, **more: object):  # type: ignore[no-untyped-def]
    columns = {
        "label": [("cat", "dog", "cat")[i % 3] for i in range(n)],
        "content_hash": [f"{i:032x}" for i in range(n)],
        **more,
    }
    return make_evidence(columns)


# -- which samples ------------------------------------------------------------------------------


def test_the_usual_names_of_splits_are_taken() -> None:
    split = (["train"] * 40) + ["validation"] * 10 + ["test"] * 10
    found = chosen(evidence(split=split), RunConfig())
    assert found.splits == ("train", "validation")
    assert list(found.rows[found.train]) == list(range(40))
    assert list(found.rows[found.eval]) == list(range(40, 50))
    assert chosen(evidence(split=split), RunConfig(eval_split="test")).splits[1] == "test"
    with pytest.raises(UnknownName, match="Valid: test, train, validation"):
        chosen(evidence(split=split), RunConfig(eval_split="val"))


def test_without_a_split_a_fifth_of_each_class_is_held_out_and_said() -> None:
    found = chosen(evidence(300), RunConfig())
    held = found.labels[found.eval]
    assert (held == 0).sum() == 40 and (held == 1).sum() == 20
    assert not set(found.rows[found.train]) & set(found.rows[found.eval])
    assert any("held out" in n for n in found.notes)


def test_copies_of_one_picture_stay_on_one_side() -> None:
    copies = [f"{i // 3:032x}" for i in range(300)]
    found = chosen(evidence(300, content_hash=copies), RunConfig())
    train = {copies[r] for r in found.rows[found.train]}
    assert len(found.eval) > 30
    assert not train & {copies[r] for r in found.rows[found.eval]}


def test_excluded_broken_and_unlabelled_samples_stay_out_and_relabels_count() -> None:
    given = evidence(
        60, error=["truncated"] + [""] * 59, split=["train"] * 40 + ["test"] * 20,
        label=["cat", "dog"] * 29 + [None, "cat"],
    )  # fmt: skip
    ids = given.texts("sample_id")
    decisions = pa.Table.from_pylist(
        [
            {"sample_id": ids[1], "excluded": True},
            {"sample_id": ids[2], "label": "bird"},
            {"sample_id": ids[0], "excluded": False},
        ],
        schema=DECISION_FIELDS,
    )
    found = chosen(given, RunConfig(), decisions)
    assert found.rows[0] == 2 and 58 not in found.rows
    assert found.class_names[found.labels[0]] == "bird"


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(Misuse, match="has a class label"):
        chosen(evidence(9, label=[None] * 9), RunConfig())
    with pytest.raises(Misuse, match="two classes"):
        chosen(evidence(9, label=["cat"] * 9), RunConfig())


def test_a_stratified_draw_keeps_the_shares() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    picked = stratified(labels, 100, seed=3)
    assert np.bincount(labels[picked]).tolist() == [60, 30, 10]
    assert len(set(picked.tolist())) == 100
    assert picked.tolist() != stratified(labels, 100, seed=4).tolist()


# -- pixels -------------------------------------------------------------------------------------


def photo(width: int, height: int, **how: object) -> bytes:
    rng = np.random.default_rng(width)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "PNG", **how)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(90, 60), (60, 97), (33, 33), (10, 200)])
def test_a_picture_is_fitted_as_torchvision_does(size: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(photo(*size)))
    theirs = Compose([Resize(32), CenterCrop(32)])(picture)
    assert np.array_equal(np.asarray(fitted(picture, 32)), np.asarray(theirs))


def test_orientation_transparency_and_depth_are_as_displayed() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (40, 20), "red").save(buffer, "JPEG", exif=exif)
    assert rgb(buffer.getvalue()).size == (20, 40)
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(buffer, "PNG")
    assert rgb(buffer.getvalue()).getpixel((0, 0)) == (255, 255, 255)
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 257 * 99, np.uint16)).save(buffer, "PNG")
    assert rgb(buffer.getvalue()).getpixel((0, 0)) == (99, 99, 99)


def test_a_picture_is_decoded_once_only(tmp_path: Path) -> None:
    files, keys = [], []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        path.write_bytes(photo(40 + i, 40))
        files.append(FileRef(i, str(path).encode()))
        keys.append(f"{i:032x}")
    store = tmp_path / "pixels"
    found, gone = decoded(files[:3], keys[:3], 16, store, Here(), silent)
    assert gone == [] and found.array.shape == (3, 3, 16, 16)
    for f in files[:3]:
        Path(f.file.decode()).unlink()
    again, gone = decoded([files[4], *files[:3]], [keys[4], *keys[:3]], 16, store, Here(), silent)
    assert gone == []
    assert np.array_equal(again.take(np.array([1, 2, 3])), found.take(np.arange(3)))
    assert np.array_equal(again.take(np.array([0]))[0], pixels(photo(44, 40), 16))
    _, gone = decoded([files[0], files[3]], ["f" * 32, keys[3]], 16, store, Here(), silent)
    assert gone == [0]


def test_what_a_killed_run_left_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(photo(40, 40))
    file, store = FileRef(0, str(path).encode()), tmp_path / "pixels"
    decoded([file], ["0" * 32], 16, store, Here(), silent)
    with (store / "16-r1.bin").open("ab") as f:
        f.write(b"half a picture")
    found, _ = decoded([file] * 2, ["0" * 32, "1" * 32], 16, store, Here(), silent)
    assert np.array_equal(found.take(np.array([0])), found.take(np.array([1])))


def test_decoding_can_be_stopped_and_keeps_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(photo(40, 40))
    file, store = FileRef(0, str(path).encode()), tmp_path / "pixels"
    keys = [f"{i:032x}" for i in range(100)]

    def stops(activity: str, done: int, total: int) -> None:
        if done:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        decoded([file] * 100, keys, 8, store, Here(), stops)
    assert 0 < (store / "8-r1.keys").stat().st_size < 1600


# -- batches ------------------------------------------------------------------------------------


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    assert [len(b) for b in batches_of(17, 8, np.arange(17))] == [8, 9]
    assert [len(b) for b in batches_of(18, 8, np.arange(18))] == [8, 8, 2]
    assert [len(b) for b in batches_of(1, 8, np.arange(1))] == [1]


def test_sets_and_loaders_agree(small: Bench) -> None:
    x = torch.cat([x for x, _ in small.eval_batches()])
    one_by_one = torch.stack([small.eval_set[i][0] for i in range(len(x))])
    assert torch.allclose(x, one_by_one, atol=1e-6)
    seen = torch.cat([y for _, y in small.train_batches(5)])
    assert sorted(seen.tolist()) == sorted(small.labels("train").tolist())


def test_a_loader_may_start_anywhere(small: Bench) -> None:
    config = SMALL.but(augmentation="strong", mixup=0.2)
    from recipe_core.training.task import load_task

    bench = Bench(load_task(None, small.images, config), config, small.images)
    loader = bench.task.train_loader(bench.train_set, 8, 3)
    whole, rest = list(loader), list(loader.starting_at(4))
    assert torch.equal(whole[4][0], rest[0][0]) and whole[5][3] == rest[1][3]


# -- augmentation -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRENGTHS)
def test_augmentation_is_a_function_of_its_generator(name: str) -> None:
    x = torch.rand(16, 3, 20, 20)
    a, b, other = (augmented(x, name, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert a.shape == x.shape and a.min() >= 0 and a.max() <= 1
    assert torch.equal(a, other) is (name == "none")
    assert torch.equal(x, a) is (name == "none")


def test_mild_augmentation_mirrors_and_shifts_by_a_sixteenth() -> None:
    """Of a picture with one column lit, that column moves by at most 1/16, or to its mirror."""
    x = torch.zeros(200, 3, 32, 32)
    x[..., 10] = 1
    places = augmented(x, "mild", generator(0)).mean(dim=(1, 2)).argmax(dim=1)
    near, mirrored = (places - 10).abs() <= 3, (places - 21).abs() <= 3
    assert (near | mirrored).all()
    assert 60 < near.sum() < 140 and near.sum() + mirrored.sum() == 200


def test_mixup_mixes_pictures_and_names_both_labels() -> None:
    x, y = torch.arange(8.0)[:, None, None, None].expand(8, 3, 2, 2), torch.arange(8)
    out, other, share = mixed(x, y, 0.5, generator(3))
    assert torch.allclose(out[:, 0, 0, 0], share * y + (1 - share) * other)


def test_a_small_picture_is_opened_once_and_given_away_whole(small: Bench, tmp_path: Path) -> None:
    file = tmp_path / "one.png"
    for side, opened_again in ((100, False), (200, True)):
        Image.new("RGB", (side, side), "red").save(file)
        images = replace(small.images, files=[FileRef(0, bytes(file))], _kept={})
        images.picture(0).paste("blue", (0, 0, side, side))
        assert images.picture(0).getpixel((0, 0)) == (255, 0, 0)
        Image.new("RGB", (side, side), "lime").save(file)
        assert (images.picture(0).getpixel((0, 0)) == (0, 255, 0)) is opened_again
