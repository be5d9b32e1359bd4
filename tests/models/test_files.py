"""Networks in files."""

import json
import os

import pytest
import safetensors.torch
import torch

from paraspine import models
from paraspine.arrays import ModelError

SMALL = {"widths": [4, 6, 8]}


@pytest.fixture
def model():
    model = models.build("unet", 1, 3, seed=4, dropout=0.3, **SMALL)
    model(torch.rand(2, 1, 16, 16))  # moves the normalisation's statistics
    return model.eval()


def test_round_trip(model, tmp_path):
    path = models.save(model, tmp_path / "model.safetensors")
    again = models.load(path)
    assert not again.training
    assert again.settings == model.settings
    images = torch.rand(1, 1, 16, 20)
    assert torch.equal(model(images), again(images))
    assert all(p.requires_grad for p in again.parameters())
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_same_bytes_for_the_same_network_in_any_memory_format(model, tmp_path):
    first = models.save(model, tmp_path / "a").read_bytes()
    model.to(memory_format=torch.channels_last)
    assert models.save(model, tmp_path / "b").read_bytes() == first


def test_loading_leaves_the_global_state(model, tmp_path):
    path = models.save(model, tmp_path / "a")
    before = torch.get_rng_state()
    models.load(path)
    assert torch.equal(before, torch.get_rng_state())


def test_a_failed_write_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = models.save(model, tmp_path / "a")
    before = path.read_bytes()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr("paraspine.models.files.os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        models.save(models.build("unet", 1, 3, **SMALL), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a"]


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        models.load(tmp_path / "a")


def test_missing_folder(model, tmp_path):
    with pytest.raises(ModelError, match="folder does not exist"):
        models.save(model, tmp_path / "sub" / "a")


@pytest.mark.parametrize("keep", [0, 5, 500, -10])
def test_damaged_file(model, tmp_path, keep):
    path = models.save(model, tmp_path / "a")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="expected a safetensors file"):
        models.load(path)


def test_file_from_elsewhere(model, tmp_path):
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "a")
    with pytest.raises(ModelError, match="no network settings"):
        models.load(tmp_path / "a")


@pytest.mark.parametrize(
    "settings",
    [
        "{",
        "[]",
        json.dumps({"name": "other", "in_channels": 1, "num_classes": 2}),
        json.dumps({"name": "unet"}),
        json.dumps({"name": "unet", "in_channels": 1, "num_classes": 2, "old": 1}),
    ],
)
def test_settings_that_build_nothing(tmp_path, settings):
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "a", {"paraspine": settings})
    with pytest.raises(ModelError, match="settings in the file cannot be used"):
        models.load(tmp_path / "a")


@pytest.mark.parametrize("change", [{"num_classes": 4}, {"norm": "group"}])
def test_tensors_that_do_not_fit_the_settings(model, tmp_path, change):
    model.settings = model.settings | change
    with pytest.raises(ModelError, match="do not fit"):
        models.load(models.save(model, tmp_path / "a"))


def test_a_model_that_cannot_be_rebuilt(tmp_path):
    with pytest.raises(ModelError, match="without settings"):
        models.save(torch.nn.Linear(1, 1), tmp_path / "a")
