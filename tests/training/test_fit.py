import dataclasses
import math

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F

from paraspine import augmentation, losses, training
from paraspine.arrays import (
    ImageError,
    LabelError,
    ModelError,
    ProbabilityError,
    SettingsError,
    ShapeError,
)
from paraspine.augmentation import Augmentation
from paraspine.training.loop import Loop
from paraspine.training.validation import mean_dice, overlaps


def plain(tiny, **options):
    """Settings without anything random, one batch an epoch."""
    return tiny.settings(augmentation=None, batch_size=100, checkpoint_every=0, **options)


# ------------------------------------------------------------------ it learns


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_overfits_a_tiny_problem(tiny, new_run, precision):
    images, labels = tiny.problem(images=4)
    data = training.Data(images, labels[:, 0], images, labels[:, 0], num_classes=3)
    settings = tiny.settings(
        epochs=80, augmentation=None, checkpoint_every=0, batch_size=4, precision=precision,
        checkpoint_seconds=60.0,
    )  # fmt: skip
    model = tiny.network(dropout=0.0, width=12)
    history = training.fit(model, data, settings, new_run())
    assert history.frame.validation_dice.iloc[-1] > 0.9
    assert history.frame.train_loss.iloc[-1] < 0.25 * history.frame.train_loss.iloc[0]
    assert history.stopped == "epochs"
    with torch.no_grad():
        predicted = model(torch.as_tensor(images)).argmax(1).numpy()
    assert (predicted == labels[:, 0]).mean() > 0.98


KINDS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def torchs(parameters, kind, schedule, steps, decay):
    """An unfused optimizer of torch's and one of its schedulers."""
    moving = {"momentum": 0.9} if kind == "sgd" else {}
    optimizer = KINDS[kind](parameters, lr=0.02, weight_decay=decay, foreach=False, **moving)
    of = torch.optim.lr_scheduler
    if schedule == "onecycle":
        return optimizer, of.OneCycleLR(optimizer, 0.02, total_steps=steps)
    if schedule == "polynomial":
        return optimizer, of.PolynomialLR(optimizer, steps, power=0.9)
    return optimizer, of.CosineAnnealingLR(optimizer, steps)


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize(
    ("kind", "schedule", "clip", "decay"),
    [
        ("adamw", "onecycle", None, 0.5),
        ("adam", "cosine", None, 0.1),
        ("sgd", "polynomial", 0.5, 0.1),
        ("sgd", "onecycle", None, 0.1),
    ],
)
def test_equals_a_plain_loop(tiny, new_run, kind, schedule, clip, decay, interrupted):
    """An independent loop over the same batches of 3, 2 and 2 images, in contiguous memory.

    The fourth epoch's weights are the best of six.
    """
    data, epochs, fed = tiny.data(good=4), 6, []
    settings = tiny.settings(
        epochs=epochs, optimizer=kind, schedule=schedule, weight_decay=decay, clip=clip,
        loss="cross_entropy", augmentation=None, checkpoint_every=int(interrupted),
    )  # fmt: skip

    def watched():
        network = tiny.network(dropout=0.0).eval()  # in whichever mode it comes
        network.register_forward_pre_hook(lambda m, given: fed.extend(given[: m.training]))
        return network

    model, run = watched(), new_run()
    if interrupted:
        while True:
            with tiny.interrupted(KINDS[kind], after=4) as killed:
                model = watched()
                history = training.fit(model, data, settings, run)
            if not killed:
                break
            fed.pop()  # the batch that it died of comes again
    else:
        history = training.fit(model, data, settings, run)

    reference = tiny.network(dropout=0.0).train()
    optimizer, scheduler = torchs(reference.parameters(), kind, schedule, 3 * epochs, decay)
    images, validation = (torch.as_tensor(i) for i in (data.train_images, data.validation_images))
    rows, states = [], []
    for epoch in range(epochs):
        targets, total = torch.as_tensor(data.train_targets(epoch)).long(), 0.0
        for batch in fed[3 * epoch : 3 * epoch + 3]:
            optimizer.zero_grad()
            chosen = [int((images == image).flatten(1).all(1).nonzero()) for image in batch]
            loss = F.cross_entropy(reference(images[chosen]), targets[chosen])
            loss.backward()
            total += len(chosen) * loss.item()
            if clip is not None:
                norm = torch.sqrt(sum((p.grad**2).sum() for p in reference.parameters()))
                for p in reference.parameters():
                    p.grad *= min(1.0, clip / float(norm))
            rate = scheduler.get_last_lr()[0]
            optimizer.step()
            scheduler.step()
        reference.eval()
        with torch.no_grad():
            expected = torch.as_tensor(data.validation_targets(epoch)).long()
            loss = F.cross_entropy(reference(validation), expected).item()
            states.append(reference(validation))
        reference.train()
        rows.append((total / 7, loss, rate))
    assert len(fed) == 3 * epochs
    found = history.frame[["train_loss", "validation_loss", "learning_rate"]]
    np.testing.assert_allclose(found, rows, rtol=1e-4)
    assert history.best_epoch == 4 == 1 + np.argmin([loss for _, loss, _ in rows])
    with torch.no_grad():
        torch.testing.assert_close(model(validation), states[3], rtol=1e-4, atol=1e-4)


