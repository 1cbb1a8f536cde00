"""Which samples are copies of one another, by their pixels, and which of them would one keep?

Two measures nominate by hash and confirm on pixels; four checks cut what they found by their own
thresholds. Exact copies collapse into one class first. Near copies do not chain: every two members
of a group match each other (complete linkage), so A ~ B ~ C does not put A beside a C that looks
different. In a thinned crowd, where not every pair was compared, two copies of one picture count as
matching each other if both are so alike to it that they must (see `_sure`); the rest of a crowd may
fall into several groups, none of them with a pair that does not match.

What lies in two splits or under two labels is grouped around one picture instead
(`copies_between`), because no leak may go unnamed for the sake of a neat group.

The subjects of a finding here are all members of all groups. The copy to keep has score 1, every
other member a score below 0.5: that is what `recipe export --drop` goes by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from recipe_core.data.embedded_pairs import PAIR_FIELDS, PAIRS
from recipe_core.data.near_pairs import FLOOR, NEAR, RADIUS, recorded
from recipe_core.data.pixel_copies import PIXELS, Codes, Rows, content_codes
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence


@dataclass(frozen=True)
class Copies:
    """Groups of copies: k members, all of a group together, the one to keep first.

    rows     (k,) int64 sample rows
    groups   (k,) int64 number of the group, 0 … g - 1
    keepers  (k,) int64 the row that it is a copy of: the one to keep, itself for that one
    exact    (k,) bool equal to the keeper in bytes or in every pixel (True for the keeper)
    same_bytes  (k,) bool equal to the keeper in bytes
    similarity  (k,) float32 to the keeper, 1 where exact
    distance    (k,) int64 bits away from the keeper's hash, 0 where exact, -1 where an embedding
                found it
    how      (k,) object str: turn and part in words, '' where nothing was done
    """

    rows: Rows
    groups: Rows
    keepers: Rows
    exact: npt.NDArray[np.bool_]
    same_bytes: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]
    distance: Rows
    how: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_groups(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    @property
    def extra(self) -> int:
        """Copies beyond the first of each group."""
        return len(self) - self.n_groups

    def of_members(self, kept: npt.NDArray[np.bool_]) -> Copies:
        """The members marked in (k,) `kept`, their groups' numbers unchanged."""
        return Copies(
            self.rows[kept], self.groups[kept], self.keepers[kept], self.exact[kept],
            self.same_bytes[kept], self.similarity[kept], self.distance[kept], self.how[kept],
        )  # fmt: skip

    def of_groups(self, wanted: npt.NDArray[np.bool_]) -> Copies:
        """The groups marked in (g,) `wanted`, renumbered."""
        of_wanted = self.of_members(wanted[self.groups])
        return replace(of_wanted, groups=(np.cumsum(wanted) - 1)[of_wanted.groups])


def exact_classes(evidence: Evidence) -> Codes:
    """(n,) equal numbers for samples equal in bytes or in every pixel, -1 where unknown."""
    content = content_codes(evidence)
    pixels = evidence.table(PIXELS.name)
    rows = pixels["row"].to_numpy()
    if not len(rows):
        return content
    group = pixels["group"].to_numpy()
    _, first, back = np.unique(group, return_index=True, return_inverse=True)
    merged = np.arange(int(content.max()) + 1)
    merged[content[rows]] = content[rows[first]][back]
    return np.asarray(np.where(content >= 0, merged[content], -1))


def exact_copies(evidence: Evidence, folder: str = "") -> Copies:
    """Groups of samples equal in bytes or in every pixel; `folder` as in `worth`."""
    classes = exact_classes(evidence)
    none = np.empty(0, np.int64)
    centre = np.arange(int(classes.max(initial=-1)) + 1)
    return _grouped(
        evidence, classes, _Edges(none, none, none, none, none, none, none), centre, centre, folder
    )


