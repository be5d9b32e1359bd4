"""Errors of panels of raters, and of networks, against the phantom's true label distribution.

Everything is compared on the image's own grid, where the raters drew. ``P*`` is known up to the
sampling error of its draws; the share of that error in a Brier score is subtracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, maps, volumes
from paraspine.arrays import SettingsError, check_probabilities, check_same_shape
from paraspine.frames import IDENTITY
from paraspine.studies.truth.theory import Known, expected_entropy_of_votes, miller_madow

MAJORITY, SOFT, STAPLE = "majority vote", "soft label", "STAPLE posterior"
CORRECTED = "soft label, Miller-Madow corrected"
EXPECTED = "soft label, expected"
APPROXIMATED = "soft label, Miller-Madow approximation"
GRID = "P* itself, brought to the networks' grid and back"
#: Estimates that are worked out, not measured.
THEORY = (EXPECTED, APPROXIMATED)


def panels_of(pool: int, size: int, panels: int) -> list[list[int]]:
    """Panels of raters in which everybody sits equally often, as far as that is possible.

    A panel is `size` neighbours on a circle of the pool; the first is its first `size` raters.

    >>> panels_of(4, 3, 2)
    [[0, 1, 2], [2, 3, 0]]
    """
    if not 1 <= size <= pool:
        raise SettingsError(f"raters: expected 1 to {pool}, the size of the pool, got {size}.")
    starts = dict.fromkeys(k * pool // panels for k in range(1 if size == pool else panels))
    return [[(start + i) % pool for i in range(size)] for start in starts]


def error_against(estimate, known: Known) -> dict[str, np.ndarray | float]:
    """How far probabilities ``(C, H, W)`` on the grid of `known` are from ``P*``; NaN is left out.

    ``brier`` (C,), the mean over voxels of ``(P* - P)²``, without the part that the draws of ``P*``
    make up, which can leave it just below 0; and means over voxels of ``entropy``,
    ``entropy_bias`` (minus the true one) and ``entropy_error`` (its absolute value), nats.
    """
    estimate = check_probabilities(estimate)
    check_same_shape(known.probabilities, estimate, names=("truth", "estimate"))
    seen = np.flatnonzero(~np.isnan(estimate).any(axis=0))
    return _errors(_at(estimate, seen), known, seen, np.ones(len(seen)))


def _at(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """``(C, V)`` of ``(C, *spatial)`` at V voxels (flat indices)."""
    return values.reshape(len(values), -1)[:, voxels]


def _errors(estimate, known: Known, voxels, weights, entropy=None) -> dict:
    """`error_against` of ``(C, V)`` at V voxels, which stand for `weights` voxels each."""
    truth, p = _at(known.probabilities, voxels).astype(float), estimate.astype(float)
    found = maps.entropy(p) if entropy is None else entropy
    off = found - known.entropy.reshape(-1)[voxels]
    weights = weights / weights.sum()
    noise = truth * (1 - truth) / (known.draws - 1)
    return {
        "brier": (np.square(truth - p) - noise) @ weights,
        "entropy": float(found @ weights),
        "entropy_bias": float(off @ weights),
        "entropy_error": float(np.abs(off) @ weights),
    }


def panel_errors(known: Known, raters: int, panels: int = 5) -> dict[str, dict]:
    """`error_against` of each fusion of a panel (majority, soft label, STAPLE), mean over panels.

    Beside them the soft label with its entropy corrected by `miller_madow`, the expected errors of
    a soft label (``P* (1 - P*) / R`` and `expected_entropy_of_votes`), and the entropy bias that
    Miller and Madow approximate from the classes m that occur at all, ``-(m - 1) / (2 R)``.
    """
    classes = len(known.probabilities)
    found: dict[str, list[dict]] = {}
    labels = known.labels[panels_of(len(known.labels), raters, panels)]
    voxels, weights = known.distinct
    for said, vote, estimated in zip(
        labels,
        fusion.majority_vote_many(labels, classes),
        fusion.staple_many(labels, classes),
        strict=True,
    ):
        soft = fusion.soft_labels(_at(said, voxels), classes)
        hard = vote.reshape(-1)[voxels] == np.arange(classes)[:, None]
        for name, estimate, entropy in (
            (MAJORITY, hard, None),
            (SOFT, soft, None),
            (STAPLE, _at(estimated.posterior, voxels), None),
            (CORRECTED, soft, miller_madow(soft, raters)),
        ):
            errors = _errors(estimate, known, voxels, weights, entropy)
            found.setdefault(name, []).append(errors)
    result = {
        name: {key: np.mean([e[key] for e in errors], axis=0) for key in errors[0]}
        for name, errors in found.items()
    }
    del result[CORRECTED]["brier"]  # only its entropy is another
    true = known.entropy.mean()
    expected = expected_entropy_of_votes(known.probabilities, raters, known.draws).mean()
    result[EXPECTED] = {
        "brier": known.variance / raters,
        "entropy": expected,
        "entropy_bias": expected - true,
    }
    support = (known.probabilities > 0).sum(axis=0)
    result[APPROXIMATED] = {"entropy_bias": -(support - 1).mean() / (2 * raters)}
    return result


def network_errors(known: Sequence[Known], data, moments) -> list[dict]:
    """`error_against` of a network's samples of each slice, brought to the images' own grid."""
    return [
        error_against(_back(mean, data, truth.grid), truth)
        for mean, truth in zip(moments.mean, known, strict=True)
    ]


def through_grid(known: Sequence[Known], data) -> dict[str, list[dict]]:
    """Errors that the networks' grid alone would make of ``P*``, by their name in `truth_frame`.

    Empty where the images lie on that grid already.
    """
    if (data.size, data.spacing) == (known[0].image.shape, known[0].grid.spacing[1:]):
        return {}
    found = []
    for truth in known:
        there = _network_grid(data, truth.grid)
        coarse = volumes.probabilities_onto(truth.probabilities[:, None], truth.grid, there)
        found.append(error_against(_back(coarse[:, 0], data, truth.grid), truth))
    return {GRID: found}


def truth_frame(
    known: Sequence[Known],
    data,
    *,
    most: int = 10,
    panels: int = 5,
    networks: Mapping[str, Iterable[dict]] | None = None,
) -> pd.DataFrame:
    """One row per slice, class, measure, estimate (``condition``) and number of raters.

    `raters` is 0 for networks (errors of `network_errors` and `through_grid` by name) and for the
    truth itself, ``"P*"``, which has its ``entropy`` and ``variance``.
    """
    lines: list[tuple] = []
    for item, truth in enumerate(known):
        own = {"entropy": truth.entropy.mean(), "variance": truth.variance}
        lines += _lines(item, 0, "P*", own, data.classes.names)
        for raters in range(1, most + 1):
            for who, errors in panel_errors(truth, raters, panels).items():
                lines += _lines(item, raters, who, errors, data.classes.names)
    for who, each in (networks or {}).items():
        for item, errors in enumerate(each):
            lines += _lines(item, 0, who, errors, data.classes.names)
    frame = pd.DataFrame(
        lines, columns=["item", "raters", "condition", "class", "measure", "value"]
    )
    table = data.table[[c for c in IDENTITY if c in data.table]].reset_index(drop=True)
    identity = table.loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat([identity, frame], axis=1)


def _lines(item: int, raters: int, who: str, errors: Mapping, names) -> list[tuple]:
    found = []
    for measure, value in errors.items():
        each = zip(names, value, strict=True) if np.ndim(value) else [("all", value)]
        found += [(item, raters, who, c, measure, float(v)) for c, v in each]
    return found


def _network_grid(data, grid: volumes.Grid) -> volumes.Grid:
    return volumes.resample_grid(grid, data.size, data.spacing)


def _back(probabilities, data, grid: volumes.Grid) -> np.ndarray:
    """Probabilities ``(C, H, W)`` of the networks' grid on the image's own."""
    there = _network_grid(data, grid)
    return volumes.probabilities_onto(np.asarray(probabilities)[:, None], there, grid)[:, 0]
