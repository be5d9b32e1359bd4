"""Training of two tasks: what enters the loss, what is refused, what is learned."""

import numpy as np
import pytest
import torch

from paraspine import models, training
from paraspine.arrays import ImageError, RunError, SettingsError, ShapeError


def fit(tiny, run, data, **options):
    settings = tiny.settings(**{"loss": "multitask"} | options)
    network = tiny.network(kind=tiny.TwoTasks)
    return network, training.fit(network, data, settings, run)


def test_both_tasks_are_learned(tiny, new_run):
    data = tiny.data(variance=True, images=20)
    options = {"epochs": 30, "augmentation": None, "checkpoint_every": 0}
    network, history = fit(tiny, new_run(), data, **options)
    frame = history.frame
    zero = float(np.square(data.validation_variance).mean())  # of a map that is 0 everywhere
    assert frame["validation_variance_mse"].iloc[0] > zero
    assert frame["validation_variance_mse"].iloc[-1] < 0.7 * zero
    assert frame["validation_dice"].iloc[-1] > 0.75
    assert frame["validation_loss"].iloc[-1] < frame["validation_loss"].iloc[0]
    with torch.no_grad():
        found = network.outputs(torch.as_tensor(data.validation_images))["variance"]
    error = float(np.square(found.numpy() - data.validation_variance).mean())
    kept = frame["validation_variance_mse"][history.best_epoch - 1]
    assert error == pytest.approx(kept, rel=1e-4)


def test_a_single_task_training_knows_nothing_of_it(tiny, new_run):
    settings = tiny.settings()
    history = training.fit(tiny.network(), tiny.data(), settings, new_run("plain"))
    beside = training.fit(tiny.network(), tiny.data(variance=True), settings, new_run("beside"))
    pd_columns = [c for c in history.frame if c != "seconds"]
    assert history.frame[pd_columns].equals(beside.frame[pd_columns])
    assert "validation_variance_mse" not in history.frame


def test_images_with_an_unknown_map_train_the_segmentation(tiny, new_run):
    data = tiny.data(variance=True)
    data.train_variance[::2] = np.nan
    data.validation_variance[0] = np.nan
    _, history = fit(tiny, new_run("some"), data)
    assert np.isfinite(history.frame.to_numpy(dtype=float)).all()
    data.validation_variance[:] = np.nan  # nothing to measure, but enough to learn from
    _, history = fit(tiny, new_run("unmeasured"), data)
    assert history.frame["validation_variance_mse"].isna().all()
    assert history.frame["validation_loss"].notna().all()
    data.train_variance[:] = np.nan
    with pytest.raises(ImageError, match="train variance: not known in any image"):
        fit(tiny, new_run("none"), data)


