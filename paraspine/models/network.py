"""Parts that all networks share."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import nn

from paraspine.arrays import ModelError
from paraspine.models.packed import pack_linear
from paraspine.models.replay import Drop, Plan, Replay

__all__ = ["Features", "Network"]

#: The deepest features, then the skips from deep to shallow.
Features = tuple[torch.Tensor, ...]


class Network(nn.Module):
    """A segmentation network: an encoder without dropout samples, and a decoder.

    Attributes
    ----------
    settings : dict
        Name, channels, classes and all options: ``build(**settings)`` makes the network again,
        untrained.
    divisor : int
        Height and width of the images must be multiples of it.
    activation : str
        What makes logits into probabilities: ``"softmax"``, or one of SoftSeg's
        (`paraspine.losses.probabilities`). The network gives logits either way.
    decoder : Decoder
        Where the dropout layers are.
    tasks : tuple of str
        Names of what `outputs` gives: "segmentation", which is what calling the network computes,
        and for multi-task networks more.
    """

    tasks: tuple[str, ...] = ("segmentation",)
    #: What a file gave it to start from (`PretrainedReport`); None where it starts at random.
    pretrained = None

    def __init__(self, settings: dict, divisor: int):
        super().__init__()
        self.settings = settings
        self.divisor = divisor
        self.activation = settings.get("activation", "softmax")

    def features(self, images: torch.Tensor) -> Features:
        """Compute the encoder's features of images that fit; networks define this."""
        raise NotImplementedError

    def encode(self, images: torch.Tensor) -> Features:
        """Compute the deepest features and the skips of images ``(B, in_channels, H, W)``.

        Raises
        ------
        ModelError
            If the images have the wrong number of axes or channels, or a side that is not a
            multiple of `divisor`.
        """
        self.check_images(images)
        return self.features(images)

    def decode(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)`` from what `encode` gave."""
        return self.decoder(features)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)`` of images ``(B, in_channels, H, W)``."""
        return self.decode(self.encode(images))

    def outputs(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute what each of the `tasks` asks of images, in one pass."""
        return {"segmentation": self(images)}

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules that each task has for itself; the others are shared by all."""
        return {"segmentation": [self.decoder]}

    def check_images(self, images: torch.Tensor) -> None:
        """Raise `ModelError` unless the images fit the network."""
        name, channels = self.settings["name"], self.settings["in_channels"]
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[1] != channels:
            raise ModelError(f"{name}: expected images (batch, {channels}, H, W), got {shape}.")
        sides = shape[2:]
        if min(sides) < 1 or any(side % self.divisor for side in sides):
            padded = tuple(max(1, -(-side // self.divisor)) * self.divisor for side in sides)
            raise ModelError(
                f"{name}: expected height and width in multiples of {self.divisor}, got "
                f"{sides[0]} x {sides[1]}; pad or resample the images to "
                f"{padded[0]} x {padded[1]}."
            )

    def sampled_dropout(self) -> list[nn.Module]:
        """Return the dropout layers that test-time dropout samples: the decoder's, in order."""
        return [m for m in self.decoder.modules() if isinstance(m, nn.Dropout) and m.p > 0]

    def replay(self, features: Sequence[torch.Tensor]) -> Callable[[Drop], torch.Tensor]:
        """Prepare to run the decoder many times with different dropout; see `Replay`."""
        return Replay(getattr(self, "plan", None) or Plan(self.decoder), features)

    def for_inference(
        self,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        replay: bool = False,
    ) -> Network:
        """Return a private copy made for speed: evaluation mode, fixed norms folded, channels last.

        The network itself stays as it is; while the copy is in use it must not be trained, since
        weights that need no change are shared.

        Parameters
        ----------
        device : torch.device
            Where the copy goes.
        dtype : torch.dtype
            Of its weights; the caller casts the images.
        replay : bool
            Whether `replay` will be called, for which weights are then rearranged once.
        """
        # The copy's tensors share memory with the network's until they are replaced; none is
        # written to.
        tensors = itertools.chain(self.parameters(), self.buffers())
        shared = {
            id(t): nn.Parameter(t.detach(), requires_grad=False)
            if isinstance(t, nn.Parameter)
            else t.detach()
            for t in tensors
        }
        network = copy.deepcopy(self, shared).eval()
        for module in list(network.modules()):
            if hasattr(module, "fold"):
                module.fold()
        if replay:
            network.plan = Plan(network.decoder)
        if torch.device(device).type == "cpu":
            pack_linear(network, dtype)
        return network.to(device=device, dtype=dtype, memory_format=torch.channels_last)
