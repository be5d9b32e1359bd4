"""Record how samples were drawn: passes and ensemble members."""

from __future__ import annotations

from collections.abc import Sequence

from paraspine import text

__all__ = ["sampling_record"]

#: Parameters that say which images a training sees.
SPLIT = ("split_by", "train_fraction", "validation_fraction", "split_seed", "test_center")


def sampling_record(trained: Sequence, method: str, samples: int) -> dict:
    """What samples were made of, as ``sampling.json`` keeps it.

    Parameters
    ----------
    trained : sequence of runs.Run
        The runs of ``03_train`` whose networks were sampled.
    method : str
        ``"single"``, ``"dropout"``, ``"tta"`` or ``"ensemble"``.
    samples : int
        Passes; an ensemble has one of each member, ``"single"`` one.

    Returns
    -------
    dict
        ``method``, ``passes`` and, of an ensemble, ``members`` (the seed of each) and ``kind``:
        ``"independent seeds"`` where the trainings differ in nothing else, ``"folds"`` where they
        saw other images, or what else they differ in.
    """
    passes = {"single": 1, "ensemble": len(trained)}.get(method, samples)
    record = {"method": method, "passes": passes}
    if method != "ensemble":
        return record
    parameters = [run.parameters for run in trained]
    names = list(dict.fromkeys(name for own in parameters for name in own))
    differing = [n for n in names if any(own.get(n) != parameters[0].get(n) for own in parameters)]
    if differing == ["seed"]:
        kind = "independent seeds"
    elif set(differing) & set(SPLIT):
        kind = "folds"
    else:
        kind = f"trainings that differ in {text.listing(differing) or 'nothing'}"
    return record | {"members": [own.get("seed") for own in parameters], "kind": kind}
