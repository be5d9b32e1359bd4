"""What a set of samples was made of: how many passes, of which trainings."""

from __future__ import annotations

from collections.abc import Sequence

from paraspine import text

__all__ = ["ensemble_name", "ensemble_words", "sampling_record", "sampling_sentence"]

#: Parameters that say which images a training sees.
SPLIT = ("split_by", "train_fraction", "validation_fraction", "split_seed", "test_center")
#: What an ensemble's members are called by its kind, and what makes them differ.
MEMBERS = {
    "independent seeds": ("seed", "with independent seeds"),
    "folds": ("fold", "on another fold each"),
}


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


def sampling_sentence(record: dict) -> str:
    """Say what samples were made of."""
    how = {
        "single": "One pass, without dropout",
        "dropout": f"{text.count(record['passes'], 'pass', 'passes')} with other dropout each",
        "tta": f"{text.count(record['passes'], 'pass', 'passes')} of moved and changed images",
    }
    if record["method"] != "ensemble":
        return f"{how.get(record['method'], record['method'])}."
    members = ", ".join(map(str, record["members"]))
    return (
        f"One pass of each of {text.count(record['passes'], 'network')}. Kind of the ensemble: "
        f"{record['kind']} (seeds {members})."
    )


def ensemble_name(record: dict) -> str:
    """What tables call an ensemble: its kind and size."""
    member, _ = MEMBERS.get(record["kind"], ("training", ""))
    return f"ensemble of {text.count(record['passes'], member)}"


def ensemble_words(records: Sequence[dict]) -> str:
    """Size and kind of several ensembles, in a few words."""
    found = {}
    for record in records:
        _, words = MEMBERS.get(record["kind"], ("", record["kind"].removeprefix("trainings ")))
        found.setdefault(words, set()).add(record["passes"])
    return text.listing(
        f"ensembles of {text.listing(sorted(sizes), 'or')} trainings {words}"
        for words, sizes in found.items()
    )
