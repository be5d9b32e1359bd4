"""Slices, predictions and uncertainties as the views that figures draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from paraspine import fusion
from paraspine.figures import View
from paraspine.measures.frames import samples_of, uncertainties

__all__ = ["compared_views", "map_limits", "name_of", "stored_maps", "views"]

NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}
#: Ways of sampling, as the explorer lists them.
METHODS = {
    "single": "one pass",
    "dropout": "dropout (epistemic)",
    "ensemble": "ensemble (epistemic)",
    "tta": "augmentation (aleatoric)",
}


def views(data, shown: Iterable[int], moments=None) -> list[View]:
    """Views of some slices, with predictions and uncertainty maps where there are samples.

    Parameters
    ----------
    data : slices.Slices
        The images and raters.
    shown : iterable of int
        Which of them.
    moments : sampling.SampleMoments, optional
        Samples of the same images.

    Returns
    -------
    list of figures.View
        With the GT entropy (left out with fewer than two raters) and the uncertainty maps.
    """
    found = []
    for item in shown:
        rated = data.rated[item]
        panels, prediction = {}, None
        if moments is not None:
            panels = _gt_entropy(data, item)
            mean = moments.mean[item]
            prediction = np.nan_to_num(mean).argmax(axis=0)
            scores = uncertainties(mean, moments.expected_entropy[item], samples_of(moments))
            panels |= {NAMES[k]: v for k, v in scores.items() if not np.isnan(v).all()}
        found.append(
            View(
                image=data.images[item, 0],
                title=name_of(data, item),
                labels=data.labels[item] if rated.any() else None,
                rated=rated if rated.any() else None,
                prediction=prediction,
                maps=panels,
            )
        )
    return found


def stored_maps(data, shown: Iterable[int], moments) -> dict[str, np.ndarray]:
    """Predictions and uncertainties of some slices as arrays for an ``.npz`` file.

    Parameters
    ----------
    data : slices.Slices
        The images.
    shown : iterable of int
        Which of them to keep; so is the middle slice of every other level of their subjects.
    moments : sampling.SampleMoments
        Samples of the same images.

    Returns
    -------
    dict of str to numpy.ndarray
        ``keys`` (N,) of the slices, ``prediction`` (N, H, W) and ``entropy``,
        ``expected_entropy``, ``mutual_information`` (N, H, W) in nats, float16.
    """
    shown = _with_levels(data, shown)
    kept = {name: [] for name in NAMES}
    for item in shown:
        scores = uncertainties(
            moments.mean[item], moments.expected_entropy[item], samples_of(moments)
        )
        for name, values in scores.items():
            kept[name].append(values.astype(np.float16))
    size = moments.mean.shape[2:]
    prediction = np.nan_to_num(moments.mean[shown]).argmax(axis=1).astype(np.uint8)
    maps = {n: np.reshape(v, (-1, *size)).astype(np.float16) for n, v in kept.items()}
    return {"keys": data.keys[shown], "prediction": prediction, **maps}


def _with_levels(data, shown: Iterable[int]) -> list[int]:
    """Slices, and the middle one of every level that they lack of their subjects."""
    table = data.table.reset_index(drop=True)
    kept = [int(item) for item in shown]
    if "level" not in table:
        return sorted(kept)
    there = set(zip(table["subject"][kept], table["level"][kept], strict=True))
    own = table[table["subject"].isin(table["subject"][kept]) & table["level"].notna()]
    for pair, rows in own.groupby(["subject", "level"], sort=False, observed=True):
        if pair not in there:
            kept.append(int(rows.index[len(rows) // 2]))
    return sorted(kept)


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


def _gt_entropy(data, item: int) -> dict[str, np.ndarray]:
    labels = data.labels[item][data.rated[item]]
    if len(labels) < 2:
        return {}
    return {"GT entropy": fusion.ground_truth_entropy(labels, data.classes.num_classes)}


def name_of(data, item: int) -> str:
    """Subject and level of a slice, or its place in the volume."""
    row = data.table.iloc[item]
    where = row["level"] if "level" in row and isinstance(row["level"], str) else ""
    several = (data.table["image"] == row["image"]).sum() > 1
    parts = [str(row["subject"]), where, f"slice {row['slice']}" if several else ""]
    return ", ".join(p for p in parts if p)


def map_limits(views: Iterable[View]) -> dict[str, float]:
    """Upper ends of the scales of maps that are too small for the scale of entropies (nats).

    Mutual information gets the largest value in any view; 0 everywhere leaves the common scale.
    """
    name = NAMES["mutual_information"]
    highest = [float(np.nanmax(v.maps[name])) for v in views if name in v.maps]
    return {name: max(highest)} if highest and max(highest) > 0 else {}