def test_channels_last_and_contiguous_agree(tiny, new_run):
    frames = []
    for order in (True, False):
        model = tiny.network(dropout=0.0)  # whose mask follows the memory order
        run = new_run(f"{order}")
        frames.append(
            training.fit(model, tiny.data(), tiny.settings(channels_last=order), run).frame
        )
        assert all(p.is_contiguous() for p in model.parameters())
    np.testing.assert_allclose(frames[0].train_loss, frames[1].train_loss, rtol=1e-4)


def test_bf16_stays_near_float32(tiny, new_run):
    frames = [
        training.fit(tiny.network(), tiny.data(), tiny.settings(precision=p), new_run(p)).frame
        for p in ("float32", "bf16")
    ]
    np.testing.assert_allclose(frames[0].train_loss, frames[1].train_loss, rtol=0.02)
    assert not np.array_equal(frames[0].train_loss, frames[1].train_loss)


# ------------------------------------------------------------------ batches and targets


@pytest.fixture
def batches(monkeypatch):
    """Record the targets of each training batch."""
    seen, build = [], losses.build

    def recording(name, **options):
        loss = build(name, **options)

        def recorded(logits, target):
            if logits.requires_grad:
                seen.append(target.clone())
            return loss(logits, target)

        return recorded

    monkeypatch.setattr(losses, "build", recording)
    return seen


def numbered(tiny, images=7, size=8):
    """Data in which the first pixel's label tells the image."""
    pictures, _ = tiny.problem(images=images, size=16)
    labels = np.zeros((images, 16, 16), np.uint8)
    labels[:, 0, 0] = np.arange(images)
    return training.Data(pictures, labels, pictures, labels, num_classes=images)


def test_each_image_once_an_epoch_in_even_batches_in_a_new_order(tiny, new_run, batches):
    model = tiny.network(classes=7)
    training.fit(model, numbered(tiny), tiny.settings(augmentation=None), new_run())
    sizes = [len(b) for b in batches]
    assert sizes == [3, 2, 2] * 4
    orders = torch.cat([b[:, 0, 0] for b in batches]).view(4, 7)
    assert torch.equal(orders.sort().values, torch.arange(7).expand(4, 7))
    assert len({tuple(o.tolist()) for o in orders}) == 4


def test_order_depends_on_the_seed_only(tiny, new_run, batches):
    variants = {
        "plain": {"augmentation": None},
        "noise": {"augmentation": Augmentation(rotation=0, translation=0)},
        "optimizer": {"augmentation": None, "optimizer": "sgd"},
        "seed": {"augmentation": None, "seed": 1},
    }
    orders = {}
    for name, options in variants.items():
        batches.clear()
        torch.rand(3)  # whatever others draw
        settings = tiny.settings(**options)
        training.fit(tiny.network(classes=7), numbered(tiny), settings, new_run(name))
        orders[name] = torch.cat([b[:, 0, 0] for b in batches]).tolist()
    assert orders["plain"] == orders["noise"] == orders["optimizer"]
    assert orders["plain"] != orders["seed"]


def test_random_targets_change_with_the_epoch(tiny, new_run, batches):
    images, labels = tiny.problem()
    draw, asked = tiny.random_rater(labels), []

    def targets(epoch):
        asked.append(epoch)
        return draw(epoch)

    data = training.Data(images, targets, None, None, num_classes=3)
    training.fit(tiny.network(), data, plain(tiny, epochs=3), new_run())
    assert asked == [0, 0, 1, 2]  # once more, to know the data again
    for epoch, batch in enumerate(batches):
        assert sorted(map(bytes, batch.numpy())) == sorted(map(bytes, draw(epoch)))
    assert not torch.equal(batches[0].sum(0), batches[1].sum(0))


