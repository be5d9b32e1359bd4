"""How like patients the phantom is: pictures, shapes, volumes and fat, each in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from paraspine import muscle, phantom, statistics, text
from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError
from paraspine.figures import View

__all__ = [
    "REAL_GRID",
    "anatomy_views",
    "beside_patient",
    "shape_table",
    "pretty_shapes",
    "shape_sentence",
    "volume_table",
    "volume_sentence",
    "fat_table",
    "fat_sentence",
    "level_sentence",
    "likeness_headline",
]

#: The grid of the patients' masks, whose pixels are taken as 0.625 mm wide.
REAL_GRID = {"size": (320, 320), "spacing": (0.625, 0.625)}


REAL_LEVEL = "L4-L5"


WHO = ("patients", "phantom")


def anatomy_views(settings: Mapping, subjects: Sequence[int]) -> list[View]:
    """All six levels of some subjects of a phantom cohort, for `figures.cohort_slices`.

    Parameters
    ----------
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them.
    subjects : sequence of int
        Their numbers, from 1.
    """
    wanted = {**settings, "kind": "slices", "levels": LEVELS}
    return [_view(n, level, wanted) for n in subjects for level in LEVELS]


def beside_patient(settings: Mapping, subjects: Sequence[int], folder: Path | str) -> list[View]:
    """L4-L5 slices of the phantom, and before them a patient's where there is one.

    Parameters
    ----------
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them; the grid is the patient's.
    subjects : sequence of int
        Their numbers, from 1.
    folder : path
        Where ``t2w_image.png`` may lie (an axial T2w slice at L4-L5, 320 x 320).
    """
    from PIL import Image

    wanted = {**settings, **REAL_GRID, "kind": "slices", "levels": LEVELS}
    drawn = [_view(n, REAL_LEVEL, wanted) for n in subjects]
    path = Path(folder) / "t2w_image.png"
    if not path.is_file():
        return drawn
    with Image.open(path) as picture:
        real = np.asarray(picture.convert("L"), dtype=float)
    if real.shape != REAL_GRID["size"]:
        raise SettingsError(
            f"{path}: expected 320 x 320 pixels, found {real.shape[0]} x {real.shape[1]}."
        )
    return [View(image=real, title=f"a patient, {REAL_LEVEL}"), *drawn]


def _view(number: int, level: str, settings: Mapping) -> View:
    case = phantom.simulate(number, level, **settings)
    person = f"{case.subject.sex}, {case.subject.age} years"
    return View(image=case.image[0].astype(float), title=f"{case.subject.name}, {level} ({person})")


def shape_table(settings: Mapping, subjects: int = 120) -> pd.DataFrame:
    """`phantom.shape_statistics` of the phantom at L4-L5 beside those of 411 patients.

    Parameters
    ----------
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them; the grid is that of the patients' masks.
    subjects : int
        How many of the phantom's, true outlines.

    Returns
    -------
    pandas.DataFrame
        ``shape``; median and quantiles (5, 25, 75, 95 %) of either: ``patients``, ``patients_25``,
        ``phantom``, ``phantom_5``, ...; ``inside``, whether the phantom's median lies within the
        patients' interquartile range; ``overlap``, what the 5-95 % ranges share of their union.
    """
    wanted = {**settings, **REAL_GRID, "levels": LEVELS, "psoas": False}
    pooled: dict[str, list[float]] = {name: [] for name in phantom.REAL_SHAPES}
    for number in range(1, subjects + 1):
        outlines = phantom.true_outlines(number, REAL_LEVEL, **wanted)
        for name, values in phantom.shape_statistics(outlines).items():
            pooled[name].extend(values)
    lines = []
    for name, real in phantom.REAL_SHAPES.items():
        found = np.quantile(pooled[name], [0.05, 0.25, 0.5, 0.75, 0.95])
        shared = min(found[4], real[4]) - max(found[0], real[0])
        union = max(found[4], real[4]) - min(found[0], real[0])
        line = {"shape": name}
        for who, values in zip(WHO, (real, found), strict=True):
            line[who] = values[2]
            line |= {
                f"{who}_{q}": v for q, v in zip((5, 25, 75, 95), np.delete(values, 2), strict=True)
            }
        line["inside"] = bool(real[1] <= found[2] <= real[3])
        line["overlap"] = max(0.0, float(shared / union))
        lines.append(line)
    return pd.DataFrame(lines)


def pretty_shapes(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """`shape_table` for reading: median (25 to 75 %; 5 to 95 %) of either, and how they agree."""

    def cell(row, who):
        low, first, third, high = (text.number(row[f"{who}_{q}"], 3) for q in (5, 25, 75, 95))
        return f"{text.number(row[who], 3)} ({first} to {third}; {low} to {high})"

    shown = pd.DataFrame(
        {
            "shape": table["shape"],
            **{who: [cell(row, who) for _, row in table.iterrows()] for who in WHO},
            "median inside": table["inside"].map({True: "yes", False: "no"}),
            "ranges shared": [text.percent(v, 0) for v in table["overlap"]],
        }
    )
    return shown.set_index("shape").rename_axis(columns=source)


def shape_sentence(table: pd.DataFrame) -> str:
    """Where the phantom's shapes lie among patients'."""
    outside = list(table.loc[~table["inside"], "shape"])
    least = table.loc[table["overlap"].idxmin()]
    words = f"{text.count(len(table) - len(outside), 'median')} of {len(table)} "
    words += "lie within the patients' interquartile range"
    if outside:
        words += f", not that of {text.listing(outside)}"
    return (
        f"{words}; the ranges from 5 to 95 % share {text.percent(table['overlap'].min(), 0)} "
        f"({least['shape']}) to {text.percent(table['overlap'].max(), 0)} of their union."
    )


def volume_table(settings: Mapping, subjects: int = 40) -> pd.DataFrame:
    """Volumes of the muscles over L1-L5 beside those of wesselink2022, ml.

    Returns
    -------
    pandas.DataFrame
        ``muscle``, ``phantom``, ``phantom_sd``, ``patients``, ``patients_sd``, and ``apart``: the
        difference of the means in the patients' standard deviations.
    """
    found = [phantom.muscle_volumes(n, **settings) for n in range(1, subjects + 1)]
    lines = []
    for name, (real, deviation) in phantom.REAL_VOLUMES.items():
        own = np.array([volumes[name] for volumes in found])
        spread = own.std(ddof=1) if len(own) > 1 else float("nan")
        lines.append((name, own.mean(), spread, real, deviation, (own.mean() - real) / deviation))
    columns = ["muscle", "phantom", "phantom_sd", "patients", "patients_sd", "apart"]
    return pd.DataFrame(lines, columns=columns)


def volume_sentence(table: pd.DataFrame) -> str:
    """How far the phantom's mean volumes are from those of people."""
    words = [
        f"{row['muscle']} {text.number(row['phantom'], 0)} ml where people have "
        f"{text.number(row['patients'], 0)} ({text.number(row['apart'], 1)} standard deviations)"
        for _, row in table.iterrows()
    ]
    return f"Mean of both sides: {'; '.join(words)}."


