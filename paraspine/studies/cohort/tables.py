"""The cohort and its split: tables and sentences."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from paraspine import text, volumes
from paraspine.evidence.show import Cell, number

SIDES = ("train", "validation", "test")


def grid_lines(cohort, data) -> list[tuple[str, str]]:
    """Images' own grids and the networks' one, with a message where it is coarser than asked."""
    own = Counter()
    for row in cohort.table.index:
        volume = volumes.read(cohort.image_path(row))
        own[_grid(volume.array.shape[1:], volume.spacing[1:])] += 1
    lines = [("images' own grids", "; ".join(f"{k} ({n})" for k, n in own.most_common()))]
    used = _grid(data.size, data.spacing)
    asked = (cohort.metadata.get("grid") or {}).get("spacing")
    if asked and np.any(np.array(data.spacing) > np.array(asked) * 1.001):
        used += f", coarser than the {asked[0]:g} × {asked[1]:g} mm that the cohort asks for: "
        used += "max_size is smaller than its grid"
    return [*lines, ("the networks' grid", used)]


def _grid(size, spacing) -> str:
    return f"{size[0]} × {size[1]} pixels of {spacing[0]:.3g} × {spacing[1]:.3g} mm"


def cohort_summary(cohort, data=None) -> pd.DataFrame:
    """Contents of a cohort and, with its slices, its grids: columns `what` and `value`."""
    table = cohort.table
    rated = table[[f"rater_{r}" for r in cohort.raters]].notna()
    lines = [
        ("images", f"{len(table):,}"),
        ("subjects", f"{table['subject'].nunique():,}"),
        ("classes", text.listing(cohort.classes.foreground)),
        ("raters", text.listing(cohort.raters)),
        ("images that every rater rated", f"{int(rated.all(axis=1).sum()):,}"),
    ]
    if "level" in table:
        counts = table["level"].value_counts(sort=False)
        lines.append(("levels", ", ".join(f"{k} ({v})" for k, v in counts.items())))
    people = table.drop_duplicates("subject")
    if "sex" in table:
        counts = people["sex"].value_counts().sort_index()
        lines.append(("sex", ", ".join(f"{k} {v}" for k, v in counts.items())))
    if "age" in table:
        age = people["age"].dropna().astype(float)
    if "age" in table and len(age):
        lines.append(("age, years", f"{age.min():.0f} to {age.max():.0f}, mean {age.mean():.1f}"))
    if "center" in table:
        counts = people["center"].value_counts().sort_index()
        lines.append(("centers (subjects)", ", ".join(f"{k} ({v})" for k, v in counts.items())))
    if data is not None:
        lines += grid_lines(cohort, data)
    lines.append(("source", cohort.source))
    return pd.DataFrame(lines, columns=["what", "value"])


def cohort_sentence(cohort) -> str:
    """Say in words who is in the cohort and what to keep in mind about it."""
    table = cohort.table
    words = (
        f"**{text.count(table['subject'].nunique(), 'subject')}** with "
        f"**{text.count(len(table), 'image')}**, outlined by "
        f"**{text.count(len(cohort.raters), 'rater')}**."
    )
    if cohort.synthetic:
        words += " The cohort is synthetic: nothing measured on it is a claim about patients."
    if cohort.notes:
        words += " To keep in mind: " + " ".join(str(n).rstrip(".") + "." for n in cohort.notes)
    return words


def with_sides(data, sides) -> pd.DataFrame:
    """Table of the images with the column `side`."""
    return data.table.reset_index(drop=True).assign(side=np.asarray(sides))


def split_table(data, sides) -> pd.DataFrame:
    """Subjects, slices and raters' outlines on each side, with sex and age where they are known."""
    table = with_sides(data, sides)
    lines = []
    for side in SIDES:
        part = table[table["side"] == side]
        people = part.drop_duplicates("subject")
        line = {"side": side, "subjects": len(people), "slices": len(part)}
        line["outlines"] = int(data.rated[np.asarray(sides) == side].sum())
        if "sex" in table:
            for sex in sorted(table["sex"].dropna().unique()):
                line[f"sex {sex}"] = int((people["sex"] == sex).sum())
        if "age" in table:
            line["mean age"] = round(float(people["age"].astype(float).mean()), 1)
        lines.append(line)
    return pd.DataFrame(lines)


def shown_title(shown, data) -> str:
    """Title of the figure of some of the cohort's slices."""
    return f"{len(shown)} of the cohort's {text.count(len(data), 'slice')}"


def split_cells(table: pd.DataFrame) -> dict[str, Cell]:
    """How `split_table` is written: whole numbers, and the age with a digit."""
    named = [name for name in table if name != "side"]
    return {name: number(name, int(name == "mean age")) for name in named}


def split_sentence(data, sides, by: str) -> str:
    """Say what the split keeps apart, and warn where it lets one subject stand on two sides."""
    table = with_sides(data, sides)
    shared = table.groupby("subject")["side"].nunique()
    torn = int((shared > 1).sum())
    if not torn:
        return f"No subject is on two sides of the split, which goes by {by}."
    return (
        f"**Slices of {torn} of {text.count(len(shared), 'subject')} are on more than one side**, "
        f"because the split goes by {by}. Slices of one person resemble each other, so test "
        "results are optimistic and say nothing about people whom the networks have not seen."
    )
