"""Does the search by blocks find exactly the pairs that comparing all with all finds?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_core.images import hamming
from recipe_core.images.hamming import Hashes, Pairs, collapse, pairs_across, pairs_within

Table = npt.NDArray[np.int64]


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few hashes are searched as many are."""
    monkeypatch.setattr(hamming, "EVERY", 0)


def random_hashes(n: int, seed: int = 0) -> Hashes:
    return np.unique(np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64))


def flipped(centres: Hashes, flips: int, copies: int, seed: int = 1) -> Hashes:
    """`copies` of each centre with up to `flips` random bits turned over."""
    rng = np.random.default_rng(seed)
    made = np.repeat(centres, copies)
    for _ in range(flips):
        made ^= np.uint64(1) << rng.integers(0, 64, len(made), dtype=np.uint64)
    return made


def brute(left: Hashes, right: Hashes, radius: int) -> Table:
    """(k, 3) a, b, distance of all pairs within the radius, in the order of (a, b)."""
    found = []
    for a, one in enumerate(left):
        d = np.bitwise_count(right ^ one)
        b = np.flatnonzero(d <= radius)
        found.append(np.stack([np.full(len(b), a), b, d[b]], axis=1))
    return np.concatenate(found).astype(np.int64)


def brute_within(hashes: Hashes, radius: int) -> Table:
    table = brute(hashes, hashes, radius)
    return table[table[:, 0] < table[:, 1]]


def as_table(pairs: Pairs) -> Table:
    return np.stack([pairs.a, pairs.b, pairs.distance.astype(np.int64)], axis=1)


@pytest.mark.slow
def test_50k_random_and_clustered_hashes_equal_brute_force() -> None:
    loose = random_hashes(42_000)
    tight = [flipped(random_hashes(200, seed=5), flips, 20) for flips in (2, 6)]
    hashes = np.random.default_rng(2).permutation(np.unique(np.concatenate([loose, *tight])))
    expected = brute_within(hashes, 8)
    for radius in (3, 8):
        found = pairs_within(hashes, radius)
        assert found.complete == radius and not len(found.hubs)
        within = expected[expected[:, 2] <= radius]
        assert len(within) > 500
        np.testing.assert_array_equal(as_table(found), within)


@pytest.mark.parametrize("radius", range(9))
def test_every_radius_equals_brute_force(radius: int) -> None:
    hashes = np.unique(flipped(random_hashes(40), 7, 25))
    np.testing.assert_array_equal(
        as_table(pairs_within(hashes, radius)), brute_within(hashes, radius)
    )


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40, unique=True), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_any_few_hashes_equal_brute_force(values: list[int], radius: int) -> None:
    hashes = np.array(values, dtype=np.uint64)
    expected = brute_within(hashes, radius) if len(hashes) else np.empty((0, 3), np.int64)
    np.testing.assert_array_equal(as_table(pairs_within(hashes, radius)), expected)


@pytest.mark.parametrize("fixed", [0xFF, 0xFFFFFFFF00000000, 0x0F0F0F0F0F0F0F0F])
def test_bits_that_never_change_lose_nothing(fixed: int) -> None:
    hashes = np.unique(flipped(random_hashes(300), 6, 10) | np.uint64(fixed))
    np.testing.assert_array_equal(as_table(pairs_within(hashes, 8)), brute_within(hashes, 8))


@pytest.mark.parametrize("radius", [0, 4, 8])
def test_across_equals_brute_force(radius: int) -> None:
    left = np.unique(flipped(random_hashes(50), 6, 20, seed=3))
    right = np.unique(flipped(random_hashes(50), 6, 30, seed=4))
    right = np.union1d(right, left[:100])
    found = pairs_across(left, right, radius)
    np.testing.assert_array_equal(as_table(found), brute(left, right, radius))


