"""Is what evaluation leaves out, cuts off or distorts found, and nothing said of what it may do?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipe_core.skeleton.checks import augmentation, see_the_input
from recipe_core.skeleton.probes.views import view_of
from tests.skeleton.bench import PLAIN, bench_of, found_by


def a_picture(width: int, height: int) -> Image.Image:
    """Detail at every scale, so that each part looks like itself alone."""
    rng = np.random.default_rng(0)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (k, k), np.uint8)).resize((width, height)))
        for k in (3, 6, 12, 24, 48)
    ]
    return Image.fromarray(np.mean(layers, 0).astype(np.uint8)).convert("RGB")


@pytest.mark.parametrize("share", [1.0, 0.77, 0.25, 0.0625, 0.0156])
@pytest.mark.parametrize("stretched", [True, False])
def test_the_middle_of_a_picture_is_measured(share: float, stretched: bool) -> None:
    picture = a_picture(400, 300)
    w, h = (400, 300) if stretched else (300, 300)
    w, h = round(w * share**0.5), round(h * share**0.5)
    left, top = (400 - w) // 2, (300 - h) // 2
    tensor = picture.crop((left, top, left + w, top + h)).resize((32, 32))
    found = view_of(np.asarray(tensor, np.float64).transpose(2, 0, 1), picture)
    assert found.alike > 0.95
    assert found.share == pytest.approx(w * h / (400 * 300), rel=0.15)


def test_a_mirror_image_shows_no_part() -> None:
    picture = a_picture(300, 300)
    turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((32, 32))
    assert view_of(np.asarray(turned, np.float64).transpose(2, 0, 1), picture).alike < 0.9


def transform(steps: str, after: str = "") -> str:
    """A task whose transform has these steps on the picture and those on the normalised tensor."""
    return (
        PLAIN
        + f"""
import numpy as np

def build_transform(train):
    return v2.Compose([{steps}, v2.Resize((16, 16)), v2.ToImage(),
                       v2.ToDtype(torch.float32, scale=True),
                       v2.Normalize([0.65] * 3, [0.2] * 3), {after}])
"""
    )


@pytest.mark.parametrize(
    ("steps", "after", "words"),
    [
        ("v2.Resize(256), v2.CenterCrop(32)", "", "the middle 1.6%"),
        ("v2.Resize(200), v2.CenterCrop((40, 50))", "", "the middle 5."),
        ("", "lambda x: x.clamp(0, 1)", "at the very ends"),
        ("", "lambda x: x.clamp_min(0)", "at the very ends"),
    ],
)
def test_what_is_lost_is_said(
    two: Path, tmp_path: Path, steps: str, after: str, words: str
) -> None:
    text = transform(steps or "v2.Resize(32)", after)
    finding = found_by(see_the_input.CHECK, bench_of(two, tmp_path, text))
    assert finding.verdict == "fail" and words in finding.summary, finding.summary


@pytest.mark.parametrize(
    ("steps", "after"),
    [
        ("v2.Resize(36), v2.CenterCrop(32)", ""),
        ("v2.Resize(96), v2.CenterCrop(32)", ""),  # the label lies in the middle third
        ("v2.Pad([0, 40], fill=0)", ""),  # brought to a shape with black bars
        ("v2.Pad(60, fill=255)", ""),
        ("v2.RandomAutocontrast(1.0)", ""),
        ("v2.RandomEqualize(1.0)", ""),
        ("v2.RandomPosterize(3, 1.0)", ""),
        ("v2.Resize(32)", "lambda x: (x > x.mean()).float()"),  # black and white on purpose
        ("v2.Resize(32)", "lambda x: x.clamp(-3, 3)"),
    ],
)
def test_what_may_be_done_is_not_accused(two: Path, tmp_path: Path, steps: str, after: str) -> None:
    bench = bench_of(two, tmp_path, transform(steps, after))
    finding = found_by(see_the_input.CHECK, bench)
    assert finding.verdict == "pass", finding.summary


FIXED = """
def turned(picture):
    angle = np.random.default_rng({seed}).uniform(-25, 25)
    return picture.rotate(10 + angle / 5)

def build_transform(train):
    steps = [turned] if train else []
    return v2.Compose([*steps, v2.Resize((16, 16)), v2.ToImage(),
                       v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.65] * 3, [0.2] * 3)])
"""
ANOTHER_SIZE = """
def build_transform(train):
    first = [v2.Resize(16)] if train else [v2.Resize(18), v2.CenterCrop(16)]
    return v2.Compose([*first, v2.Resize((16, 16)), v2.ToImage(),
                       v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.65] * 3, [0.2] * 3)])
"""


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (FIXED.format(seed=7), "fail"),
        (FIXED.format(seed="np.random.randint(1 << 30)"), "pass"),
        (ANOTHER_SIZE, "pass"),
    ],
)
def test_an_augmentation_that_is_always_the_same(
    two: Path, tmp_path: Path, text: str, verdict: str
) -> None:
    bench = bench_of(two, tmp_path, PLAIN + "import numpy as np\n" + text)
    finding = found_by(augmentation.CHECK, bench)
    assert finding.verdict == verdict, finding.summary
    assert verdict == "pass" or "one and the same way" in finding.summary
