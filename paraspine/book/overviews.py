"""The pages 'Trainings' and 'Samples': one sortable table each instead of a page a run."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from paraspine.evidence.conditions import method_label, network_label, target_label

from .provenance import Page
from .tables import html_table

__all__ = ["ASIDE", "aside_kind", "run_name", "samples_page", "trainings_page", "unique_names"]

#: Notebooks whose runs are one page with a table, and that page's name.
ASIDE = {"03_train": "trainings", "04_sample": "samples"}
_WIDTH, _HEIGHT = 160, 90


def aside_kind(notebook: str) -> str | None:
    """Name of the page that lists a notebook's runs; None where each is a chapter."""
    return ASIDE.get(notebook)


def run_name(parameters: Mapping, record: Mapping | None = None) -> str:
    """A training or sampling in plain words; empty where its parameters name no network.

    Parameters
    ----------
    parameters : mapping
        Of ``03_train`` or ``04_sample``.
    record : mapping, optional
        ``sampling.json`` of an ensemble's run.
    """
    if "model" not in parameters:
        return ""
    network = network_label(str(parameters["model"]))
    if str(parameters.get("activation")).startswith("normalised_relu"):
        network += " (SoftSeg)"
    words = [network]
    if "fusion" in parameters:
        words.append(target_label(str(parameters["fusion"])))
    if parameters.get("method"):
        words.append(method_label(parameters["method"], record))
    if parameters.get("split_by") == "slice":
        words.append("split by slice")
    if parameters.get("test_center"):
        words.append(f"tested on {parameters['test_center']}")
    elif parameters.get("split_seed"):
        words.append(f"split {int(parameters['split_seed']) + 1}")
    if "seed" in parameters and parameters.get("method") != "ensemble":
        words.append(f"seed {parameters['seed']}")
    return ", ".join(words)


def unique_names(names: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The names, with the run's folder where two are the same."""
    times = Counter(names)
    return [
        f"{name} ({folder})" if times[name] > 1 else name
        for name, folder in zip(names, folders, strict=True)
    ]


def _link(page: Page) -> str:
    return f'<a href="executed/{page.name}.html">{html.escape(page.title)}</a>'


def _cell(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _minutes(page: Page) -> float:
    noted = page.provenance.get("durations") or {}
    return float(noted.get("total_seconds", math.nan)) / 60


def trainings_page(pages: Sequence[Page], source: str = "") -> str:
    """Return the page of all trainings as MyST markdown: a table, and each one's curve.

    Parameters
    ----------
    pages : sequence of Page
        Runs of ``03_train``.
    source : str
        Of the data, for the caption.
    """
    rows, panels, dice, minutes = [], [], [], []
    for page in pages:
        history = _frame(page, "history.parquet")
        size = page.parameters.get("max_size", "")
        best = curve = None
        if history is not None and "validation_dice" in history:
            curve = history["validation_dice"].astype(float)
            best = int(history["validation_loss"].idxmin())
            dice.append(float(curve.max()))
            panels.append(_panel(page, curve.tolist(), best))
        minutes.append(_minutes(page))
        rows.append(
            (
                _link(page),
                html.escape(str(size)),
                _cell(float(curve.max()), 3) if curve is not None else "–",
                str(best + 1) if best is not None else "–",
                str(len(curve)) if curve is not None else "–",
                _cell(minutes[-1], 1),
            )
        )
    total = sum(m for m in minutes if math.isfinite(m))
    said = f"{len(pages)} trainings, {total:.0f} minutes one after another."
    if dice:
        said += f" The best validation Dice of each lies between {min(dice):.2f} and "
        said += f"{max(dice):.2f}."
    header = ("training", "pixels", "Dice", "best epoch", "epochs", "minutes")
    caption = "Trainings. Dice is the highest on the validation images, over all structures."
    lines = [
        *("# Trainings", "", said, ""),
        "Each name leads to the training's own page: network, images, settings and losses. A "
        "training that is killed goes on where it stopped, to the same bytes. Click on a head to "
        "sort.",
        "",
        html_table(
            rows, header, caption=_sourced(caption, source), numeric=range(1, 6), sortable=True
        ),
    ]
    if panels:
        lines += [
            *("", "## Training curves", ""),
            "Validation Dice by epoch, from 0 to 1; the dot is the epoch that was kept (lowest "
            "validation loss).",
            "",
            f'```{{raw}} html\n<div class="paraspine-panels">\n{"".join(panels)}</div>\n```',
        ]
    return "\n".join(lines) + "\n"


def samples_page(pages: Sequence[Page], source: str = "") -> str:
    """Return the page of all samplings as MyST markdown: what each network gives in each way.

    Parameters
    ----------
    pages : sequence of Page
        Runs of ``04_sample``.
    source : str
        Of the data, for the caption.
    """
    rows = []
    for page in pages:
        frame = _frame(page, "measures.parquet")
        record = _record(page, "sampling.json")
        means = {}
        if frame is not None:
            means = frame.groupby("measure")["value"].mean().to_dict()
        rows.append(
            (
                _link(page),
                str(record.get("passes", "–")),
                _cell(float(means.get("dice", math.nan)), 3),
                _cell(float(means.get("entropy", math.nan)), 4),
                _cell(_minutes(page), 1),
            )
        )
    header = ("network and method", "passes", "Dice", "predictive entropy", "minutes")
    caption = (
        "Samples of the test images. Dice against the majority vote, mean over structures and "
        "images; entropy in nats, mean over voxels."
    )
    lines = [
        *("# Samples", ""),
        f"{len(pages)} ways in which the trained networks saw the test images: in one pass, in "
        "several with dropout or with changed images, or as an ensemble. The chapters compare "
        "them; each name leads to its own page. Click on a head to sort.",
        "",
        html_table(
            rows, header, caption=_sourced(caption, source), numeric=range(1, 5), sortable=True
        ),
    ]
    return "\n".join(lines) + "\n"


def _sourced(caption: str, source: str) -> str:
    return f'{caption} <span class="source">({html.escape(source)})</span>' if source else caption


def _frame(page: Page, name: str) -> pd.DataFrame | None:
    if page.run is None or name not in page.run.checksums:
        return None
    return page.run.read_frame(name)


def _record(page: Page, name: str) -> dict:
    if page.run is None or name not in page.run.checksums:
        return {}
    return page.run.read_json(name)


def _panel(page: Page, values: Sequence[float], best: int) -> str:
    """One training's curve as a small picture with its name below."""
    last = max(len(values) - 1, 1)
    points = [
        (6 + (_WIDTH - 12) * i / last, 6 + (_HEIGHT - 12) * (1 - v))
        for i, v in enumerate(values)
        if math.isfinite(v)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dot = ""
    if math.isfinite(values[best]):
        x, y = 6 + (_WIDTH - 12) * best / last, 6 + (_HEIGHT - 12) * (1 - values[best])
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    label = f"{page.title}: Dice {values[best]:.3f} at epoch {best + 1} of {len(values)}"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}">'
        f'<path class="frame" d="M6 6V{_HEIGHT - 6}H{_WIDTH - 6}"/>'
        f'<polyline points="{line}"/>{dot}</svg>'
        f"<figcaption>{_link(page)}</figcaption></figure>\n"
    )
