"""Views for the figures: points of images, and slices with their maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from paraspine.evidence.conditions import (
    method_label,
    network_label,
    target_label,
    wide,
)
from paraspine.evidence.show import estimate
from paraspine.evidence.views import _gt_entropy, name_of, views
from paraspine.figures import View
from paraspine.sampling.registry import METHODS

#: Words for the kind of uncertainty that a method samples.
KINDS = {"epistemic": " (epistemic)", "aleatoric": " (aleatoric)", "total": ""}
#: Which method the first figure shows, of those there are.
ORDER = ("dropout", "ensemble", "single", "tta")
#: How `scatter_frame` is drawn: which columns, and their titles.
SCATTER = {
    "x": "gt_entropy",
    "y": "entropy",
    "panel": "panel",
    "group": "who",
    "x_title": "GT entropy (nats)",
    "y_title": "entropy (nats)",
}


def scatter_frame(
    frame: pd.DataFrame, correlations: pd.DataFrame, method: str = ""
) -> pd.DataFrame:
    """Images of each network under one uncertainty method, r above and one subject marked.

    ``panel`` names the network with its r; ``who`` is the subject that moves r most, or the others.
    Without `method` an epistemic one is taken where there is one.
    """
    images = wide(frame)
    if "gt_entropy" not in images:
        images = images.assign(gt_entropy=np.nan)
    there = set(images["method"])
    method = method or next(name for name in ORDER if name in there)
    images = images[images["method"] == method]
    known = correlations[(correlations["kind"] == "pearson") & (correlations["score"] == "entropy")]
    found = known[["condition", "r", "low", "high", "moved_by"]].merge(images, on="condition")
    names = found["model"].map(network_label) + ", " + found["fusion"].map(target_label)
    if found["seed"].nunique() > 1:
        names += ", seed " + found["seed"].astype(str)
    r = [f"{estimate(row):.2f brackets}" for row in found.to_dict("records")]
    marked = found["subject"] == found["moved_by"]
    return found.assign(
        panel=names + "<br>r = " + pd.Series(r, index=found.index, dtype=object),
        who=np.where(marked, found["moved_by"] + " (moves r most)", "other subjects"),
    )


def compared_views(data, sampled: Iterable) -> list[View]:
    """The same slices through several networks: one view a slice, network and uncertainty method.

    Each has the prediction of that method, GT entropy, as ``epistemic`` the predictive entropy of
    the method (its title says where it is another kind) and as ``aleatoric`` that of test-time
    augmentation of the same network. Notes say what there is no map of.
    """
    networks = {
        key: {m: run.read_arrays("maps.npz") for m, run in _in_order(methods).items()}
        for key, methods in _networks(sampled).items()
    }
    place = {key: item for item, key in enumerate(data.keys)}
    several_seeds = len({seed for _, _, seed in networks}) > 1
    kept = {key for methods in networks.values() for a in methods.values() for key in a["keys"]}
    found = []
    for item, where in _levels(data, sorted(place[key] for key in kept)).items():
        (view,) = views(data, [item])
        truth = _gt_entropy(data, item)
        unknown = {} if truth else {"GT entropy": "GT entropy: fewer than two raters."}
        subject = str(data.table.iloc[item]["subject"])
        for (model, fused, seed), methods in networks.items():
            network = f"{network_label(model)}, {target_label(fused)}"
            network += f", seed {seed}" if several_seeds else ""
            there = {
                method: (arrays["prediction"][number], arrays["entropy"][number])
                for method, arrays in methods.items()
                for number in np.flatnonzero(arrays["keys"] == data.keys[item])[:1]
            }
            for method in there:
                maps, titles, notes = _sampled_panels(method, there)
                way = method_label(method) + KINDS[METHODS[method].kind]
                found.append(
                    replace(
                        view,
                        title=f"{view.title} · {network} · {way}",
                        prediction=there[method][0],
                        maps=truth | maps,
                        titles=titles,
                        notes=unknown | notes,
                        choices={
                            "subject": subject, "level": where, "network": network, "method": way
                        },
                    )
                )  # fmt: skip
    return found


#: Maps of a slice on the first page: disagreement and uncertainty.
MAPS = ("GT entropy", "epistemic")


def first_page(points: pd.DataFrame, found: list[View]) -> dict:
    """The first network's points and its slice with most disagreement; empty without both."""
    first = points[points["condition"] == points["condition"].iloc[0]] if len(points) else points
    subjects = set(first["subject"].astype(str))
    whole = [v for v in found if set(MAPS) <= set(v.maps) and v.choices["subject"] in subjects]
    if not whole:
        return {}
    most = max(whole, key=lambda view: view.maps["GT entropy"].mean())
    title = f"Uncertain where raters disagree? {most.choices['network']}"
    return {"points": first, "view": most, "maps": MAPS, "title": title}


def _sampled_panels(method: str, there: dict) -> tuple[dict, dict, dict]:
    """Maps, titles and notes of a way of sampling, given predictions and entropies of all ways."""
    way = method_label(method)
    titles = {"prediction": f"prediction: {way}"}
    maps, notes = {}, {}
    if METHODS[method].kind == "aleatoric":
        notes["epistemic"] = "Epistemic: choose a method that samples networks, such as dropout."
    else:
        kind = "epistemic" if METHODS[method].kind == "epistemic" else "entropy"
        titles["epistemic"] = f"{kind}: {way}"
        maps["epistemic"] = there[method][1].astype(np.float32)
    if "tta" in there:
        titles["aleatoric"] = f"aleatoric: {method_label('tta')}"
        maps["aleatoric"] = there["tta"][1].astype(np.float32)
    else:
        notes["aleatoric"] = "Aleatoric: this network was not sampled by augmentation."
    return maps, titles, notes


def _levels(data, items: Iterable[int]) -> dict[int, str]:
    """What tells each slice from the others of its subject: level, place, or its key."""
    subjects = {item: str(data.table["subject"].iloc[item]) for item in items}
    names = {
        item: name_of(data, item).removeprefix(subject).removeprefix(", ") or "the only one"
        for item, subject in subjects.items()
    }
    count = Counter((subjects[item], name) for item, name in names.items())
    return {
        item: name if count[subjects[item], name] == 1 else f"{name} ({data.keys[item]})"
        for item, name in names.items()
    }


def _in_order(methods: dict) -> dict:
    """Runs of one network, the epistemic ones first."""
    return dict(sorted(methods.items(), key=lambda m: [*ORDER, m[0]].index(m[0])))


def _networks(sampled: Iterable) -> dict[tuple, dict]:
    """Runs by network (architecture, training target, seed) and way of sampling."""
    networks: dict[tuple, dict] = {}
    for run in sampled:
        chosen = run.parameters
        key = (chosen["model"], chosen["fusion"], chosen["seed"])
        networks.setdefault(key, {})[chosen["method"]] = run
    return networks