def test_soft_targets_and_their_mirror_images(tiny, new_run, batches):
    images, labels = tiny.problem()
    soft = np.stack([(labels == c).mean(1) for c in range(3)], axis=1).astype(np.float32)
    data = training.Data(images, lambda epoch: soft, images, soft, num_classes=3, mirror=(0, 2, 1))
    history = training.fit(tiny.network(), data, tiny.settings(epochs=2), new_run())
    for batch in batches:
        assert batch.shape[1] == 3
        torch.testing.assert_close(batch.sum(1), torch.ones_like(batch[:, 0]))
        assert ((batch > 0.01) & (batch < 0.99)).any()
    assert np.isfinite(history.frame.validation_dice).all()


def test_batches_are_moved_as_is_drawn_for_each_image(tiny, new_run, monkeypatch, batches):
    image, label = (torch.as_tensor(a[3]) for a in tiny.problem())
    data = training.Data(image.expand(7, 1, 16, 16), label[0].expand(7, 16, 16), None, None, 3,
                         (0, 2, 1), spacing=(2.0, 0.5))  # fmt: skip
    some = Augmentation(rotation=0.5, mirror=0.5, noise=0.1)
    draw, drawn, fed = augmentation.draw, [], []

    def noted(*given, **options):
        drawn.append(draw(*given, **options))
        return drawn[-1]

    monkeypatch.setattr(augmentation, "draw", noted)
    network = tiny.network()
    network.register_forward_pre_hook(lambda _, given: fed.append(*given))
    training.fit(network, data, tiny.settings(augmentation=some, fill=0.7, epochs=2), new_run())
    assert len(fed) == len(drawn) == 6
    for moves, images, labels in zip(drawn, fed, batches, strict=True):
        assert moves.spacing == (2.0, 0.5)
        expected = augmentation.apply(moves, image.expand(len(moves), 1, 16, 16), fill=0.7)
        torch.testing.assert_close(images, expected)
        wanted = label[0].expand(len(moves), 16, 16)
        assert torch.equal(
            labels, augmentation.apply_labels(moves, wanted, mirror_classes=(0, 2, 1))
        )
    assert len(torch.cat([moves.rotation for moves in drawn]).unique()) == 14


def test_augmentation_by_nothing_is_none(tiny, new_run):
    nothing = Augmentation(rotation=0, translation=0, intensity_shift=0, noise=0)
    first, second = (
        training.fit(
            tiny.network(), tiny.data(), tiny.settings(augmentation=a), new_run(f"{a is None}")
        ).frame.drop(columns="seconds")
        for a in (None, nothing)
    )
    assert first.equals(second)


def test_shuffling_augmentation_and_dropout_have_streams_of_their_own(tiny, new_run, monkeypatch):
    seeds, run_all = [], Loop.run_all

    def noted(self, progress):
        seeds.append(torch.initial_seed())
        seeds.extend(g.initial_seed() for g in (self.shuffling, self.augmenting))
        return run_all(self, progress)

    monkeypatch.setattr(Loop, "run_all", noted)
    for seed in (0, 1):
        settings = tiny.settings(seed=seed, epochs=1)
        training.fit(tiny.network(), tiny.data(), settings, new_run(f"{seed}"))
    assert len(set(seeds)) == len(seeds) == 6


def test_any_array_will_do(tiny, new_run):
    images, labels = tiny.problem()
    frozen = images[:, :, ::-1].copy()
    frozen.flags.writeable = False
    flipped = labels[:, 0, ::-1].astype(np.uint16)
    frames = []
    for pictures, target in (
        (frozen, flipped),
        (images[:, :, ::-1], flipped.astype(bool) * 1 + (flipped == 2)),
        (torch.as_tensor(frozen.copy(), dtype=torch.float64), torch.as_tensor(flipped.astype(int))),
    ):
        data = training.Data(pictures, target, pictures, target, 3, (0, 2, 1))
        frames.append(
            training.fit(tiny.network(), data, tiny.settings(), new_run(f"{len(frames)}")).frame
        )
    for frame in frames[1:]:
        assert frame.drop(columns="seconds").equals(frames[0].drop(columns="seconds"))


