"""Claims of roshanzamir2023 as comparisons that a run can repeat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from paraspine import published
from paraspine.evidence.conditions import method_label, network_label, target_label
from paraspine.evidence.results import Condition
from paraspine.studies.published.printed import PAPER, PRINTED

#: What counts as "a very small portion" of a variance, for which the paper gives no number.
SMALL_SHARE = 0.05


MODELS = ("transunet", "unet")


#: Training targets with one pass, and with test-time augmentation.
PLAIN = (("majority", "single"), ("random", "single"))


AUGMENTED = (("majority", "tta"), ("random", "tta"))


#: The paper's three sources of epistemic uncertainty.
SOURCES = (("majority", "dropout"), ("random", "dropout"), ("majority", "ensemble"))


Ways = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """One place where a claim can be checked.

    Attributes
    ----------
    where : str
        In the paper's words.
    terms : tuple
        (coefficient, cells) of each term; their sum is what the claim is about.
    printed : float
        The same from the paper's table, in units of 1; NaN where it prints none.
    """

    where: str
    terms: tuple[tuple[float, tuple[Condition, ...]], ...]
    printed: float = float("nan")

    def cells(self) -> list[Condition]:
        """Every cell that it needs."""
        return [cell for _, cells in self.terms for cell in cells]


@dataclass(frozen=True)
class Claim:
    """A claim and how it is judged.

    Attributes
    ----------
    table : str
        The published table or figure it is read from.
    words, said : str
        The claim, and where the paper makes it.
    statistic : str
        What is computed, in words.
    quantity : str
        One of `paired.QUANTITIES`; empty where the book measures nothing of the kind.
    kind : {"above", "below", "near zero", "about"}
        Whether the statistic should lie above or below 0; within `bounds` around 0 (similar, not
        clear); or within `bounds` elsewhere (about so much).
    comparisons : tuple of Comparison
        Where it can be checked.
    bounds : tuple of float
        Of the last two kinds.
    needs : str
        What no run of this book gives.
    """

    table: str
    words: str
    said: str
    statistic: str
    quantity: str
    kind: str
    comparisons: tuple[Comparison, ...]
    bounds: tuple[float, float] = (0.0, 0.0)
    needs: str = ""


def _printed(table: str, quantity: str, cells: tuple[Condition, ...]) -> float:
    """The paper's own number for a term, the mean over its targets."""
    first = cells[0]
    how = PRINTED[first.method]
    condition = first.fusion if table == "Table 1" else f"{how} {first.fusion}"
    target = None
    if table == "Table 5":
        condition = "TTA+ensemble" if first.method == "ensemble" else f"TTA+TTD {first.fusion}"
        if quantity == "unique_aleatoric":
            return _printed(table, "joint", cells) - _printed(table, "epistemic", cells)
        if quantity == "epistemic_over_aleatoric":
            return _printed(table, "epistemic", cells) - _printed(table, "aleatoric", cells)
        target = quantity
    values = [
        number
        for (system, how, what), number in _numbers(table)
        if (system.lower(), how) == (first.model, condition) and target in (None, what)
    ]
    return sum(values) / len(values) if values else float("nan")


@cache
def _numbers(table: str) -> tuple:
    """((system, condition, target), number in units of 1) of each row of a published table."""
    rows = published.table(PAPER, table)
    keys = zip(rows["system"], rows["condition"], rows["target"], strict=True)
    return tuple(zip(keys, rows["plain"].tolist(), strict=True))


def _compare(table: str, quantity: str, where: str, *terms) -> Comparison:
    """A comparison with the paper's own value of it."""
    if not table.startswith("Table"):
        return Comparison(where, terms)
    value = sum(factor * _printed(table, quantity, cells) for factor, cells in terms)
    return Comparison(where, terms, value)


def _term(factor: int, table: str, model: str, fusion: str, how: str):
    """A term of one cell; in Table 5 of the epistemic one with its aleatoric partner."""
    own, partner = Condition(model, fusion, how), Condition(model, fusion, "tta")
    return factor, (own, partner) if table == "Table 5" else (own,)


def _way(fusion: str, how: str) -> str:
    target = target_label(fusion)
    return target if how == "single" else f"{method_label(how)}, {target}"


