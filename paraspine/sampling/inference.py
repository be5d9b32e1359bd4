"""Running a network for inference: device, precision, modes, batches, probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from paraspine import losses
from paraspine.arrays import ImageError, ModelError, SettingsError, ShapeError, check_whole
from paraspine.memory_order import channels_last
from paraspine.processor import computes_bf16

__all__ = [
    "Runner",
    "Watcher",
    "batches",
    "check_count",
    "check_images",
    "check_seed",
    "running",
    "tell",
]

#: ``on_sample(images, sample, probabilities, seen)``.
Watcher = Callable[[slice, int, np.ndarray, np.ndarray], None]

#: Activations that networks know by name.
NAMED = tuple(name for name in losses.ACTIVATIONS if name != "none")
PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True)
class Runner:
    """A network ready to be run.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode.
    device, dtype
        Where its images belong, and as what.
    autocast : bool
        Whether it runs in bf16 by autocast.
    activation : str or callable
        What makes probabilities of its logits.
    """

    network: nn.Module
    device: torch.device
    dtype: torch.dtype
    autocast: bool
    activation: object

    def images(self, batch: torch.Tensor) -> torch.Tensor:
        """Return images as the network takes them."""
        return channels_last(batch.to(self.device, self.dtype))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)`` in float32, summing to 1."""
        if not isinstance(logits, torch.Tensor) or logits.ndim != 4 or logits.shape[1] < 2:
            found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits)
            raise ModelError(
                f"model: expected logits (batch, classes, H, W) with background as a class, got "
                f"{found}."
            )
        if isinstance(self.activation, str):
            return losses.probabilities(logits, self.activation)
        values = self.activation(logits.float())
        return values / values.sum(dim=1, keepdim=True)


@contextmanager
def running(
    model: nn.Module, device="auto", precision="auto", *, replay: bool = False
) -> Iterator[Runner]:
    """Prepare a network for inference, and leave it as it was.

    A network with ``for_inference`` (those of `paraspine.models`) gives a copy made for speed and
    isn't touched at all; any other is set to evaluation mode and put back afterwards.

    Parameters
    ----------
    model : torch.nn.Module
        Computes logits ``(B, C, H, W)``.
    device : str or torch.device
        "auto" takes a GPU if there is one.
    precision : str
        "float32", "bf16", or "auto": bf16 where the processor computes in it.
    replay : bool
        Whether the decoder will be replayed.

    Raises
    ------
    ModelError
        If it is no network, or a normalisation layer would use the batch's own statistics.
    SettingsError
        If the device or precision is unknown or not there.
    """
    check_model(model)
    device = find_device(device)
    half = find_precision(precision, device)
    activation = getattr(model, "activation", "softmax")
    if activation not in NAMED and not callable(activation):
        raise ModelError(
            f"model: expected an activation among {', '.join(NAMED)} or a function of "
            f"logits, got {activation!r}."
        )
    # A method replaced on the instance means that somebody watches its calls: run it as it is.
    watched = {"encode", "decode", "forward"} & vars(model).keys()
    with torch.no_grad():
        if hasattr(model, "for_inference") and not watched:
            dtype = torch.bfloat16 if half else torch.float32
            network = model.for_inference(device=device, dtype=dtype, replay=replay)
            yield Runner(network, device, dtype, False, activation)
            return
        modes = {module: module.training for module in model.modules()}
        tensor = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        home, dtype = tensor.device, tensor.dtype
        try:
            model.eval().to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                yield Runner(model, device, dtype, half, activation)
        finally:
            model.to(home)
            for module, training in modes.items():
                module.training = training


def check_model(model: nn.Module) -> None:
    """Raise `ModelError` unless the model is a network whose normalisation is fixed."""
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model: expected a network (torch.nn.Module), got {type(model).__name__}."
        )
    for name, module in model.named_modules():
        if not isinstance(module, _NormBase):
            continue
        if isinstance(module, _BatchNorm) and not module.track_running_stats:
            raise ModelError(
                f"model: the batch normalisation {name!r} keeps no statistics, so a prediction "
                "would depend on the other images of its batch; build it with "
                "track_running_stats=True."
            )
        if module.training and module.track_running_stats:
            raise ModelError(
                f"model: the normalisation layer {name!r} is in training mode, so samples would "
                "depend on the batch and change the layer's statistics; call model.eval() first "
                "(sampling turns dropout on by itself)."
            )


def find_device(device) -> torch.device:
    """Return the device that is meant; "auto" is a GPU if there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise SettingsError(
            f'device: expected "auto", "cpu" or an accelerator that is there, got {device!r} '
            f"({error})."
        ) from error
    return found


def find_precision(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16."""
    if precision not in PRECISIONS:
        raise SettingsError(
            f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}."
        )
    if precision == "auto":
        if device.type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        return device.type == "cpu" and computes_bf16()
    return precision == "bf16"


def check_images(images) -> None:
    """Raise `ShapeError` unless images are ``(N, channels, H, W)`` and at least one."""
    shape = tuple(np.shape(images))
    if len(shape) != 4 or 0 in shape:
        raise ShapeError(
            f"images: expected (images, channels, H, W) and at least one image, got shape {shape}."
        )


def check_count(name: str, value) -> int:
    """Return a whole number of at least 1, else raise `SettingsError`."""
    return check_whole(name, value)


def batches(images, batch_size: int, progress: bool, words: str):
    """Yield slices and images ``(B, channels, H, W)`` as float32 tensors.

    Raises
    ------
    ImageError
        If an image holds NaN or infinity.
    """
    starts = range(0, len(images), check_count("batch_size", batch_size))
    if progress:
        from tqdm import tqdm

        starts = tqdm(starts, desc=words, unit="batch")
    for start in starts:
        items = slice(start, min(start + batch_size, len(images)))
        batch = torch.as_tensor(images[items]).to(torch.float32)
        if not bool(torch.isfinite(batch).all()):
            raise ImageError(
                f"images {items.start} to {items.stop - 1}: expected finite intensities, got NaN "
                "or infinity; `paraspine check` finds such images."
            )
        yield items, batch


def check_seed(seed: int, generator: torch.Generator | None) -> int:
    """Return the seed, or one that the generator draws."""
    if generator is not None:
        if not isinstance(generator, torch.Generator):
            raise SettingsError(f"generator: expected a torch.Generator, got {generator!r}.")
        return int(
            torch.randint(2**63 - 1, (), generator=generator, device=generator.device).item()
        )
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise SettingsError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed!r}.")
    return int(seed)


def tell(watcher: Watcher | None, items, sample, probabilities, seen=None) -> None:
    """Call the watcher, if there is one, with arrays."""
    if watcher is None:
        return
    if seen is None:
        seen = torch.ones_like(probabilities[:, 0], dtype=torch.bool)
    values = probabilities.masked_fill(~seen[:, None], torch.nan)
    watcher(items, sample, values.cpu().numpy(), seen.cpu().numpy())
