"""The loop over epochs and batches, and its state."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from paraspine import augmentation, losses, runs
from paraspine.arrays import ModelError, ShapeError
from paraspine.memory_order import channels_last
from paraspine.training import checkpoint
from paraspine.training.hardware import autocast
from paraspine.training.place import Place, Setting
from paraspine.training.schedule import learning_rate, momentum
from paraspine.training.settings import Settings
from paraspine.training.validation import activation_of, validate

__all__ = ["Loop"]

#: Losses left on a GPU before they are fetched and checked: each fetch waits for the GPU.
PENDING = 20


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    common = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay, "fused": True}
    if settings.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), momentum=settings.momentum, **common)
    if settings.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), **common)
    return torch.optim.AdamW(model.parameters(), **common)


def _clone(model: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


class Loop:
    """A training under way; make it, and use it, inside `hardware.switches`.

    Parameters
    ----------
    model : torch.nn.Module
        On the device.
    given : Setting
        Everything else.
    run : paraspine.runs.Run
        Where checkpoints go.
    found : dict, optional
        A checkpoint to go on from.
    """

    def __init__(self, model: nn.Module, given: Setting, run: runs.Run, found: dict | None):
        self.model, self.given, self.run = model, given, run
        self.settings = settings = given.settings
        self.activation = activation_of(model, settings)
        self.loss = losses.build(settings.loss, **settings.loss_options)
        self.optimizer = _optimizer(model, settings)
        self.batches = math.ceil(settings.repeats * len(given.train) / settings.batch_size)
        self.steps = settings.epochs * self.batches
        self.place, self.best, self.pending = Place(), None, []
        dropout, shuffle, augment = np.random.SeedSequence(settings.seed).generate_state(3, "u8")
        torch.manual_seed(int(dropout) >> 1)
        self.shuffling = torch.Generator().manual_seed(int(shuffle) >> 1)
        self.augmenting = torch.Generator().manual_seed(int(augment) >> 1)
        if found is not None:
            self._restore(found)
        self.saved = self.began = time.perf_counter()

    # checkpoints

    def _generators(self) -> dict[str, torch.Tensor]:
        states = {
            "dropout": torch.get_rng_state(),
            "shuffling": self.shuffling.get_state(),
            "augmenting": self.augmenting.get_state(),
        }
        if self.given.device.type == "cuda":
            states["dropout on the GPU"] = torch.cuda.get_rng_state(self.given.device)
        return states

    def _restore(self, found: dict) -> None:
        self.model.load_state_dict(found["model"])
        self.optimizer.load_state_dict(found["optimizer"])
        self.place = Place(**found["place"])
        device = self.given.device
        if found["best"] is not None:
            self.best = {k: v.to(device) for k, v in found["best"].items()}
        states = found["generators"]
        torch.set_rng_state(states["dropout"])
        self.shuffling.set_state(states["shuffling"])
        self.augmenting.set_state(states["augmenting"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(states["dropout on the GPU"], device)

    def _save(self) -> None:
        self._fetch()
        place = asdict(self.place)
        place["elapsed"] += time.perf_counter() - self.began if self.place.order else 0.0
        checkpoint.save(
            self.run,
            {
                "fingerprint": self.given.fingerprint,
                "conditions": self.given.conditions,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generators": self._generators(),
                "place": place,
                "best": self.best,
            },
        )
        self.saved = time.perf_counter()

    # the loop

    def run_all(self, progress: bool) -> Place:
        """Train to the end, by epochs or by patience."""
        interval = 0.2 if sys.stderr.isatty() else 5.0
        with tqdm(
            total=self.steps,
            initial=self.place.step,
            desc="train",
            unit="step",
            mininterval=interval,
            dynamic_ncols=True,
            disable=not progress,
        ) as bar:
            while not self.place.stopped:
                self._epoch(bar)
        return self.place

    def _epoch(self, bar: tqdm) -> None:
        place, given = self.place, self.given
        self.began = time.perf_counter()
        if not place.order:
            images = len(given.train)
            order = torch.randperm(self.settings.repeats * images, generator=self.shuffling)
            place.order = (order % images).tolist()
        targets = given.train_targets(place.epoch)
        order = torch.tensor(place.order, device=given.device).tensor_split(self.batches)
        self.model.train()
        for chosen in order[place.batch :]:
            self._step(chosen, targets)
            place.batch += 1
            place.step += 1
            bar.update()
            every = self.settings.checkpoint_every
            if every and place.step % every == 0 and place.batch < self.batches:
                self._save()
        self._fetch()
        sizes = [len(chosen) for chosen in order]
        mean = math.fsum(n * v for n, v in zip(sizes, place.losses, strict=True)) / sum(sizes)
        measured = self._validate()
        rate = learning_rate(self.settings, place.step - 1, self.steps)
        self._close(mean, measured, rate)
        dice = measured["validation_dice"]
        bar.set_postfix(epoch=place.epoch, loss=f"{mean:.4f}", dice=f"{dice:.3f}")
        # The result follows the last epoch at once and takes no longer to write than a checkpoint.
        due = time.perf_counter() - self.saved >= self.settings.checkpoint_seconds
        if due and not place.stopped:
            self._save()

    def _step(self, chosen: torch.Tensor, targets: torch.Tensor) -> None:
        given, settings = self.given, self.settings
        images, target = given.train.tensor[chosen], targets[chosen]
        maps = given.maps["train"][chosen] if given.maps else None
        if settings.augmentation is not None:
            images, target, maps = self._augmented(images, target, maps, chosen)
        target = self._hardened(target)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, self.place.step, self.steps)
            moving = momentum(settings, self.place.step, self.steps)
            if "betas" in group:
                group["betas"] = (moving, group["betas"][1])
            else:
                group["momentum"] = moving
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.compare(self._network(images), target, maps)
        loss.backward()
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimizer.step()
        self.pending.append(loss.detach())
        if given.device.type == "cpu" or len(self.pending) >= PENDING:
            self._fetch()

    def compare(self, outputs: dict, target: torch.Tensor, maps: torch.Tensor | None):
        """Loss of a batch: of the logits, or of all outputs that the loss compares."""
        if maps is None:
            return self.loss(outputs["segmentation"], target)
        return self.loss(tuple(outputs[task] for task in self.given.tasks), (target, maps))

    def _augmented(self, images, target, maps, chosen):
        given, swap = self.given, self.given.data.mirror
        drawn = augmentation.draw(
            self.settings.augmentation,
            len(images),
            generator=self.augmenting,
            device=given.device,
            spacing=given.data.spacing,
        )
        move = augmentation.apply_soft if target.is_floating_point() else augmentation.apply_labels
        if maps is not None:
            known = given.maps["train"]
            moved = augmentation.apply_maps(drawn, known.tensor[chosen], mirror_classes=swap)
            maps = known.mark(moved, chosen)
        return (
            augmentation.apply(drawn, images, fill=self.settings.fill),
            move(drawn, target, mirror_classes=swap),
            maps,
        )

    def _hardened(self, target: torch.Tensor) -> torch.Tensor:
        """Targets as the loss takes them."""
        soft = self.settings.binarise and target.is_floating_point()
        return target.argmax(1) if soft else target

    def _network(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the network says of a batch, in the training's precision and memory order."""
        given = self.given
        if self.settings.channels_last and images.ndim == 4:
            images = channels_last(images)
        try:
            with autocast(given.device, given.precision):
                if len(given.tasks) > 1:
                    outputs = self.model.outputs(images)
                else:
                    outputs = {"segmentation": self.model(images)}
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ModelError(
                f"a batch of {len(images)} image(s) leaves a normalisation layer a single value "
                "per channel; use a batch_size of at least 2, more images, or larger ones."
            ) from error
        logits = outputs["segmentation"]
        wanted = (len(images), given.data.num_classes, *images.shape[2:])
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != wanted:
            found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits)
            raise ShapeError(f"network: expected logits of shape {wanted}, got {found}.")
        return outputs

    def _fetch(self) -> None:
        """Take the losses from the device and refuse what is no number."""
        if not self.pending:
            return
        values = torch.stack(self.pending).tolist()
        self.pending = []
        for value in values:
            self.place.losses.append(value)
            if not math.isfinite(value):
                step = self.place.epoch * self.batches + len(self.place.losses)
                self._refuse("training", value, step)

    def _refuse(self, which: str, value: float, step: int) -> None:
        rate = learning_rate(self.settings, step - 1, self.steps)
        raise ModelError(
            f"the {which} loss became {value} in epoch {self.place.epoch + 1}, iteration {step} "
            f"(learning rate {rate:.3g}, precision {self.given.precision}). Lower the learning "
            'rate, clip the gradient (clip=1.0), or compute in precision="float32".'
        )

    def _validate(self) -> dict[str, float]:
        given = self.given
        if given.validation is None:
            return {"validation_loss": math.nan, "validation_dice": math.nan}
        found = validate(
            self.model,
            given.validation.tensor,
            self._hardened(given.validation_targets(self.place.epoch)),
            self.compare,
            self.settings.batch_size,
            self._network,
            given.maps.get("validation"),
            self.activation,
        )
        if not math.isfinite(found["validation_loss"]):
            self._refuse("validation", found["validation_loss"], self.place.step)
        return found

    def _close(self, train_loss: float, measured: dict[str, float], rate: float) -> None:
        """Enter an epoch into the history, keep the best weights, decide whether to go on."""
        place, settings = self.place, self.settings
        place.epoch += 1
        place.rows.append(
            {
                "epoch": place.epoch,
                "step": place.step,
                "train_loss": train_loss,
                **measured,
                "learning_rate": rate,
            }
        )
        loss, dice = measured["validation_loss"], measured["validation_dice"]
        score = -loss if settings.monitor == "loss" else dice
        if place.enter(score, settings):
            self.best = _clone(self.model)
        place.seconds.append(place.elapsed + time.perf_counter() - self.began)
        place.batch, place.order, place.losses, place.elapsed = 0, [], [], 0.0