def test_mirrored_maps_change_their_class(tiny, new_run, monkeypatch):
    """What the loss gets of a mirrored image is the mirrored map of the other side's class."""
    from paraspine.augmentation import Augmentation
    from paraspine.training.loop import Loop

    data = tiny.data(variance=True)
    data.train_targets = np.array(data.train_targets(0))  # the same in every epoch
    seen = []
    compare = Loop.compare

    def watched(self, outputs, target, maps):
        if self.model.training:
            seen.append((target.clone(), maps.clone()))
        return compare(self, outputs, target, maps)

    monkeypatch.setattr(Loop, "compare", watched)
    mirrored = Augmentation(0, 0, mirror=1.0, noise=0.1, smoothing=1.0)
    options = {"epochs": 1, "batch_size": 7, "augmentation": mirrored}
    fit(tiny, new_run(), data, **options)
    ((targets, maps),) = seen
    expected = {
        data.train_targets[i].tobytes(): data.train_variance[i]
        for i in range(len(data.train_images))
    }
    swap = torch.tensor([0, 2, 1], dtype=targets.dtype)
    for target, found in zip(targets, maps, strict=True):
        back = swap[target.flip(-1).long()].numpy().astype(data.train_targets.dtype)
        wanted = torch.as_tensor(expected[back.tobytes()])
        torch.testing.assert_close(found[[1, 0]].flip(-1), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"train_variance": None}, SettingsError, "train variance: the loss compares variance"),
        ({"validation_variance": None}, SettingsError, "validation variance: the loss compares"),
        ({"train_variance": np.zeros((7, 3, 16, 16), "f4")}, ShapeError, r"\(7, 2, 16, 16\)"),
        ({"train_variance": np.zeros((7, 2, 16, 16), "i4")}, ShapeError, "floats"),
        ({"train_variance": np.full((7, 2, 16, 16), -1.0)}, ImageError, "at least 0"),
        ({"train_variance": np.full((7, 2, 16, 16), np.inf)}, ImageError, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(tiny, new_run, change, error, message):
    data = tiny.data(variance=True)
    for name, value in change.items():
        setattr(data, name, value)
    with pytest.raises(error, match=message):
        fit(tiny, new_run(), data)


def test_a_map_that_is_unknown_in_parts_is_refused(tiny, new_run):
    data = tiny.data(variance=True)
    data.train_variance[2, 0, 3, 3] = np.nan
    with pytest.raises(ImageError, match="train variance: image 2 is NaN in parts"):
        fit(tiny, new_run(), data)


def test_a_network_without_the_task_is_refused(tiny, new_run):
    settings = tiny.settings(loss="multitask")
    for network in (tiny.network(), models.build("unet", 1, 3, widths=[2, 3])):
        with pytest.raises(SettingsError, match="'multitask' compares segmentation and variance"):
            training.fit(network, tiny.data(variance=True), settings, new_run())


@pytest.mark.parametrize("side", ["train", "validation"])
def test_other_variance_maps_are_another_training(tiny, new_run, side):
    run = new_run()
    fit(tiny, run, tiny.data(variance=True), epochs=1)
    data = tiny.data(variance=True)
    getattr(data, f"{side}_variance")[0] *= 1.5
    with pytest.raises(RunError, match=f"training: {side} variance was"):
        fit(tiny, run, data, epochs=1)


def test_the_projects_networks_train(tiny, new_run):
    data = tiny.data(variance=True)
    for name in ("mse", "l1_cropped"):
        network = models.build("multitask_unet", 1, 3, widths=[3, 4])
        settings = tiny.settings(loss="multitask", loss_options={"variance_loss": name}, epochs=2)
        history = training.fit(network, data, settings, new_run(name))
        assert history.frame["train_loss"].iloc[1] < history.frame["train_loss"].iloc[0]
        again = models.load(new_run(name).folder / "model.safetensors")
        assert again.settings["name"] == "multitask_unet"


def test_the_loss_suits_the_tasks():
    one = training.loss_for(("segmentation",), dice_weight=0.4, ce_weight=1, variance_loss="l1")
    assert one == {"loss": "dice_ce", "loss_options": {"dice_weight": 0.4, "ce_weight": 1.0}}
    both = training.loss_for(("segmentation", "variance"), variance_loss="l1_cropped")
    assert both["loss"] == "multitask"
    assert both["loss_options"]["variance_loss"] == "l1_cropped"
    training.Settings(**both)
    with pytest.raises(SettingsError, match="variance_loss"):
        training.Settings(**training.loss_for(("segmentation", "variance"), variance_loss="l3"))
    for wrong in ({"loss": "dice"}, {"include_background": False}):
        with pytest.raises(SettingsError, match="two tasks is trained with the loss dice_ce"):
            training.loss_for(("segmentation", "variance"), **wrong)
    soft = training.loss_for(
        ("segmentation",), "adaptive_wing", activation="normalised_relu", ce_weight=1.0
    )
    assert soft == {"loss": "adaptive_wing", "loss_options": {"activation": "normalised_relu"}}