def _each(table: str, quantity: str, ways: Ways, models=MODELS) -> tuple[Comparison, ...]:
    """The quantity itself, for each model, training target and way of sampling."""
    return tuple(
        _compare(table, quantity, f"{network_label(m)}, {_way(*way)}", _term(1, table, m, *way))
        for m in models
        for way in ways
    )


def _models(table: str, quantity: str, ways: Ways) -> tuple[Comparison, ...]:
    """TransUNet minus U-Net, for each training target and way of sampling."""
    one, other = MODELS
    return tuple(
        _compare(
            table, quantity, _way(*way), _term(1, table, one, *way), _term(-1, table, other, *way)
        )
        for way in ways
    )


def _between(table: str, quantity: str, one, other, words: str = "") -> tuple[Comparison, ...]:
    """One training target and way of sampling minus another, for each model."""
    return tuple(
        _compare(
            table, quantity, f"{network_label(m)}{words}", _term(1, table, m, *one),
            _term(-1, table, m, *other),
        )
        for m in MODELS
    )  # fmt: skip


def _over_aleatoric(way: tuple[str, str], model: str, factor: int = 1) -> tuple:
    """Terms of the correlation with the epistemic minus that with the aleatoric uncertainty."""
    table, aleatoric = "Table 3", (way[0], "tta")
    return _term(factor, table, model, *way), _term(-factor, table, model, *aleatoric)


def _widest(comparisons: tuple[Comparison, ...]) -> tuple[float, float]:
    """Bounds around 0 that hold every printed value."""
    largest = max(abs(c.printed) for c in comparisons)
    return -largest, largest


def _span(comparisons: tuple[Comparison, ...]) -> tuple[float, float]:
    """From the lowest to the highest printed value."""
    values = [c.printed for c in comparisons]
    return float(np.min(values)), float(np.max(values))


