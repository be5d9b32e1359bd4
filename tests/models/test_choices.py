"""Options that fit, and networks that wait in their files."""

import pytest
import torch

from paraspine import models
from paraspine.arrays import ModelError, SettingsError


def test_a_network_takes_of_all_options_those_it_has():
    given = {"width": 8, "dropout": 0.1, "layers": 2, "encoder": "resnet34", "image_size": 32}
    assert models.known_options("unet", **given) == {"width": 8, "dropout": 0.1}
    assert models.known_options("transunet", **given) == given


def test_an_option_that_no_network_has_is_refused():
    with pytest.raises(SettingsError, match="no network has the option 'depht'"):
        models.known_options("unet", depht=3)


def test_a_loader_gives_the_network_when_it_is_called(tmp_path):
    network = models.build("unet", 1, 3, width=4)
    path = models.save(network, tmp_path / "model.safetensors")
    load = models.loader(path)
    images = torch.zeros(1, 1, 16, 16)
    torch.testing.assert_close(load()(images), network.eval()(images))


def test_a_loader_of_a_missing_file_says_so_at_once(tmp_path):
    with pytest.raises(ModelError, match="there is no such file; train the network first"):
        models.loader(tmp_path / "model.safetensors")
