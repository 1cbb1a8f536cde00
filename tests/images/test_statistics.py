"""Do the numbers mean what their column says?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_image

from recipe_core.images.picture import uniform_band
from recipe_core.images.statistics import border_share, luma, measured
from recipe_core.images.thumbnails import packed, planes_of, shrunk

PHOTO = Image.fromarray(load_sample_image("china.jpg"))
FLOWER = Image.fromarray(load_sample_image("flower.jpg"))


def pixels(image: Image.Image) -> np.ndarray:
    return packed(np.array(image.convert("RGBA")))


def planes(image: Image.Image) -> np.ndarray:
    return planes_of([np.ascontiguousarray(shrunk(pixels(image)))])[:, 0]


def numbers(image: Image.Image) -> dict[str, float]:
    stack = planes(image)[:, None]
    return {name: float(v[0]) for name, v in measured(stack, luma(stack)).items()}


@pytest.mark.parametrize("photo", [PHOTO, FLOWER])
def test_tones_and_colours_against_pillow_and_numpy(photo: Image.Image) -> None:
    small = photo.resize((160, 107))
    grey = np.asarray(small.convert("L"), float)
    rgb = np.asarray(small, float)
    rg, yb = rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    m3 = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    mine = numbers(small)
    assert mine["brightness"] == pytest.approx(grey.mean() / 255, abs=0.01)
    assert mine["contrast"] == pytest.approx(grey.std() / 255, abs=0.01)
    assert mine["entropy"] == pytest.approx(small.convert("L").entropy(), abs=0.1)
    assert mine["saturation"] == pytest.approx(
        np.asarray(small.convert("HSV"))[..., 1].mean() / 255, abs=0.02
    )
    assert mine["colorfulness"] == pytest.approx(m3, rel=0.05)


def test_clipped_shares_count_the_planted_pixels() -> None:
    image = Image.new("RGB", (100, 100), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 99, 19), fill=(0, 1, 2))
    draw.rectangle((0, 50, 99, 89), fill=(255, 254, 253))
    mine = numbers(image)
    assert (mine["dark_share"], mine["light_share"]) == pytest.approx((0.2, 0.4))


def test_grey_pictures_have_no_colour() -> None:
    mine = numbers(PHOTO.convert("L"))
    assert (mine["saturation"], mine["colorfulness"], mine["chroma_spread"]) == (0, 0, 0)
    assert numbers(PHOTO)["chroma_spread"] > 50


@pytest.mark.parametrize("photo", [PHOTO, FLOWER])
def test_sharpness_compares_between_sizes(photo: Image.Image) -> None:
    at = [
        numbers(photo.resize((w, w * 2 // 3), Image.Resampling.LANCZOS))
        for w in (300, 400, 640, 1280)
    ]
    values = [a["sharpness"] for a in at]
    assert max(values) / min(values) < 1.45  # the resampling, not the scene


@pytest.mark.parametrize("photo", [PHOTO, FLOWER])
def test_blur_lowers_sharpness_and_edges(photo: Image.Image) -> None:
    radii = (0, 2, 4, 8)
    made = [numbers(photo.filter(ImageFilter.GaussianBlur(r))) for r in radii]
    sharp = [m["sharpness"] for m in made]
    assert sharp == sorted(sharp, reverse=True)
    assert sharp[2] < 0.7 * sharp[0]
    assert made[3]["edge_density"] < 0.5 * made[0]["edge_density"]


def test_sharpness_does_not_follow_exposure_and_ignores_noise_on_a_flat_wall() -> None:
    dim = PHOTO.point(lambda v: v // 2)
    assert numbers(dim)["sharpness"] == pytest.approx(numbers(PHOTO)["sharpness"], rel=0.1)
    noise = np.random.default_rng(0).integers(-1, 2, (120, 160, 1)) + 128
    wall = Image.fromarray(np.repeat(noise, 3, axis=2).astype(np.uint8))
    assert numbers(wall)["sharpness"] < numbers(PHOTO)["sharpness"] * 1.5


def test_pictures_too_small_for_a_gradient_have_none() -> None:
    mine = numbers(Image.new("RGB", (2, 2)))
    assert np.isnan(mine["sharpness"])
    assert np.isnan(mine["edge_density"])
    assert mine["brightness"] == 0


def letterboxed(colour: tuple[int, int, int], axis: int, bar: int = 60) -> Image.Image:
    size = [PHOTO.width, PHOTO.height]
    size[axis] += 2 * bar
    image = Image.new("RGB", tuple(size), colour)
    at = [0, 0]
    at[axis] = bar
    image.paste(PHOTO, tuple(at))
    return image


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 20, 120)])
def test_bars_are_found(colour: tuple[int, int, int], axis: int) -> None:
    share = border_share(planes(letterboxed(colour, axis)))
    length = (PHOTO.width, PHOTO.height)[axis]
    assert share == pytest.approx(120 / (length + 120), abs=0.03)


def test_a_studio_background_a_sky_and_a_plain_picture_are_no_bars() -> None:
    studio = Image.new("RGB", (600, 400), (255, 255, 255))
    ImageDraw.Draw(studio).ellipse((200, 80, 400, 330), fill=(60, 30, 30))
    shades = np.linspace(120, 220, 400)[:, None, None] * np.ones((1, 600, 3))
    sky = Image.fromarray(shades.astype(np.uint8))
    for healthy in (studio, sky, Image.new("RGB", (50, 50), (9, 9, 9)), PHOTO, FLOWER):
        assert border_share(planes(healthy)) == 0


def half_grey(share: float, colour: tuple[int, int, int] = (128, 128, 128)) -> Image.Image:
    image = PHOTO.copy()
    from_row = round(PHOTO.height * (1 - share))
    ImageDraw.Draw(image).rectangle((0, from_row, PHOTO.width, PHOTO.height), fill=colour)
    return image


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_band_of_a_decoder_that_ran_out_of_data(share: float) -> None:
    assert uniform_band(pixels(half_grey(share))) == pytest.approx(share, abs=0.01)


def test_ordinary_lower_ends_are_no_band() -> None:
    framed = Image.new("RGB", (300, 300), (128, 128, 128))
    framed.paste(PHOTO.resize((200, 200)), (50, 50))
    for healthy in (PHOTO, half_grey(0.5, (255, 255, 255)), half_grey(0.5, (0, 0, 0)), framed):
        assert uniform_band(pixels(healthy)) == 0


def test_a_picture_is_measured_alike_alone_and_among_others() -> None:
    r = np.random.default_rng(1)
    stack = r.integers(0, 256, (3, 9, 47, 61), dtype=np.uint8)
    together = measured(stack, luma(stack))
    for k in range(9):
        one = stack[:, k : k + 1]
        alone = measured(one, luma(one))
        assert all(alone[name][0] == together[name][k] for name in together)