def _claims() -> tuple[Claim, ...]:
    large = _each("Table 5", "epistemic", SOURCES, MODELS[:1])
    little = _each("Table 5", "epistemic", SOURCES, MODELS[1:])
    aleatoric = _each("Table 3", "correlation", AUGMENTED)
    similar = (
        *_between(
            "Table 2", "precision", SOURCES[0], SOURCES[2], ", test-time dropout minus ensemble"
        ),
        *_between(
            "Table 2",
            "precision",
            SOURCES[1],
            SOURCES[0],
            ", test-time dropout, random minus majority",
        ),
    )
    stronger = tuple(
        _compare(
            "Table 3", "correlation", f"{network_label(m)}, {_way(*w)}", *_over_aleatoric(w, m)
        )
        for m in MODELS
        for w in SOURCES
    )
    strongest = tuple(
        _compare(
            "Table 3", "correlation", _way(*w),
            *_over_aleatoric(w, MODELS[0]), *_over_aleatoric(w, MODELS[1], -1),
        )
        for w in SOURCES
    )  # fmt: skip
    random = (("random", "single"), ("majority", "single"))
    dropped = (("random", "dropout"), ("majority", "dropout"))
    small = (0.0, SMALL_SHARE)
    minus = "TransUNet minus U-Net"
    rows = [
        ("Table 1", "TransUNet keeps the raters' disagreement better than U-Net: lower Brier score",
         "Results, Discussion, Conclusion", f"Brier score, {minus}", "brier", "below",
         _models("Table 1", "brier", PLAIN)),
        ("Table 1", "Training on random raters gives a lower Brier score than the majority vote",
         "Results, Discussion", "Brier score, random minus majority", "brier", "below",
         _between("Table 1", "brier", *random)),
        ("Table 2", "TransUNet's epistemic uncertainty finds errors better than U-Net's",
         "Results, Discussion", f"AUC-PR, {minus}", "precision", "above",
         _models("Table 2", "precision", SOURCES)),
        ("Table 2", "Random sampling, test-time dropout and ensemble find errors similarly well",
         "Results, Discussion", "difference of AUC-PR", "precision", "near zero", similar,
         _widest(similar)),
        ("Table 3", "Disagreement rises with epistemic uncertainty",
         "Discussion, Conclusion", "Pearson's r", "correlation", "above",
         _each("Table 3", "correlation", SOURCES)),
        ("Table 3", "Disagreement goes with epistemic more than with aleatoric uncertainty",
         "Results, Discussion, Conclusion", "Pearson's r, epistemic minus aleatoric",
         "correlation", "above", stronger),
        ("Table 3", "The lead of epistemic over aleatoric uncertainty is larger for TransUNet",
         "Results", f"Pearson's r, epistemic minus aleatoric, {minus}", "correlation", "above",
         strongest),
        ("Table 3", "Disagreement follows epistemic uncertainty more in TransUNet than in U-Net",
         "Discussion, Conclusion", f"Pearson's r, {minus}", "correlation", "above",
         _models("Table 3", "correlation", SOURCES)),
        ("Table 3", "Training on random raters ties epistemic uncertainty closer to disagreement",
         "Results, Discussion", "Pearson's r, random minus majority", "correlation", "above",
         _between("Table 3", "correlation", *dropped)),
        ("Table 3", "Aleatoric uncertainty has no correlation with disagreement to speak of",
         "Discussion, Conclusion", "Pearson's r", "correlation", "near zero", aleatoric,
         _widest(aleatoric)),
        ("Table 4", "TransUNet outlines better than U-Net: higher Dice",
         "Results, Table 4", f"Dice over all structures, {minus}", "dice", "above",
         _models("Table 4", "dice", SOURCES)),
        ("Table 5", "Epistemic uncertainty explains about 35 % of the disagreement with TransUNet",
         "Results", "R² of GT entropy", "epistemic", "about", large, _span(large)),
        ("Table 5", "Epistemic uncertainty explains about 12 % of the disagreement with U-Net",
         "Results", "R² of GT entropy", "epistemic", "about", little, _span(little)),
        ("Table 5", "Epistemic uncertainty explains more with TransUNet than with U-Net",
         "Results", f"R² of GT entropy, {minus}", "epistemic", "above",
         _models("Table 5", "epistemic", SOURCES)),
        ("Table 5", "Epistemic uncertainty explains more of the disagreement than aleatoric",
         "Results, Discussion", "R² of GT entropy, epistemic minus aleatoric",
         "epistemic_over_aleatoric", "above",
         _each("Table 5", "epistemic_over_aleatoric", SOURCES)),
        ("Table 5", "Aleatoric uncertainty explains a very small portion of the disagreement",
         "Results, Discussion", "R² of GT entropy", "aleatoric", "about",
         _each("Table 5", "aleatoric", SOURCES[:2]), small),
        ("Table 5", "Aleatoric uncertainty adds very little to what epistemic explains",
         "Discussion, Table 5", "R² of both minus R² of epistemic", "unique_aleatoric", "about",
         _each("Table 5", "unique_aleatoric", SOURCES), small),
        ("Figure 2", "Prediction entropy follows GT entropy more closely for TransUNet than U-Net",
         "Results, Discussion", f"Pearson's r, {minus}", "correlation", "above",
         _models("Figure 2", "correlation", PLAIN)),
        ("Figure 2", "TransUNet's prediction entropy is lower than U-Net's",
         "Conclusion", f"mean entropy, {minus}", "entropy", "below",
         _models("Figure 2", "entropy", PLAIN)),
        ("Figure 2", "Training on random raters gives a higher prediction entropy",
         "Discussion", "mean entropy, random minus majority", "entropy", "above",
         _between("Figure 2", "entropy", *random)),
        ("Figure 2", "TransUNet's epistemic uncertainty is lower than U-Net's",
         "Results, Discussion, Conclusion", f"mean entropy, {minus}", "entropy", "below",
         _models("Figure 2", "entropy", SOURCES)),
        ("Figure 2", "TransUNet's epistemic uncertainty has a tighter distribution than U-Net's",
         "Discussion", f"standard deviation of entropy over images, {minus}", "entropy_sd",
         "below", _models("Figure 2", "entropy_sd", SOURCES)),
        ("Figure 2", "Training on random raters gives a higher epistemic uncertainty",
         "Discussion, Conclusion", "mean entropy, random minus majority", "entropy", "above",
         _between("Figure 2", "entropy", *dropped)),
    ]  # fmt: skip
    noise = Claim(
        "Discussion",
        "Aleatoric uncertainty goes with disagreement only where images differ in noise",
        "Discussion, as a hypothesis",
        "Pearson's r at several levels of image noise",
        "",
        "above",
        (),
        needs="judged in chapter 12, where the noise of an image can be set",
    )
    return (*(Claim(*row) for row in rows), noise)


#: Every claim that the paper reads from its tables and figures, in their order.
CLAIMS = _claims()
