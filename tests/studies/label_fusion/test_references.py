"""How much a reference favours those who were trained on it."""

import numpy as np
import pandas as pd
import pytest

from paraspine.arrays import SettingsError
from paraspine.studies.label_fusion import references

FEW = {"resamples": 200}


def study(gains, subjects=8, seed=0):
    """Dice against the majority, and more by `gains` (and a little noise) against STAPLE."""
    rng = np.random.default_rng(seed)
    parts = []
    for who, gain in gains.items():
        base = rng.uniform(0.6, 0.9, subjects)
        values = {"majority": base, "staple": base + gain + rng.normal(0, 0.002, subjects)}
        for reference, value in values.items():
            parts.append(
                pd.DataFrame(
                    {
                        "subject": [f"p{i}" for i in range(subjects)],
                        "image": "a.nii",
                        "slice": 0,
                        "class": "MF",
                        "measure": "dice",
                        "condition": who,
                        "reference": reference,
                        "value": value,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def test_gains_by_hand():
    frame = study({"s": 0.0, "m": 0.0}, subjects=2)
    values = {("s", "staple"): [0.9, 0.8], ("s", "majority"): [0.8, 0.6]}
    values |= {("m", "staple"): [0.7, 0.7], ("m", "majority"): [0.75, 0.65]}
    for (who, reference), value in values.items():
        frame.loc[(frame["condition"] == who) & (frame["reference"] == reference), "value"] = value
    table = references.reference_table(frame, "dice", ["s"], **FEW).set_index("condition")
    assert table["mean"].tolist() == pytest.approx([0.15, 0.0, 0.15])
    assert table.loc["s", ["value_first", "value_second"]].tolist() == pytest.approx([0.85, 0.7])
    assert table["trained"].tolist() == ["on staple", "otherwise", ""]
    assert table["n"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.05, "favours the candidates trained on STAPLE"),
        (-0.05, "puts the candidates trained on STAPLE at a disadvantage"),
        (0.0, "is not seen to favour anyone"),
    ],
)
def test_words_in_every_direction(gain, words):
    names = {"conventional-staple": gain, "softseg-staple": gain, "softseg-random": 0.0}
    frame = study(names, seed=3)
    table = references.reference_table(frame, "dice", list(names)[:2], **FEW)
    said = references.reference_sentence(table)
    assert f"The reference {words}: their Dice gains" in said
    assert said.startswith("Measured against STAPLE instead of the majority, Dice changes for conv")


def test_one_kind_of_training_and_undefined_values():
    frame = study({"softseg-random": 0.0})
    table = references.reference_table(frame, "dice", ["conventional-staple"], **FEW)
    assert "no one to favour" in references.reference_sentence(table)
    frame.loc[0, "value"], frame.loc[1, "value"] = np.nan, np.inf
    assert references.reference_table(frame, "dice", [], **FEW)["n"].tolist() == [6]
    nothing = references.reference_table(frame.assign(value=np.nan), "dice", [], **FEW)
    assert "nothing to compare" in references.reference_sentence(nothing)


def test_messages():
    frame = study({"a": 0.0})
    with pytest.raises(SettingsError, match="not measured against majority"):
        references.reference_table(frame[frame["reference"] == "staple"], "dice", [])
    with pytest.raises(SettingsError, match="no column 'reference'"):
        references.reference_table(frame.drop(columns="reference"), "dice", [])
    with pytest.raises(SettingsError, match="more than once"):
        references.reference_table(pd.concat([frame, frame]), "dice", [])
