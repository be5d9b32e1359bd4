"""Sentences about the grid of noise, bias field and coupling."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.conditions import summarise
from paraspine.evidence.show import estimate, pretty
from paraspine.studies.noise.frames import MIXED

__all__ = [
    "noise_setup_sentence",
    "noise_dice",
    "pretty_changes",
    "noise_sentence",
    "coupling_sentence",
    "headline_noise",
    "headline_coupling",
]

UNDEFINED = (
    "Left out: r is undefined in every cell, with one rater, fewer than three slices or no "
    "difference among them."
)


BOTH = ("aleatoric", "epistemic")


KNOBS = {"noise": "image noise", "bias_field": "bias field", "noise_coupling": "coupling"}


def noise_setup_sentence(frame: pd.DataFrame, settings: dict, data) -> str:
    """What was computed, and what the network had seen in training.

    Parameters
    ----------
    frame : pandas.DataFrame
        `noise_frame`.
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them.
    data : slices.Slices
        The slices.
    """
    cells = len(frame[list(KNOBS)].drop_duplicates())
    return (
        f"{text.count(cells, 'cell')} of {text.count(len(data), 'slice')} of "
        f"{text.count(data.table['subject'].nunique(), 'subject')}, rated by "
        f"{text.count(len(data.raters), 'rater')}. The network was trained at noise "
        f"{settings['noise']:g}, bias field {settings['bias_field']:g} and coupling "
        f"{settings['noise_coupling']:g}; every other cell it has never seen. ({data.source})"
    )


def noise_dice(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Mean Dice of the network (mean over dropout samples) at each noise and bias field.

    Against the vote at the lowest coupling, where labels do not depend on the image.

    Parameters
    ----------
    frame : pandas.DataFrame
        `noise_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``noise``, ``bias_field`` and the columns of `statistics.mean_table`.
    """
    chosen = frame[frame["method"] == "dropout"]
    chosen = chosen[chosen["noise_coupling"] == chosen["noise_coupling"].min()]
    return summarise(chosen, "dice", ["noise", "bias_field"], resamples=resamples)


def pretty_changes(changes: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """`noise_changes` for reading, one line for each turn of a knob."""
    shown = changes.assign(knob=changes["knob"].map(KNOBS))
    shown = shown.rename(
        columns={"bias_field": "bias field", "noise_coupling": "coupling", "last": "to"}
    ).rename(columns={"first": "from", "knob": "turned"})
    index = ["turned", "noise", "bias field", "coupling", "kind"]
    return pretty(shown, index, beside={"from": 2, "to": 2}, digits=3, source=source)


def noise_sentence(changes: pd.DataFrame) -> str:
    """How image noise and bias field move both correlations where raters do not see the noise.

    Parameters
    ----------
    changes : pandas.DataFrame
        `noise_changes`.
    """
    if len(changes) and changes["mean"].isna().all():
        return UNDEFINED
    words = []
    for knob in ("noise", "bias_field"):
        own = changes[changes["knob"] == knob]
        if own.empty:
            continue
        if knob == "bias_field":
            own = own[own["noise"] == own["noise"].iloc[0]]
        where = own["noise_coupling"].iloc[0]
        own = own[own["noise_coupling"] == where]
        ends = own[knob].iloc[0].replace("→", "to")
        words.append(f"turning the {KNOBS[knob]} from {ends} {_both(own)}")
    if not words:
        return "The grid has one noise level and one bias field, so nothing moves."
    return f"At coupling {changes['noise_coupling'].iloc[0].split(' ')[0]}, {'; '.join(words)}."


def coupling_sentence(changes: pd.DataFrame, partition: pd.DataFrame) -> str:
    """How the coupling of disagreement to noise moves correlations and the variance partition.

    Parameters
    ----------
    changes : pandas.DataFrame
        `noise_changes`.
    partition : pandas.DataFrame
        `noise_partition`.
    """
    own = changes[changes["knob"] == "noise_coupling"]
    if own.empty:
        return "The grid has one coupling, so nothing moves."
    if own["mean"].isna().all():
        return UNDEFINED
    place = MIXED if (own["noise"] == MIXED).any() else own["noise"].iloc[0]
    own = own[own["noise"] == place]
    bias = float(own["bias_field"].iloc[0])
    cells = partition[(partition["noise"] == place) & (partition["bias_field"] == bias)]
    parts = cells.set_index(["noise_coupling", "part"])
    ends = [min(cells["noise_coupling"]), max(cells["noise_coupling"])]
    joint, alone = (
        [text.interval(estimate(parts.loc[(end, part)]), 0) for end in ends]
        for part in ("joint", "unique_aleatoric")
    )
    cohort = "In a cohort that mixes all noise levels" if place == MIXED else f"At noise {place}"
    return (
        f"{cohort}, raising the coupling from {own['noise_coupling'].iloc[0].replace('→', 'to')} "
        f"{_both(own)}; of the variance of disagreement both explain {joint[0]} % without and "
        f"{joint[1]} % with it, of which the aleatoric alone adds {alone[0]} % and {alone[1]} %."
    )


def headline_noise(changes: pd.DataFrame) -> str:
    """Change of r(aleatoric, disagreement) with the noise, in one phrase."""
    return _headline(changes[changes["knob"] == "noise"])


def headline_coupling(changes: pd.DataFrame) -> str:
    """Change of r(aleatoric, disagreement) with the coupling, in one phrase."""
    return _headline(changes[changes["knob"] == "noise_coupling"].iloc[::-1])


def _headline(own: pd.DataFrame) -> str:
    own = own[own["kind"] == "aleatoric"]
    if own.empty:
        return "undefined (one value)"
    row = own.iloc[0]
    if np.isnan(row["mean"]):
        return "undefined (one rater, fewer than three slices or no difference among them)"
    return (
        f"r from {text.number(row['first'])} to {text.number(row['last'])}, change "
        f"{text.interval(estimate(row), 3)}"
    )


def _both(own: pd.DataFrame) -> str:
    words = []
    for kind in BOTH:
        row = own[own["kind"] == kind].iloc[0]
        found = estimate(row)
        turn = text.verdict(
            found,
            above="raises",
            below="lowers",
            unclear="has no effect that the data can tell from none on",
        )
        words.append(
            f"{turn} r({kind}, disagreement), from {text.number(row['first'])} to "
            f"{text.number(row['last'])} (change {text.interval(found, 3)})"
        )
    return text.listing(words)