def copies_between(
    evidence: Evidence, kinds: npt.NDArray[np.int32], radius: int, similarity: float, turned: bool,
    folder: str = "",
) -> Copies:  # fmt: skip
    """Groups of exact and near copies whose members are of different kinds (split, label).

    kinds   (n,) codes, -1 where unknown

    Every sample with a copy of another kind is in a group: one whose copy already belongs to a
    star that it does not match joins there, with that copy as its `keeper`.
    """
    classes = exact_classes(evidence)
    edges = _edges(evidence, classes, radius, similarity, turned)
    low, high = _extremes(classes, kinds, int(classes.max(initial=-1)) + 1)
    edges = edges.where((high[edges.a] >= 0) & (high[edges.b] >= 0))
    edges = edges.where(np.minimum(low[edges.a], low[edges.b])
                        < np.maximum(high[edges.a], high[edges.b]))  # fmt: skip
    classes = np.where(kinds >= 0, classes, -1)
    star = _stars(classes, edges, worth(evidence, folder).rank())
    copies = _grouped(evidence, classes, edges, *_attached(star, edges), folder)
    low, high = _extremes(copies.groups, kinds[copies.rows], copies.n_groups)
    return copies.of_groups(high > low)


def _extremes(
    groups: Codes, kinds: npt.NDArray[np.int32], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(n,) the lowest and the highest kind in each group."""
    low, high = np.full(n, np.iinfo(np.int32).max, np.int64), np.full(n, -1, np.int64)
    known = (groups >= 0) & (kinds >= 0)
    np.minimum.at(low, groups[known], kinds[known])
    np.maximum.at(high, groups[known], kinds[known])
    return low, high


def _attached(star: Codes, edges: _Edges) -> tuple[Codes, Codes]:
    """(group, anchor) of each class: those that no star took join that of their best match."""
    anchor = star.copy()
    taken = np.bincount(star, minlength=len(star))[star] > 1
    order = np.argsort(edges.similarity.astype(np.float64), kind="stable")
    for a, b in ((edges.a[order], edges.b[order]), (edges.b[order], edges.a[order])):
        loose = ~taken[a]
        anchor[a[loose]] = b[loose]
    return star[anchor], anchor


@dataclass(frozen=True)
class _Edges:
    """Near pairs between exact classes."""

    a: Codes
    b: Codes
    similarity: npt.NDArray[np.generic]
    distance: npt.NDArray[np.generic]
    turn: npt.NDArray[np.generic]
    part: npt.NDArray[np.generic]
    thinned: npt.NDArray[np.generic]

    def and_(self, other: _Edges) -> _Edges:
        """These pairs and those."""
        return _Edges(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)])
                        for f in fields(self)))  # fmt: skip

    def where(self, kept: npt.NDArray[np.bool_]) -> _Edges:
        """The pairs marked in (k,) `kept`."""
        return _Edges(
            self.a[kept], self.b[kept], self.similarity[kept], self.distance[kept],
            self.turn[kept], self.part[kept], self.thinned[kept],
        )  # fmt: skip


def _edges(
    evidence: Evidence, classes: Codes, radius: int, similarity: float, turned: bool
) -> _Edges:
    table = evidence.table(NEAR.name)
    alike = table["similarity"].to_numpy()
    bits = table["distance"].to_numpy().astype(np.int64)
    turn = np.asarray(table["turn"].to_numpy(), dtype=object)
    keep = (alike >= np.float32(similarity)) & (bits <= radius)
    if not turned:
        keep &= turn == ""
    part = np.asarray(table["part"].to_numpy(), dtype=object)
    a, b = classes[table["row_a"].to_numpy()], classes[table["row_b"].to_numpy()]
    keep &= (a >= 0) & (b >= 0)
    thinned = table["thinned"].to_numpy()
    by_hash = _Edges(a, b, alike, bits, turn, part, thinned).where(keep)
    return by_hash.and_(_by_embedding(evidence, classes, similarity, turned))


def _by_embedding(evidence: Evidence, classes: Codes, similarity: float, turned: bool) -> _Edges:
    """Pairs that an embedding nominated, where there is one: no hash, no bits (-1)."""
    table = evidence.tables.get(PAIRS.name, PAIR_FIELDS.empty_table())
    alike = table["similarity"].to_numpy()
    turn, part = (np.asarray(table[c].to_numpy(), dtype=object) for c in ("turn", "part"))
    a, b = classes[table["row_a"].to_numpy()], classes[table["row_b"].to_numpy()]
    keep = (alike >= np.float32(similarity)) & (a >= 0) & (b >= 0) & (a != b)
    if not turned:
        keep &= turn == ""
    n = len(a)
    return _Edges(
        a, b, alike, np.full(n, -1, np.int64), turn, part, np.zeros(n, np.bool_)
    ).where(keep)  # fmt: skip


@dataclass(frozen=True)
class Worth:
    """What speaks for keeping a sample when one of its copies must go; (n,) each.

    outside  0 in the protected folder, 1 elsewhere
    damaged  1 where the file decodes but is damaged
    place    0 in the test split, 1 in validation, 2 in training, 3 in none
    pixels   width × height
    quality  JPEG quality, 100 where the format is lossless
    length   characters of the path: a copy's name has something added
    """

    outside: npt.NDArray[np.int64]
    damaged: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]
    length: npt.NDArray[np.int64]

    def rank(self) -> Rows:
        """(n,) its place when one copy is to be kept, 0 the first choice; ties by row.

        The protected folder first. Undamaged before damaged. Then test before validation before
        training: a test set that shrinks can no longer be compared with earlier results, training
        loses one of many. Then the most pixels, the best quality, the shortest path.
        """
        order = np.lexsort(
            (self.length, -self.quality, -self.pixels, self.place, self.damaged, self.outside)
        )  # stable, so that ties stay in row order
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return rank

    def reason(self, kept: int, dropped: int) -> str:
        """Why one of two copies is kept, in a word or two."""
        for values, sign, text in (
            (self.outside, 1, "protected folder"),
            (self.damaged, 1, "undamaged"), (self.place, 1, "held-out split stays whole"),
            (self.pixels, -1, "larger"), (self.quality, -1, "better quality"),
            (self.length, 1, "shorter name"),
        ):  # fmt: skip
            gain = sign * (float(values[dropped]) - float(values[kept]))
            if gain:
                return text if gain > 0 else "the one that matches all of the group"
        return "the first"


def worth(evidence: Evidence, folder: str = "") -> Worth:
    """What speaks for keeping each sample.

    folder  path below the data set's root (or of one file) whose samples are kept before all
            others, '' for none; `a` protects `a/1.jpg` and not `ab/1.jpg`
    """
    return Worth(
        np.where(in_folder(evidence, folder), 0, 1).astype(np.int64),
        np.where(evidence.texts("error") == "", 0, 1).astype(np.int64),
        _split_place(evidence),
        _column(evidence, "width") * _column(evidence, "height"),
        _column(evidence, "jpeg_quality", 100.0),
        np.fromiter(map(len, evidence.texts("path")), np.int64, len(evidence)),
    )


def in_folder(evidence: Evidence, folder: str) -> npt.NDArray[np.bool_]:
    """(n,) which samples lie in the folder; none for ''."""
    name = folder.strip().removeprefix("./").strip("/")
    if not name:
        return np.zeros(len(evidence), np.bool_)
    inside = (p == name or p.startswith(name + "/") for p in evidence.texts("path"))
    return np.fromiter(inside, np.bool_, len(evidence))


def _column(evidence: Evidence, name: str, missing: float = 0.0) -> npt.NDArray[np.float64]:
    if not evidence.has(name):
        return np.full(len(evidence), missing)
    return np.nan_to_num(evidence.numbers(name), nan=missing)


def _split_place(evidence: Evidence) -> npt.NDArray[np.int64]:
    if not evidence.has("split"):
        return np.zeros(len(evidence), np.int64)
    codes, names = evidence.codes("split")
    return np.array([_place(name.lower()) for name in names] + [3], np.int64)[codes]


def _place(split: str) -> int:
    return 0 if split.startswith("test") else 2 if split.startswith("train") else 1


def _grouped(
    evidence: Evidence, classes: Codes, edges: _Edges, group: Codes, anchor: Codes, folder: str
) -> Copies:
    """Samples by the group of their exact class; each is compared with its class's anchor."""
    rank = worth(evidence, folder).rank()
    best = _best_rows(classes, rank)
    rows = np.flatnonzero(classes >= 0)
    rows = rows[np.bincount(group[classes[rows]], minlength=1)[group[classes[rows]]] > 1]
    keeper = best[anchor[classes[rows]]]
    first = best[group[classes[rows]]]
    order = np.lexsort((rank[rows], rows != first, first))
    rows, keeper, first = rows[order], keeper[order], first[order]
    number = np.unique(first, return_inverse=True)[1].astype(np.int64)
    exact = classes[rows] == classes[keeper]
    similarity, distance, how = _ties_to_keeper(classes, edges, rows, keeper, exact)
    content = content_codes(evidence)
    same = content[rows] == content[keeper]
    return Copies(rows, number, keeper, exact, same, similarity, distance, how)


def _best_rows(classes: Codes, rank: Rows) -> Rows:
    """(classes,) the preferred row of each class."""
    known = np.flatnonzero(classes >= 0)
    best = np.full(int(classes.max(initial=-1)) + 1, -1, np.int64)
    order = known[np.argsort(-rank[known])]
    best[classes[order]] = order  # written last to first: the most preferred stays
    return best


def _stars(classes: Codes, edges: _Edges, rank: Rows) -> Codes:
    """(classes,) the centre that each class belongs to (itself, where it has no copies)."""
    n = int(classes.max(initial=-1)) + 1
    centre = np.arange(n)
    pairs = np.unique(np.sort(np.stack([edges.a, edges.b], axis=1), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not len(pairs):
        return centre
    place = rank[_best_rows(classes, rank)]
    degree = np.bincount(pairs.ravel(), minlength=n)
    lonely = (degree[pairs] == 1).all(axis=1)
    two = pairs[lonely]
    better = np.where(place[two[:, 0]] < place[two[:, 1]], two[:, 0], two[:, 1])
    centre[two] = better[:, None]
    for keeper, members in _cover(pairs[~lonely], place):
        centre[members] = keeper
    return centre


def _cover(pairs: Codes, place: Rows) -> Iterator[tuple[int, list[int]]]:
    """(centre, members) of a greedy cover by stars.

    The class with the most neighbours takes those that are still free; then, among the members
    that match every other member, the preferred one becomes the centre.
    """
    neighbours: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    free = set(neighbours)
    for node in sorted(neighbours, key=lambda c: (-len(neighbours[c]), place[c])):
        if node not in free:
            continue
        members = (neighbours[node] & free) | {node}
        free -= members
        if len(members) > 1:
            yield _centre(node, members, neighbours, place), list(members)


def _centre(node: int, members: set[int], neighbours: dict[int, set[int]], place: Rows) -> int:
    for candidate in sorted(members, key=lambda c: place[c]):
        # len() first: a set comparison for every member of a large star would be quadratic
        reaches = len(neighbours[candidate]) >= len(members) - 1
        if candidate == node or (reaches and members - {candidate} <= neighbours[candidate]):
            return candidate
    return node


def _ties_to_keeper(
    classes: Codes, edges: _Edges, rows: Rows, keeper: Rows, exact: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], Rows, npt.NDArray[np.object_]]:
    """How each member compares with its keeper: similarity, distance, what was done."""
    similarity = np.ones(len(rows), np.float32)
    distance = np.zeros(len(rows), np.int64)
    how = np.full(len(rows), "", dtype=object)
    near = np.flatnonzero(~exact)
    if len(near):
        n = int(classes.max()) + 1
        key = np.minimum(edges.a, edges.b) * n + np.maximum(edges.a, edges.b)
        order = np.lexsort((-edges.similarity.astype(np.float64), key))
        a, b = classes[rows[near]], classes[keeper[near]]
        wanted = np.minimum(a, b) * n + np.maximum(a, b)
        edge = order[np.searchsorted(key[order], wanted)]
        similarity[near], distance[near] = edges.similarity[edge], edges.distance[edge]
        words = zip(edges.turn[edge], edges.part[edge], strict=True)
        how[near] = [", ".join(t for t in pair if t) for pair in words]
    return similarity, distance, how


def near_copies(
    evidence: Evidence, radius: int, similarity: float, turned: bool, folder: str = ""
) -> Copies:
    """Groups of near copies, with one sample (the one to keep) standing for its exact copies.

    Every two members of a group match each other. `folder` as in `worth`.
    """
    classes = exact_classes(evidence)
    edges = _edges(evidence, classes, radius, similarity, turned)
    rank = worth(evidence, folder).rank()
    group, anchor = _cliques(classes, edges, rank, _sure(similarity))
    copies = _grouped(evidence, classes, edges, group, anchor, folder)
    best = _best_rows(classes, rank)
    kept = best[classes[copies.rows]] == copies.rows
    several = np.bincount(copies.groups[kept], minlength=copies.n_groups) > 1
    return copies.of_members(kept).of_groups(several)


def _sure(similarity: float) -> float:
    """How alike two pictures must be to a third for them to be `similarity` alike.

    Correlation is the cosine of an angle, and angles obey the triangle inequality.
    """
    return math.cos(math.acos(min(max(similarity, 0.0), 1.0)) / 2)


def _cliques(
    classes: Codes, edges: _Edges, rank: Rows, sure: float
) -> tuple[Codes, Codes]:  # fmt: skip
    """(group, anchor) of each class: the preferred class of its clique, and what it is compared to.

    The class with the most copies takes, the most alike first, each free copy that matches all
    taken before. Classes that match only by way of that first one, both at least `sure` alike to
    it in a thinned crowd, are compared to it.
    """
    group = np.arange(int(classes.max(initial=-1)) + 1)
    anchor = group.copy()
    if not len(edges.a):
        return group, anchor
    place = rank[_best_rows(classes, rank)]
    near = _neighbours(edges, sure)
    free = set(near)
    for seed in sorted(near, key=lambda c: (-len(near[c]), place[c])):
        if seed not in free:
            continue
        members = _clique(seed, near, free, place)
        free -= members
        keeper = min(members, key=lambda c: place[c])
        for c in members:
            group[c] = keeper
            anchor[c] = keeper if c == keeper or keeper in near[c] else seed
    return group, anchor


Neighbours = dict[int, dict[int, float]]
"""class -> its copies -> how alike, raised by 1 where sure in a thinned crowd."""


def _neighbours(edges: _Edges, sure: float) -> Neighbours:
    alike = edges.similarity.astype(np.float64)
    weight = alike + (edges.thinned.astype(np.bool_) & (alike >= sure))
    near: Neighbours = {}
    for a, b, w in zip(edges.a.tolist(), edges.b.tolist(), weight.tolist(), strict=True):
        if a != b:
            of_a, of_b = near.setdefault(a, {}), near.setdefault(b, {})
            of_a[b] = of_b[a] = max(w, of_a.get(b, 0.0))
    return near


def _clique(seed: int, near: Neighbours, free: set[int], place: Rows) -> set[int]:
    around = near[seed]
    candidates = sorted((c for c in around if c in free), key=lambda c: (-around[c], place[c]))
    members = {seed, *(c for c in candidates if around[c] > 1)}
    for c in candidates:
        if around[c] <= 1 and len(near[c]) >= len(members) and members <= near[c].keys():
            members.add(c)
    return members


def described(evidence: Evidence, copies: Copies, folder: str = "") -> list[str]:
    """A text per member: what it is a copy of, how it differs, and why the other is kept."""
    path, value = evidence.texts("path"), worth(evidence, folder)
    first = np.unique(copies.groups, return_index=True)[1]  # the one to keep stands first
    kept = copies.rows[first][copies.groups] if len(copies) else copies.rows
    return [_described(path, value, copies, i, int(kept[i])) for i in range(len(copies))]


def _described(
    path: npt.NDArray[np.object_], value: Worth, copies: Copies, i: int, kept: int
) -> str:
    row, keeper = int(copies.rows[i]), int(copies.keepers[i])
    if row == keeper:
        return "the copy to keep"
    reason = value.reason(kept, row)
    text = likened(path, copies, i)
    return (
        f"{text} (kept: {reason})" if kept == keeper else f"{text} (kept: {path[kept]}, {reason})"
    )


def likened(path: npt.NDArray[np.object_], copies: Copies, i: int) -> str:
    """What member i is a copy of, and how it differs."""
    original = path[int(copies.keepers[i])]
    if copies.same_bytes[i]:
        return f"same bytes as {original}"
    if copies.exact[i]:
        return f"same pixels as {original}"
    how = f"{copies.how[i]}, " if copies.how[i] else ""
    bits = int(copies.distance[i])
    apart = f"{bits} bits away" if bits >= 0 else "found by the embedding"
    return f"near copy of {original}, {how}{apart}, similarity {copies.similarity[i]:.2f}"


def scored(copies: Copies) -> npt.NDArray[np.float32]:
    """(k,) 1 for the copy to keep, 0 for an exact copy, up to 0.49 the less alike a near one is."""
    return np.where(copies.rows == copies.keepers, np.float32(1), doubt(copies))


def protected(evidence: Evidence, copies: Copies, folder: str = "") -> npt.NDArray[np.bool_]:
    """(k,) whether a member stays: it lies in the split of its group that should stay as it is.

    Test before validation before training; among others the later one. Members in the protected
    folder always stay, and their split goes before the others.
    """
    codes, names = evidence.codes("split")
    value = worth(evidence, folder)
    split = value.place[copies.rows] * (len(names) + 1) - codes[copies.rows]
    outside = value.outside[copies.rows]
    order = split + outside * (4 * len(names) + 8)
    best = np.full(copies.n_groups, np.iinfo(np.int64).max)
    np.minimum.at(best, copies.groups, order)
    staying = np.zeros(copies.n_groups, np.int64)
    chosen = order == best[copies.groups]
    staying[copies.groups[chosen]] = split[chosen]
    return np.asarray((split == staying[copies.groups]) | (outside == 0))


def doubt(copies: Copies) -> npt.NDArray[np.float32]:
    """(k,) 0 where a member certainly equals the copy to keep, rising to 0.49 with doubt."""
    return np.asarray(np.clip((1 - copies.similarity) / (1 - FLOOR), 0, 1) * 0.49, dtype=np.float32)


def crowded(evidence: Evidence, radius: int) -> str:
    """Half-sentences for the summary where not every pair was compared, or counts; else ''."""
    near = evidence.table(NEAR.name)
    complete, least = near["complete"], recorded(near)[0]
    reached = int(complete[0].as_py()) if len(complete) else RADIUS
    told = ""
    if least > FLOOR:
        told = (f" (many pictures here resemble one another: only those alike from {least:.2f} "
                "count as copies)")  # fmt: skip
    if reached < radius:
        told += (f" (so many look alike that every pair was compared only up to {reached} bits: "
                 "there may be more)")  # fmt: skip
    return told


def needs_two_splits(evidence: Evidence) -> None:
    """Raises MissingInput where nothing can lie in two splits."""
    if not evidence.has("split"):
        raise MissingInput("the data set has no splits")
    codes, names = evidence.codes("split")
    if len(np.unique(codes[codes >= 0])) < 2:
        raise MissingInput(f"the data set has one split only ({', '.join(names)})")
