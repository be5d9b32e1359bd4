"""Pictures, intervals and table rows of the phantom and of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from paraspine import phantom
from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError
from paraspine.evidence import show
from paraspine.figures import View

from .tables import REAL_GRID, REAL_LEVEL, WHO

MUSCLES = {"MF": "multifidus (MF)", "ES": "erector spinae (ES)", "PM": "psoas (PM)"}
PATIENT_CAPTION = (
    "**Figure 14.3.** A patient first (Lumbar Spine MRI Dataset, doi 10.17632/k57fr854j2.2), then "
    "the phantom at the same level and on the same grid."
)
SHAPE_CELLS = {
    head.format(who): show.interval(column.format(who), 3)
    for who in WHO
    for head, column in (
        ("{}: median [25 %, 75 %]", "{} quartiles"),
        ("{}: median [5 %, 95 %]", "{} range"),
    )
} | {"5-95 % ranges shared, %": show.number("overlap", 0, 100)}
VOLUME_CELLS = {
    "phantom": show.number("phantom", 0),
    "its SD": show.number("phantom_sd", 0),
    "people": show.number("patients", 0),
    "their SD": show.number("patients_sd", 0),
    "difference, SDs of people": show.number("apart", 2),
}


def anatomy_views(settings: Mapping, subjects: Sequence[int]) -> list[View]:
    """All six levels of some subjects (numbered from 1) of a phantom cohort."""
    wanted = {**settings, "kind": "slices", "levels": LEVELS}
    return [_view(n, level, wanted) for n in subjects for level in LEVELS]


def beside_patient(settings: Mapping, subjects: Sequence[int], folder: Path | str) -> list[View]:
    """A patient at L4-L5, ``t2w_image.png`` in a folder, then the phantom; empty without one."""
    from PIL import Image

    path = Path(folder) / "t2w_image.png"
    if not path.is_file():
        return []
    with Image.open(path) as picture:
        real = np.asarray(picture.convert("L"), dtype=float)
    if real.shape != REAL_GRID["size"]:
        raise SettingsError(
            f"{path}: expected 320 x 320 pixels, found {real.shape[0]} x {real.shape[1]}; give "
            "another patient_folder."
        )
    wanted = {**settings, **REAL_GRID, "kind": "slices", "levels": LEVELS}
    drawn = [_view(n, REAL_LEVEL, wanted) for n in subjects]
    return [View(image=real, title=f"a patient, {REAL_LEVEL}"), *drawn]


def _view(number: int, level: str, settings: Mapping) -> View:
    case = phantom.simulate(number, level, **settings)
    person = f"{case.subject.sex}, {case.subject.age} years"
    return View(image=case.image[0].astype(float), title=f"{case.subject.name}, {level} ({person})")


def shape_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Median and 5-95 % range of every shape, from 0 to 1 over the patients' own range."""
    first, last = table["patients_5"], table["patients_95"]
    parts = [
        pd.DataFrame(
            {
                "name": table["shape"],
                "of": who,
                "value": (table[who] - first) / (last - first),
                "low": (table[f"{who}_5"] - first) / (last - first),
                "high": (table[f"{who}_95"] - first) / (last - first),
            }
        )
        for who in WHO
    ]
    return pd.concat(parts, ignore_index=True)


def named(table: pd.DataFrame) -> pd.DataFrame:
    """A table of shapes or volumes as `SHAPE_CELLS` and `VOLUME_CELLS` show it."""
    if "muscle" in table:
        return table.assign(muscle=table["muscle"].map(MUSCLES))
    columns = {}
    for who in WHO:
        for name, low, high in (("quartiles", 25, 75), ("range", 5, 95)):
            columns[f"{who} {name}"] = table[who]
            columns[f"{who} {name}_low"] = table[f"{who}_{low}"]
            columns[f"{who} {name}_high"] = table[f"{who}_{high}"]
    return table.assign(**columns)
