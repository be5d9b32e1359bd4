"""Counting scores in bins that are as fine near zero as anywhere, instead of sorting them.

A score's bin is the upper bits of its float32 pattern, which grow with the score and give every
doubling of it the same number of bins. Entropies pile up near zero; equal bins would put most of
them into one. Exact zeros have a bin of their own. Which sixteenths of a bin occur is kept too, one
bit each: a bin with one occupied sixteenth is one threshold, so that true ties stay ties, and a bin
with several is taken for as many thresholds, over which its errors are spread evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["BinCounts", "Bins", "bins_of", "count_parts"]

_PARTS = 16


@dataclass(frozen=True)
class Bins:
    """Occupied bins from the highest score down.

    Attributes
    ----------
    place : numpy.ndarray of int64, (K,)
        Number of the bin: 0 of zeros, else one more than the upper bits of the score's pattern;
        ``-1 -`` that of its magnitude for negative scores. Falls.
    errors, correct : numpy.ndarray of int64, (K,)
        Voxels in each bin.
    occupied : numpy.ndarray of uint16, (K,)
        Which sixteenths of the bin's magnitudes occur, one bit each.
    """

    place: np.ndarray
    errors: np.ndarray
    correct: np.ndarray
    occupied: np.ndarray

    @property
    def parts(self) -> np.ndarray:
        """Number of sixteenths of each bin that occur: ``(K,)`` integers."""
        return count_parts(self.occupied)


def count_parts(occupied: np.ndarray) -> np.ndarray:
    """Number of bits set: ``(K,)`` integers."""
    pairs = np.ascontiguousarray(occupied, np.uint16).view(np.uint8).reshape(-1, 2)
    return np.unpackbits(pairs, axis=1).sum(axis=1, dtype=np.int64)


def bins_of(scores: np.ndarray, error: np.ndarray, bins: int) -> Bins:
    """The bins of a few scores, without NaN; memory grows with the scores."""
    fine = _fine(scores, bins)
    order = np.argsort(-fine, kind="stable")
    fine, error = fine[order], error[order]
    place = fine // _PARTS
    first = np.flatnonzero(np.diff(place, prepend=place[:1] + 1))
    if not len(first):
        return Bins(*(np.zeros(0, t) for t in (np.int64, np.int64, np.int64, np.uint16)))
    voxels = np.diff(first, append=len(place))
    errors = np.add.reduceat(error, first, dtype=np.int64)
    magnitude = np.where(fine < 0, -1 - fine, fine)
    bits = np.left_shift(1, magnitude % _PARTS).astype(np.uint16)
    return Bins(place[first], errors, voxels - errors, np.bitwise_or.reduceat(bits, first))


def _fine(scores: np.ndarray, bins: int) -> np.ndarray:
    """Number of the sixteenth of a bin: ``(voxels,)`` int64, growing with the score."""
    magnitude = _key(np.abs(scores).view(np.uint32), _shift(bins)).astype(np.int64)
    return np.where(scores < 0, -1 - magnitude, magnitude)


def _key(bits: np.ndarray, shift: int) -> np.ndarray:
    """Number of the sixteenth of a bin that a magnitude lies in; zero's is alone in its bin."""
    return (bits >> np.uint32(shift - 4)) + np.uint32(_PARTS) * (bits != 0)


def _shift(bins: int) -> int:
    return 23 - (bins.bit_length() - 1)


class BinCounts:
    """Voxels in every bin, in tables that grow with the largest magnitude and with nothing else.

    Parameters
    ----------
    bins : int
        Bins for each doubling of the score, a power of two.
    """

    def __init__(self, bins: int):
        self._shift = _shift(bins)
        self._above, self._below = _Table(), _Table()

    def count(self, scores: np.ndarray, error: np.ndarray) -> None:
        """Take in float32 scores without NaN, and their errors."""
        bits = scores.view(np.uint32)
        if bits.size and bits.max() >= 1 << 31:
            negative = scores < 0
            below = np.abs(scores[negative]).view(np.uint32)
            self._below.count(below, error[negative], self._shift)
            bits, error = np.abs(scores[~negative]).view(np.uint32), error[~negative]
        self._above.count(bits, error, self._shift)

    def add(self, other: BinCounts) -> None:
        """Take in the counts of another one with the same bins."""
        self._above.add(other._above)
        self._below.add(other._below)

    def read(self) -> Bins:
        """The occupied bins."""
        above, below = self._above.read(), self._below.read()
        pairs = zip((a[::-1] for a in above), (-1 - below[0], *below[1:]), strict=True)
        return Bins(*(np.concatenate(pair) for pair in pairs))

    def put(self, bins: Bins) -> None:
        """Set the counts to what `read` gave."""
        place = np.asarray(bins.place, np.int64)
        for table, side in ((self._above, place >= 0), (self._below, place < 0)):
            where = np.where(place < 0, -1 - place, place)[side]
            columns = (a[side] for a in (bins.errors, bins.correct, bins.occupied))
            table.put(where, *columns)


class _Table:
    """Counts by the upper bits of magnitudes."""

    def __init__(self):
        self.counts = np.zeros((0, 2), np.int64)  # correct, errors
        self.parts = np.zeros(0, bool)

    def _grow(self, length: int) -> None:
        missing = length - len(self.counts)
        if missing > 0:
            self.counts = np.concatenate([self.counts, np.zeros((missing, 2), np.int64)])
            self.parts = np.concatenate([self.parts, np.zeros(missing * _PARTS, bool)])

    def count(self, bits: np.ndarray, error: np.ndarray, shift: int) -> None:
        if not bits.size:
            return
        self._grow((int(bits.max()) >> shift) + 2)
        key = _key(bits, shift).astype(np.intp)
        self.parts[key] = True
        key >>= 4
        key <<= 1
        key += error.view(np.uint8)
        np.add.at(self.counts.reshape(-1), key, 1)

    def add(self, other: _Table) -> None:
        self._grow(len(other.counts))
        self.counts[: len(other.counts)] += other.counts
        self.parts[: len(other.parts)] |= other.parts

    def put(self, place, errors, correct, occupied) -> None:
        self._grow(int(place.max(initial=-1)) + 1)
        self.counts[place, 0], self.counts[place, 1] = correct, errors
        bits = np.asarray(occupied, np.uint16)[:, None] >> np.arange(_PARTS, dtype=np.uint16)
        self.parts.reshape(-1, _PARTS)[place] = (bits & 1).astype(bool)

    def read(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        place = np.flatnonzero(self.counts.any(axis=1))
        correct, errors = self.counts[place].T
        parts = self.parts.reshape(-1, _PARTS)[place]
        occupied = parts @ (1 << np.arange(_PARTS, dtype=np.int64))
        return place, errors, correct, occupied.astype(np.uint16)
