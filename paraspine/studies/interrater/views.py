"""Slices, predictions and uncertainties as the views that figures draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from paraspine.evidence.views import _gt_entropy, name_of, views
from paraspine.figures import View

__all__ = ["compared_views"]

#: Ways of sampling, as the explorer lists them.
METHODS = {
    "single": "one pass",
    "dropout": "dropout (epistemic)",
    "ensemble": "ensemble (epistemic)",
    "tta": "augmentation (aleatoric)",
}


def compared_views(data, sampled: Iterable) -> list[View]:
    """The same slices through several networks: epistemic beside aleatoric uncertainty.

    Parameters
    ----------
    data : slices.Slices
        The images that were sampled.
    sampled : iterable of runs.Run
        Runs of ``04_sample``, with their ``maps.npz``.

    Returns
    -------
    list of figures.View
        One per slice, network (architecture, training target, seed) and way of sampling, which are
        its `choices`, ordered by slice: the prediction of that way; the GT entropy (with two raters
        or more); as ``epistemic`` the predictive entropy of that way, of dropout or the ensemble,
        or of one pass, whose title says so; as ``aleatoric`` that of test-time augmentation of the
        same network. Notes say what there is no map of.
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
            network = f"{model}, {fused}" + (f", seed {seed}" if several_seeds else "")
            there = {
                method: (arrays["prediction"][number], arrays["entropy"][number])
                for method, arrays in methods.items()
                for number in np.flatnonzero(arrays["keys"] == data.keys[item])[:1]
            }
            for method in there:
                maps, titles, notes = _sampled_panels(method, there)
                way = METHODS.get(method, method)
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


def _sampled_panels(method: str, there: dict) -> tuple[dict, dict, dict]:
    """Maps, titles and notes of a way of sampling, given predictions and entropies of all ways."""
    way = METHODS.get(method, method).split(" (")[0]
    titles = {"prediction": f"prediction: {way}"}
    maps, notes = {}, {}
    if method == "tta":
        notes["epistemic"] = "Epistemic: choose a method that samples networks, such as dropout."
    else:
        kind = "entropy" if method == "single" else "epistemic"
        titles["epistemic"] = f"{kind}: {way}"
        maps["epistemic"] = there[method][1].astype(np.float32)
    if "tta" in there:
        titles["aleatoric"] = "aleatoric: augmentation"
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
    order = ["dropout", "ensemble", "single", "tta"]
    return dict(sorted(methods.items(), key=lambda m: [*order, m[0]].index(m[0])))


def _networks(sampled: Iterable) -> dict[tuple, dict]:
    """Runs by network (architecture, training target, seed) and way of sampling."""
    networks: dict[tuple, dict] = {}
    for run in sampled:
        chosen = run.parameters
        key = (chosen["model"], chosen["fusion"], chosen["seed"])
        networks.setdefault(key, {})[chosen["method"]] = run
    return networks