@pytest.mark.parametrize("bits", [2, 5])
@pytest.mark.parametrize("radius", [1, 3, 8])
def test_keys_that_are_cut_name_each_pair_once(
    radius: int, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SORTED_BITS", "BUCKET_BITS"):
        monkeypatch.setattr(hamming, name, bits)
    hashes = np.unique(flipped(random_hashes(30), 7, 20))
    found = pairs_within(hashes, radius)
    np.testing.assert_array_equal(as_table(found), brute_within(hashes, radius))
    left, right = hashes[::2], np.union1d(hashes[1::2], hashes[:60])
    found = pairs_across(left, right, radius)
    np.testing.assert_array_equal(as_table(found), brute(left, right, radius))


@pytest.mark.parametrize("bits", [3, 16])
@pytest.mark.parametrize("radius", [1, 3, 8])
def test_groups_of_one_block_name_each_pair_once(
    radius: int, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One block that has to agree, whatever it costs; found in many portions."""
    real, asked = hamming._one_block, []
    monkeypatch.setattr(hamming, "_one_block", lambda *a: asked.append(a[2]) or real(*a))
    for name, value in (("IN_GROUPS", 0.0), ("GROUP", 0.0), ("TILE", 50), ("CHUNK", 20),
                        ("GROUPED_BITS", bits)):  # fmt: skip
        monkeypatch.setattr(hamming, name, value)
    left = np.unique(flipped(random_hashes(30), 7, 20))
    right = np.union1d(np.unique(flipped(random_hashes(30), 7, 20, seed=4)), left[:60])
    found = pairs_across(left, right, radius)
    np.testing.assert_array_equal(as_table(found), brute(left, right, radius))
    assert len(found) >= 60 and asked == [(b,) for b in range(radius + 1)]


@pytest.mark.slow
def test_a_crowd_with_long_keys_names_each_pair_once() -> None:
    """Radius 3 takes keys of more than 32 bits, which do not all fit beside an index."""
    centre = np.uint64(0x0123456789ABCDEF)
    hashes = np.unique(flipped(np.array([centre]), 9, 30_000))
    found = pairs_within(hashes, 3)
    assert len(np.unique(found.a * len(hashes) + found.b)) == len(found) > 200


def test_few_hashes_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    left = np.unique(flipped(random_hashes(50), 6, 20, seed=3))
    right = np.unique(flipped(random_hashes(50), 6, 30, seed=4))
    by_tables = as_table(pairs_within(left, 8)), as_table(pairs_across(left, right, 8))
    monkeypatch.setattr(hamming, "EVERY", 10**9)
    monkeypatch.setattr(hamming, "_dealt", None)  # no table is made
    np.testing.assert_array_equal(as_table(pairs_within(left, 8)), by_tables[0])
    np.testing.assert_array_equal(as_table(pairs_across(left, right, 8)), by_tables[1])
    assert len(by_tables[0]) and len(by_tables[1])


def test_collapse_names_each_hash_once() -> None:
    hashes = np.array([7, 3, 7, 7, 3, 9], np.uint64)
    unique, first, inverse = collapse(hashes)
    assert unique.tolist() == [3, 7, 9] and first.tolist() == [1, 0, 5]
    np.testing.assert_array_equal(unique[inverse], hashes)


def test_100k_copies_of_one_hash_are_one() -> None:
    unique, _, inverse = collapse(np.full(100_000, 5, np.uint64))
    assert len(unique) == 1 and len(pairs_within(unique, 8)) == 0 and not inverse.any()


def test_equal_hashes_are_refused() -> None:
    with pytest.raises(ValueError, match="collapse"):
        pairs_within(np.array([1, 1], np.uint64), 3)


def test_a_crowd_is_thinned_and_says_so() -> None:
    centre = random_hashes(1)
    crowd = np.unique(np.concatenate([centre, flipped(centre, 4, 2_000)]))
    others = np.unique(flipped(random_hashes(100, seed=9), 5, 10))
    hashes = np.union1d(crowd, others)
    pairs = pairs_within(hashes, 8, most=50_000)
    assert pairs.complete < 8 and len(pairs.hubs)
    assert len(pairs) < 100_000
    # Nothing in the crowd loses its tie to a centre, and nothing outside it loses anything.
    hubs = np.isin(pairs.a, pairs.hubs) | np.isin(pairs.b, pairs.hubs)
    tied = np.union1d(pairs.a[hubs], pairs.b[hubs])
    assert np.isin(np.flatnonzero(np.isin(hashes, crowd)), tied).all()
    expected = brute_within(hashes, 8)
    found = np.isin(expected @ [len(hashes), 1, 0], pairs.a * len(hashes) + pairs.b)
    assert found.sum() == len(pairs), "a pair that is none"
    outside = ~np.isin(hashes[expected[:, 0]], crowd) & ~np.isin(hashes[expected[:, 1]], crowd)
    assert found[outside | (expected[:, 2] <= pairs.complete)].all() and outside.any()


def test_a_crowd_is_thinned_the_same_way_each_time() -> None:
    centre = random_hashes(1)
    crowd = np.unique(flipped(centre, 4, 4_000))
    first, second = (pairs_within(crowd, 8, most=50_000) for _ in range(2))
    np.testing.assert_array_equal(as_table(first), as_table(second))


def test_a_crowd_across_lowers_the_radius_and_says_so() -> None:
    centre = random_hashes(1)
    left, right = (np.unique(flipped(centre, 5, 3_000, seed=s)) for s in (1, 2))
    pairs = pairs_across(left, right, 8, most=100_000)
    assert pairs.complete < 8
    np.testing.assert_array_equal(as_table(pairs), brute(left, right, pairs.complete))
