"""What tables and figures of the raters show."""

from __future__ import annotations

import pandas as pd

from paraspine import published, statistics, text
from paraspine.studies.raters.tables import WHOLE

#: The published agreement of raters: paper and table.
PAPER, TABLE = "wesselink2022", "Results"
COLUMNS = ["class", "icc", "icc_low", "icc_high", "without_low"]
PANELS = {
    "area": "area beyond the majority's (%)",
    "sensitivity": "raters' sensitivity (%)",
    "specificity": "raters' specificity (%)",
    "changed": "voxels that change class (%)",
}


def agreement_rows(agreement: pd.DataFrame, reliability: pd.DataFrame) -> pd.DataFrame:
    """Dice (``mean``) and ICC of each structure in one row, and last the published raters'."""
    known = reliability.reindex(columns=COLUMNS)
    ours = agreement.merge(known, on="class", how="left")
    ours["lowest"] = [text.number(value, 3) for value in ours["without_low"]]
    ours["images"] = ours["n"].astype(str)
    paper = published.table(PAPER, TABLE).query("system == 'raters'").set_index("metric")["value"]
    dice, icc = (paper[f"{name} between raters, at least"] for name in ("Dice", "volume ICC(2,1)"))
    theirs = {"class": "published, at least", "mean": dice, "icc": icc}
    table = pd.concat([ours, pd.DataFrame([theirs])], ignore_index=True)
    return table.fillna({"lowest": "–", "images": "–"})


def extent_curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Means of `extent_frame` for `figures.small_multiples`: over margins, a panel a measure."""
    table = statistics.mean_table(frame, by=["extent", "measure", "class"])
    shown = table[table["measure"].isin(list(PANELS))]
    words = {WHOLE: "image", "union": "0 mm"}
    return pd.DataFrame(
        {
            "margin": [words.get(w, w.removeprefix("union + ")) for w in shown["extent"]],
            "panel": shown["measure"].map(PANELS),
            "class": shown["class"],
            "value": shown["mean"],
            "low": shown["low"],
            "high": shown["high"],
        }
    )
