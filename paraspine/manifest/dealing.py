"""Stratified assignment of groups to sides by controlled rounding."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["deal"]

_ROUNDING = 1e-9


def deal(
    groups: Sequence[Hashable],
    keys: Sequence[tuple],
    counts: Sequence[int],
    seed: int,
    *,
    equal: bool = False,
) -> dict[Hashable, int]:
    """Number of the side that each group goes to.

    Parameters
    ----------
    groups : sequence
        What to deal, such as subjects, each once.
    keys : sequence of tuple of str
        Stratum of each group, coarse variables first.
    counts : sequence of int
        Groups that each side gets; they sum to the number of groups.
    seed : int
        Within a stratum, groups are taken in the order of a hash of seed and name.
    equal : bool
        Whether every side's share of a stratum is the same, although `counts` may differ by one;
        else it is in proportion to `counts`.
    """
    cells = sorted(set(keys))
    members: dict[tuple, list] = {c: [] for c in cells}
    for group, key in zip(groups, keys, strict=True):
        members[key].append(group)
    quota = _round([len(members[c]) for c in cells], cells, counts, seed, equal)
    side: dict[Hashable, int] = {}
    for cell, row in zip(cells, quota, strict=True):
        drawn = sorted(members[cell], key=lambda g: (_draw(seed, "group", g), str(g)))
        side |= dict(zip(drawn, np.repeat(np.arange(len(row)), row).tolist(), strict=True))
    return side


def _round(
    sizes: list[int], cells: list[tuple], counts: Sequence[int], seed: int, equal: bool
) -> np.ndarray:
    """Whole numbers of groups per stratum and side, ``(strata, sides)``.

    Rows sum to `sizes`, columns to `counts`, and every number is the exact share rounded up or
    down, also when summed over the strata that share their first variables. Such a rounding always
    exists (controlled rounding is a network flow, and its linear program has whole-number
    solutions); of all, one nearest to the exact shares is taken, ties being drawn from the seed.
    """
    if len(cells) == 1:
        return np.array([counts])
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    shares = np.full(len(counts), 1 / len(counts)) if equal else np.array(counts) / sum(counts)
    exact = np.outer(sizes, shares)
    low = np.floor(exact + _ROUNDING)
    up = np.ceil(exact - _ROUNDING) - low  # 1 where rounding up is possible, else 0
    noise = np.array([[_draw(seed, *cell, k) for k in range(len(counts))] for cell in cells])
    cost = 1 - 2 * (exact - low) + 1e-2 * noise  # what rounding up adds to the absolute error
    number = np.arange(exact.size).reshape(exact.shape)

    parts = [*number, *number.T]
    right = np.concatenate([sizes - low.sum(axis=1), counts - low.sum(axis=0)])
    above, signs, limit = [], [], []
    for depth in range(1, len(cells[0])):
        for prefix in sorted({c[:depth] for c in cells}):
            inside = [s for s, c in enumerate(cells) if c[:depth] == prefix]
            for k in range(len(counts)):
                share, floor = exact[inside, k].sum(), low[inside, k].sum()
                above += [number[inside, k]] * 2
                signs += [1.0, -1.0]
                limit += [
                    np.ceil(share - _ROUNDING) - floor,
                    floor - np.floor(share + _ROUNDING),
                ]

    def matrix(parts, signs):
        lengths = [len(p) for p in parts]
        rows = np.repeat(np.arange(len(parts)), lengths)
        entries = (np.repeat(signs, lengths), (rows, np.concatenate(parts)))
        return csr_matrix(entries, (len(parts), exact.size))

    extra = {"A_ub": matrix(above, signs), "b_ub": limit} if above else {}
    solved = linprog(
        cost.ravel(),
        A_eq=matrix(parts, np.ones(len(parts))),
        b_eq=right,
        bounds=np.stack([np.zeros(exact.size), up.ravel()], axis=1),
        method="highs-ds",
        **extra,
    )
    result = np.rint(low + solved.x.reshape(exact.shape)).astype(int)
    if (result.sum(axis=0) != counts).any() or (result.sum(axis=1) != sizes).any():
        raise RuntimeError("the rounding of strata failed, which its linear program rules out")
    return result


def _draw(seed: int, *key) -> float:
    """A number in [0, 1) that depends on the seed and the key alone."""
    text = "\0".join(map(str, (int(seed), *key))).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big") / 2**48