def fat_table(table: pd.DataFrame) -> pd.DataFrame:
    """Fat of each subject: mean over images, and simplified Goutallier class.

    Parameters
    ----------
    table : pandas.DataFrame
        A cohort's, with ``subject``, ``age`` and ``fat``.

    Returns
    -------
    pandas.DataFrame
        ``subject``, ``age`` (years), ``fat`` (0 to 1), ``goutallier`` (1 to 3).
    """
    people = table.groupby("subject", sort=False)[["age", "fat"]].mean().reset_index()
    return people.assign(goutallier=muscle.goutallier(people["fat"].to_numpy()))


def fat_sentence(people: pd.DataFrame, *, resamples: int = 2000) -> str:
    """How many subjects have which class, and whether fat rises with age."""
    classes = people["goutallier"].value_counts()
    counts = [f"{int(classes.get(c, 0))} of class {'I' * c}" for c in (1, 2, 3)]
    words = f"Simplified Goutallier: {text.listing(counts)}."
    found = statistics.spearman(
        people["age"].to_numpy(float), people["fat"].to_numpy(float), resamples=resamples
    )
    turn = text.verdict(
        found,
        above="rises with age",
        below="falls with age",
        unclear="has no trend with age that these people can tell from none",
    )
    return f"{words} Fat {turn} (Spearman {text.interval(found)})."


def level_sentence(table: pd.DataFrame) -> str:
    """Where raters agree least, of all muscles and levels.

    Parameters
    ----------
    table : pandas.DataFrame
        Mean Dice by ``level`` and ``class``, as `conditions.summarise` gives it.
    """
    known = table[table["mean"].notna()]
    if known.empty:
        return "With one rater there are no pairs."
    low, high = known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]
    means = known.groupby("class", sort=False)["mean"].mean()
    listed = text.listing(f"{name} {text.number(value, 3)}" for name, value in means.items())
    return (
        f"Mean Dice over the levels: {listed}. Lowest for {low['class']} at {low['level']} "
        f"({text.number(low['mean'], 3)}), highest for {high['class']} at {high['level']} "
        f"({text.number(high['mean'], 3)})."
    )


def likeness_headline(table: pd.DataFrame) -> str:
    """How many of the shapes lie where patients' do, in one phrase."""
    inside = int(table["inside"].sum())
    return (
        f"{inside} of {len(table)} median shapes within patients' interquartile range, ranges "
        f"shared by {text.percent(table['overlap'].min(), 0)} or more"
    )
