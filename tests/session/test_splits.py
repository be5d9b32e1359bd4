"""Splits as the parameters of a run say; the seed decides."""

import types

import numpy as np
import pandas as pd
import pytest

from paraspine import manifest
from paraspine.arrays import ManifestError
from paraspine.session.splits import sides_of, slices_of

#: Twelve subjects with two slices each; the first three are of another centre.
TABLE = pd.DataFrame(
    {
        "subject": np.repeat([f"p{i:02d}" for i in range(12)], 2),
        "image": [f"{i}.nii.gz" for i in range(24)],
        "center": ["north"] * 6 + ["south"] * 18,
    }
)
WANTED = {"train_fraction": 0.5, "validation_fraction": 0.25, "split_by": "subject"}


@pytest.mark.parametrize("center", ["", "north"])
def test_another_seed_is_another_split(center):
    found = {
        seed: sides_of(TABLE, WANTED | {"split_seed": seed, "test_center": center})
        for seed in range(4)
    }
    assert len({tuple(sides) for sides in found.values()}) == 4
    for seed, sides in found.items():
        again = sides_of(TABLE, WANTED | {"split_seed": seed, "test_center": center})
        assert (sides == again).all()
        assert (sides[::2] == sides[1::2]).all()  # no subject on two sides
        counts = [int((sides == side).sum()) for side in ("train", "validation", "test")]
        assert counts == [12, 6, 6]
        if center:
            assert (sides[:6] == "test").all()


def test_a_split_is_the_manifests():
    sides = sides_of(TABLE, WANTED | {"split_seed": 3})
    own = manifest.split(TABLE, (0.5, 0.25, 0.25), by="subject", seed=3)
    assert (sides == own.to_numpy()).all()
    rest = TABLE[6:]
    held_out = sides_of(TABLE, WANTED | {"split_seed": 3, "test_center": "north"})
    own = manifest.split(rest, (2 / 3, 1 / 3, 0.0), by="subject", seed=3)
    assert (held_out[6:] == own.to_numpy()).all()


def test_slices_of_some_levels_alone(tmp_path, monkeypatch):
    table = pd.DataFrame({"level": ["L4-L5", "S1", None, "L4-L5"]})
    chosen = types.SimpleNamespace(table=table, select=lambda which: table[which])
    monkeypatch.setattr("paraspine.session.cache.load_slices", lambda *a, **k: chosen)
    cohort = types.SimpleNamespace(metadata={})
    wanted = {"max_size": 16, "denoise": False, "bias_correction": False}
    assert slices_of(tmp_path, cohort, wanted) is chosen
    assert slices_of(tmp_path, cohort, wanted | {"levels": []}) is chosen
    found = slices_of(tmp_path, cohort, wanted | {"levels": ["L4-L5"]})
    assert found.index.tolist() == [0, 3]
    with pytest.raises(ManifestError, match=r"no slice of L9; the manifest's .* has L4-L5, S1"):
        slices_of(tmp_path, cohort, wanted | {"levels": ["S1", "L9"]})