def test_volumes_train_without_augmentation(tiny, new_run):
    rng = np.random.default_rng(0)
    images = rng.random((3, 1, 4, 4, 4), dtype=np.float32)
    labels = (images[:, 0] > 0.5).astype(np.int16)
    data = training.Data(images, labels, images, labels, num_classes=2, mirror=(0, 1))
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = torch.nn.Conv3d(1, 2, 3, padding=1)
    history = training.fit(model, data, plain(tiny, epochs=5), new_run())
    assert history.frame.train_loss.is_monotonic_decreasing
    with pytest.raises(ShapeError, match="augmentation=None"):
        training.fit(model, data, tiny.settings(), new_run("other"))


class Pooled(torch.nn.Module):
    """Normalises one value per image and channel, as a network does at its deepest level."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, images):
        deep = self.norm(images.mean((2, 3), keepdim=True).expand(-1, 3, 1, 1))
        return deep + images.expand(-1, 3, -1, -1)


@pytest.mark.parametrize(("images", "size"), [(9, 4), (5, 2), (3, 2)])
def test_no_image_is_left_alone_in_the_last_batch(tiny, new_run, images, size):
    pictures, labels = tiny.problem(images=images)
    data = training.Data(pictures, labels[:, 0], None, None, num_classes=3)
    settings = tiny.settings(batch_size=size, augmentation=None, epochs=1)
    if images == 9:
        training.fit(Pooled(), data, settings, new_run())
    else:  # 5 images in twos leave one alone, however they are dealt
        with pytest.raises(ModelError, match=r"a batch of 1 image.* batch_size of at least 2"):
            training.fit(Pooled(), data, settings, new_run())


# ------------------------------------------------------------------ when to stop


def scripted(monkeypatch, values, dice=None):
    """Give the validation losses instead of measuring them."""
    from paraspine.training import loop

    pairs = zip(values, dice or [0.5] * len(values), strict=True)
    left = iter([{"validation_loss": loss, "validation_dice": d} for loss, d in pairs])
    monkeypatch.setattr(loop, "validate", lambda *a, **k: next(left))


def test_stops_when_patience_is_over_and_keeps_the_best_weights(tiny, new_run, monkeypatch):
    scripted(monkeypatch, [1.0, 0.8, 0.9, 0.79, 0.85, 0.79, 0.7])
    settings = tiny.settings(epochs=7, patience=2, checkpoint_every=0)
    run = new_run()
    model = tiny.network()
    history = training.fit(model, tiny.data(), settings, run)
    assert history.stopped == "patience"
    assert len(history.frame) == 6  # 5 and 6 without progress; the 0.7 is never seen
    assert history.best_epoch == 4
    # the same training, ended at its 4th epoch by its validation losses
    scripted(monkeypatch, [4.0, 3.0, 2.0, 1.0, 5.0, 5.0, 5.0])
    same = training.fit(tiny.network(), tiny.data(), tiny.settings(epochs=7), new_run("same"))
    assert same.best_epoch == 4
    assert (run.folder.parent / "same" / "model.safetensors").read_bytes() == run.read_bytes(
        "model.safetensors"
    )
    stored = safetensors.torch.load(run.read_bytes("model.safetensors"))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, stored[name])


def test_progress_below_min_delta_does_not_count_but_its_weights_do(tiny, new_run, monkeypatch):
    scripted(monkeypatch, [1.0, 0.95, 0.91, 0.89, 0.85, 0.8])
    settings = tiny.settings(epochs=6, patience=2, min_delta=0.1)
    history = training.fit(tiny.network(), tiny.data(), settings, new_run())
    # 0.95 and 0.91 are less than 0.1 below 1.0: stop after the third
    assert (history.stopped, len(history.frame), history.best_epoch) == ("patience", 3, 3)


def test_progress_in_per_cent_is_that_on_the_epoch_before(tiny, new_run, monkeypatch):
    # gains on the epoch before, per cent of the new loss: 100, 25, 0, -50, 300, 25, 60, 100
    scripted(monkeypatch, [2.0, 1.0, 0.8, 0.8, 1.6, 0.4, 0.32, 0.2, 0.1])
    settings = tiny.settings(epochs=9, patience=3, min_delta=26.0, progress="per cent")
    history = training.fit(tiny.network(), tiny.data(), settings, new_run())
    assert (history.stopped, len(history.frame), history.best_epoch) == ("patience", 5, 3)
    scripted(monkeypatch, [2.0, 1.0, 0.8, 0.8, 1.6, 0.4, 0.32, 0.2, 0.1])
    settings = tiny.settings(epochs=9, patience=3, min_delta=24.0, progress="per cent")
    history = training.fit(tiny.network(), tiny.data(), settings, new_run("other"))
    assert (history.stopped, len(history.frame)) == ("epochs", 9)


def test_soft_targets_are_made_hard_after_they_were_moved(tiny, new_run, monkeypatch):
    data, seen = tiny.data(), []
    soft = np.full((7, 3, 16, 16), 0.2, np.float32)
    soft[:, 1] = 0.6
    soft[:, :, :, 8:] = np.array([0.5, 0.0, 0.5])[:, None, None]  # a tie goes to background
    checked = np.moveaxis(np.eye(3, dtype=np.float32)[data.validation_targets], -1, 1)
    data = dataclasses.replace(data, train_targets=soft, validation_targets=checked)
    compare = training.loop.Loop.compare

    def watched(self, outputs, target, maps):
        seen.append(target)
        return compare(self, outputs, target, maps)

    monkeypatch.setattr(training.loop.Loop, "compare", watched)
    half = Augmentation(0, 0.4, intensity_shift=0, noise=0, direction="right")
    settings = tiny.settings(epochs=1, batch_size=7, binarise=True, augmentation=half)
    training.fit(tiny.network(), data, settings, new_run())
    moved, *validated = seen
    assert moved.shape == (7, 16, 16)
    for rows in moved[:, 0].tolist():  # background, then class 1 moved in one piece
        first, ones = rows.index(1), rows.count(1)
        assert 7 <= ones <= 8
        assert rows == [0] * first + [1] * ones + [0] * (16 - first - ones)
    assert len({tuple(rows) for rows in moved[:, 0].tolist()}) > 2
    assert torch.equal(torch.cat(validated), torch.as_tensor(tiny.data().validation_targets).long())


def test_an_epoch_can_show_each_image_several_times(tiny, new_run, monkeypatch):
    shown, step = [], training.loop.Loop._step

    def watched(self, chosen, targets):
        shown.append(chosen.tolist())
        step(self, chosen, targets)

    monkeypatch.setattr(training.loop.Loop, "_step", watched)
    settings = tiny.settings(epochs=2, batch_size=4, repeats=3)
    history = training.fit(tiny.network(), tiny.data(), settings, new_run())
    assert [len(batch) for batch in shown] == 2 * [4, 4, 4, 3, 3, 3]  # 21 images of 7
    for epoch in (shown[:6], shown[6:]):
        assert sorted(n for batch in epoch for n in batch) == sorted(3 * list(range(7)))
    assert history.frame["step"].tolist() == [6, 12]


def test_dice_can_choose(tiny, new_run, monkeypatch):
    scripted(monkeypatch, [1.0, 0.9, 0.8, 0.7], dice=[0.5, math.nan, 0.7, 0.6])
    history = training.fit(
        tiny.network(), tiny.data(), tiny.settings(monitor="dice", patience=3), new_run()
    )
    assert history.best_epoch == 3
    assert math.isnan(history.frame.validation_dice[1])


def test_without_validation_the_last_weights_are_kept(tiny, new_run):
    images, labels = tiny.problem()
    data = training.Data(images, labels[:, 0], None, None, num_classes=3, mirror=(0, 2, 1))
    history = training.fit(tiny.network(), data, tiny.settings(), new_run())
    assert history.best_epoch == 4
    assert history.frame.validation_loss.isna().all()
    with pytest.raises(SettingsError, match="patience: early stopping needs validation"):
        training.fit(tiny.network(), data, tiny.settings(patience=1), new_run("other"))


def test_validation_takes_the_networks_activation_and_the_trainings_batches(tiny, new_run):
    data, model = tiny.data(), torch.nn.Conv2d(1, 3, 1)
    model.activation = "normalised_relu_by_class"
    model.weight.data[:, 0, 0, 0] = torch.tensor([8.0, 1.0, 2.0])  # background scores highest,
    model.bias.data = torch.tensor([1.0, 4.0, 0.0])  # but not of each class's maximum
    options = {"loss": "dice", "loss_options": {"activation": model.activation}}
    settings = tiny.settings(epochs=1, batch_size=2, **options)
    found = training.fit(model, data, settings, new_run()).frame.iloc[-1]
    with torch.no_grad():
        scores = model(torch.as_tensor(data.validation_images))
    loss = losses.build("dice", activation=model.activation)
    target = torch.as_tensor(data.validation_targets).long()
    both, last = loss(scores[:2], target[:2]), loss(scores[2:], target[2:])
    assert found.validation_loss == pytest.approx(float(2 * both + last) / 3, rel=1e-4)
    dice = [
        mean_dice(overlaps(p, target))
        for p in (losses.probabilities(scores, model.activation), scores)
    ]
    assert found.validation_dice == pytest.approx(dice[0])
    assert dice[0] != pytest.approx(dice[1], abs=0.01)


@pytest.mark.parametrize("where", ["training", "validation"])
def test_nan_stops_with_what_to_do(tiny, new_run, where):
    class Breaks(tiny.Network):
        calls = 0

        def forward(self, images):
            self.calls += self.training
            broken = self.calls == 5 and self.training == (where == "training")
            return super().forward(images) * (math.nan if broken else 1)

    run = new_run()
    # 3 batches an epoch: the 5th is the second one's second
    settings = tiny.settings(epochs=3, augmentation=None, batch_size=3)
    if where == "validation":
        settings = tiny.settings(epochs=5, augmentation=None, batch_size=100)
    message = rf"the {where} loss became nan in epoch {2 if where == 'training' else 5}, "
    with pytest.raises(ModelError, match=rf"{message}iteration 5 .*clip=1.0"):
        training.fit(Breaks(), tiny.data(), settings, run)
    saved = torch.load(run.path("checkpoint.pt"), weights_only=True)
    assert all(torch.isfinite(t).all() for t in saved["model"].values())


# ------------------------------------------------------------------ around it


def test_leaves_the_world_as_it_was(tiny, new_run):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    model = tiny.network()
    training.fit(model, tiny.data(), tiny.settings(threads=threads + 1), new_run())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ShapeError):
        training.fit(tiny.network(classes=4), tiny.data(), tiny.settings(threads=3), new_run("b"))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_same_seed_same_bytes_and_other_seed_other_bytes(tiny, new_run):
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(5)
        run = new_run(name)
        training.fit(tiny.network(), tiny.data(), tiny.settings(seed=seed), run)
        found.append(run.read_bytes("model.safetensors"))
    assert found[0] == found[1] != found[2]


def test_history_and_times_are_apart(tiny, new_run):
    run = new_run()
    history = training.fit(tiny.network(), tiny.data(), tiny.settings(), run)
    columns = [
        "epoch", "step", "train_loss", "validation_loss", "validation_dice", "learning_rate",
    ]  # fmt: skip
    assert list(run.read_frame("history.parquet")) == columns
    assert list(history.frame) == [*columns, "seconds"]
    assert list(history.frame.epoch) == [1, 2, 3, 4]
    assert list(history.frame.step) == [3, 6, 9, 12]
    assert run.read_json("times.json")["epoch_seconds"] == list(history.frame.seconds)
    assert (history.frame.seconds > 0).all()
    assert run.read_json("training.json")["conditions"]["threads"] == 1


def test_weights_carry_the_networks_settings(tiny, new_run, tmp_path):
    run = new_run()
    training.fit(tiny.network(), tiny.data(), tiny.settings(), run)
    with safetensors.safe_open(run.path("model.safetensors"), "pt") as file:
        assert file.metadata() == {"paraspine": '{"name": "tiny", "classes": 3}'}


def test_bar_shows_the_time_left(tiny, new_run, capsys):
    training.fit(tiny.network(), tiny.data(), tiny.settings(), new_run(), progress=True)
    shown = capsys.readouterr().err
    assert "12/12 [" in shown
    assert "<" in shown  # time gone < time left
    assert "dice=" in shown
    training.fit(tiny.network(), tiny.data(), tiny.settings(), new_run("quiet"))
    assert capsys.readouterr().err == ""


def test_float32_on_request_and_bf16_where_the_processor_has_it():
    from paraspine.training.hardware import choose_device, choose_precision

    cpu = choose_device("cpu")
    assert choose_precision("float32", cpu) == "float32"
    has = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert choose_precision("auto", cpu) == ("bf16" if has else "float32")
    with pytest.raises(SettingsError, match="tf32"):
        choose_precision("tf32", cpu)
    for name in ("gpu", "mps", "meta"):
        with pytest.raises(SettingsError, match="device"):
            choose_device(name)
    if not torch.cuda.is_available():
        assert choose_device("auto") == cpu
        with pytest.raises(SettingsError, match="no CUDA device"):
            choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_gpu_repeats_its_bytes_and_agrees_with_the_cpu(tiny, new_run, precision):
    options = {"precision": precision, "augmentation": None}
    for name in ("a", "b"):
        settings = tiny.settings(device="cuda", **options)
        gpu = training.fit(tiny.network(dropout=0.0), tiny.data(), settings, new_run(name))
    files = [(new_run(n).folder / "model.safetensors").read_bytes() for n in ("a", "b")]
    assert files[0] == files[1]
    settings = tiny.settings(**options)
    cpu = training.fit(tiny.network(dropout=0.0), tiny.data(), settings, new_run("cpu"))
    np.testing.assert_allclose(gpu.frame.train_loss, cpu.frame.train_loss, rtol=0.02)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"momentum": 1.5}, "momentum: .* at most 1"),
        ({"clip": 0}, "clip"),
        ({"optimizer": "lion"}, "optimizer: expected one of sgd, adam, adamw, got 'lion'"),
        ({"schedule": "step"}, "schedule"),
        ({"precision": "fp16"}, "precision"),
        ({"patience": 0}, "patience"),
        ({"loss": "iou"}, "loss: expected one of"),
        ({"loss_options": {"gamma": 2}}, "unknown option gamma"),
        ({"augmentation": {"noise": 1}}, "augmentation: expected an Augmentation"),
        ({"fill": "edge"}, "fill"),
        ({"deterministic": 1}, "deterministic"),
        ({"device": 0}, "device"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(SettingsError, match=message):
        training.Settings(**options)


def test_a_result_depends_on_every_setting_but_circumstances():
    base = training.Settings(loss_options={"smooth": 0.1}, augmentation=Augmentation())
    others = {
        "epochs": 9, "batch_size": 3, "optimizer": "adam", "learning_rate": 0.1, "momentum": 0.5,
        "weight_decay": 0.1, "schedule": "cosine", "power": 2.0, "loss": "dice", "clip": 1.0,
        "loss_options": {"smooth": 0.2}, "augmentation": Augmentation(noise=0.2), "fill": "border",
        "monitor": "dice", "patience": 3, "min_delta": 0.1, "seed": 1, "channels_last": False,
        "deterministic": False, "device": "cpu", "precision": "bf16", "threads": 2,
        "checkpoint_every": 5, "checkpoint_seconds": 5.0, "repeats": 2, "progress": "per cent",
        "binarise": True,
    }  # fmt: skip
    assert set(others) == {field.name for field in dataclasses.fields(base)}
    same = [
        name
        for name, value in others.items()
        if dataclasses.replace(base, **{name: value}).result() == base.result()
    ]
    assert same == ["device", "precision", "threads", "checkpoint_every", "checkpoint_seconds"]


def test_bad_data(tiny, new_run):
    images, labels = tiny.problem(images=4)
    labels = labels[:, 0]
    broken = images.copy()
    broken[2, 0, 0, 0] = np.nan
    soft = np.full((4, 3, 16, 16), 1 / 3, np.float32)
    labels_of_nine = np.where(labels > 0, 9, 0)
    cases = [
        (ImageError, "image 2 holds NaN", {"train_images": broken}),
        (ShapeError, r"expected \(N, channels", {"train_images": images[:, 0]}),
        (LabelError, "expected classes 0 to 2, got 0 to 9", {"train_targets": labels_of_nine}),
        (ShapeError, "expected class numbers", {"train_targets": labels[:3]}),
        (ShapeError, "expected class numbers", {"train_targets": labels.astype(float)}),
        (ProbabilityError, "sum to 1", {"train_targets": soft * 2}),
        (ProbabilityError, "nobody rated", {"train_targets": soft * np.nan}),
        (SettingsError, "or neither", {"validation_targets": None}),
        (SettingsError, "num_classes", {"num_classes": 1}),
        (SettingsError, "mirror_classes", {"mirror": None}),
    ]
    for number, (kind, message, change) in enumerate(cases):
        good = {
            "train_images": images, "train_targets": labels, "validation_images": images,
            "validation_targets": labels, "num_classes": 3, "mirror": (0, 2, 1),
        }  # fmt: skip
        with pytest.raises(kind, match=message):
            training.fit(
                tiny.network(), training.Data(**(good | change)), tiny.settings(),
                new_run(f"{number}"),
            )  # fmt: skip
