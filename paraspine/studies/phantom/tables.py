"""Shapes, volumes and fat of the phantom and of patients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import muscle, phantom
from paraspine.anatomy import LEVELS

#: Level and grid of the patients' masks, whose pixels are taken as 0.625 mm wide.
REAL_LEVEL = "L4-L5"
REAL_GRID = {"size": (320, 320), "spacing": (0.625, 0.625)}
#: Whose values a table of shapes holds, and their quantiles in percent.
WHO = ("patients", "phantom")
QUANTILES = (5, 25, 50, 75, 95)


def shape_table(settings: Mapping, subjects: int = 120) -> pd.DataFrame:
    """Quantiles of `phantom.shape_statistics` at L4-L5: 411 patients and true outlines.

    ``patients`` and ``phantom`` are medians, ``phantom_5`` and so on the other quantiles;
    ``inside``: the phantom's median lies within the patients' interquartile range; ``overlap``:
    what the 5-95 % ranges share of their union.
    """
    wanted = {**settings, **REAL_GRID, "levels": LEVELS, "psoas": False}
    pooled: dict[str, list[float]] = {name: [] for name in phantom.REAL_SHAPES}
    for number in range(1, subjects + 1):
        outlines = phantom.true_outlines(number, REAL_LEVEL, **wanted)
        for name, values in phantom.shape_statistics(outlines).items():
            pooled[name].extend(values)
    lines = []
    for name, real in phantom.REAL_SHAPES.items():
        found = np.quantile(pooled[name], np.array(QUANTILES) / 100)
        line = {"shape": name}
        for who, values in zip(WHO, (real, found), strict=True):
            named = dict(zip(QUANTILES, values, strict=True))
            line[who] = named.pop(50)
            line |= {f"{who}_{q}": value for q, value in named.items()}
        line["inside"] = bool(real[1] <= found[2] <= real[3])
        shared = min(found[4], real[4]) - max(found[0], real[0])
        union = max(found[4], real[4]) - min(found[0], real[0])
        line["overlap"] = max(0.0, float(shared / union))
        lines.append(line)
    return pd.DataFrame(lines)


def volume_table(settings: Mapping, subjects: int = 40) -> pd.DataFrame:
    """Mean and SD (ml) of each muscle over L1-L5 beside wesselink2022's.

    ``apart``: difference of the means in the patients' standard deviations.
    """
    found = [phantom.muscle_volumes(n, **settings) for n in range(1, subjects + 1)]
    lines = []
    for name, (real, deviation) in phantom.REAL_VOLUMES.items():
        own = np.array([volumes[name] for volumes in found])
        spread = own.std(ddof=1) if len(own) > 1 else float("nan")
        lines.append((name, own.mean(), spread, real, deviation, (own.mean() - real) / deviation))
    columns = ["muscle", "phantom", "phantom_sd", "patients", "patients_sd", "apart"]
    return pd.DataFrame(lines, columns=columns)


def fat_table(table: pd.DataFrame) -> pd.DataFrame:
    """Age, fat fraction (mean over images) and simplified Goutallier grade of each subject."""
    people = table.groupby("subject", sort=False)[["age", "fat"]].mean().reset_index()
    return people.assign(goutallier=muscle.goutallier(people["fat"].to_numpy()))
