"""The 2D U-Net of roshanzamir2023."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from paraspine.arrays import SettingsError
from paraspine.models.blocks import ConvBlock, Decoder, Level, initialise
from paraspine.models.checks import (
    ACTIVATIONS,
    check_choice,
    check_count,
    check_counts,
    check_rate,
)
from paraspine.models.network import Features, Network
from paraspine.models.transposed import TwofoldTransposed

__all__ = ["UNet", "expanding_path"]


class UNet(Network):
    """2D U-Net (Ronneberger et al. 2015) with same padding and normalisation.

    Two conv-norm-ReLU blocks at each resolution, max pooling down, transposed convolutions up,
    and dropout in each decoder block. With the default widths there are 4 resolution steps, so 8
    dropout layers, as in roshanzamir2023.

    Parameters
    ----------
    in_channels, num_classes : int
        Channels of the images; classes including background.
    width : int
        Channels of the first level, doubled at each step; 64 if neither is given.
    depth : int
        Resolution steps, with `width`.
    widths : sequence of int, optional
        Channels of every level, instead of `width` and `depth`; one more than there are steps.
    dropout : float
        Rate in each decoder block.
    encoder_dropout : float
        Rate in each encoder block, while training only: test-time dropout doesn't sample it.
    norm : str
        "batch", "instance" or "group".
    activation : str
        "softmax", "normalised_relu" or "normalised_relu_by_class", see `Network`.

    Raises
    ------
    SettingsError
        If an option is of the wrong type or out of range.
    """

    name = "unet"

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        width: int | None = None,
        depth: int = 4,
        widths: Sequence[int] | None = None,
        dropout: float = 0.18,
        encoder_dropout: float = 0.0,
        norm: str = "batch",
        activation: str = "softmax",
    ):
        if widths is None:
            width = check_count("width", 64 if width is None else width)
            widths = [width * 2**step for step in range(check_count("depth", depth) + 1)]
        elif width is not None:
            raise SettingsError("width: give either width or widths, not both.")
        widths = check_counts("widths", widths, at_least=2)
        rate = check_rate("dropout", dropout)
        settings = {
            "name": self.name,
            "in_channels": check_count("in_channels", in_channels),
            "num_classes": check_count("num_classes", num_classes, at_least=2),
            "widths": widths,
            "dropout": rate,
            "encoder_dropout": check_rate("encoder_dropout", encoder_dropout),
            "norm": norm,
            "activation": check_choice("activation", activation, ACTIVATIONS),
        }
        super().__init__(settings, divisor=2 ** (len(widths) - 1))
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ConvBlock(n, after, norm, encoder_dropout) for n in (before, after)))
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.decoder = expanding_path(widths, num_classes, norm, rate)
        initialise(self.encoder)
        initialise(self.decoder.levels)

    def features(self, images: torch.Tensor) -> Features:
        """Compute the features of every level, deepest first."""
        values = self.encoder[0](images)
        found = [values]
        for blocks in self.encoder[1:]:
            values = blocks(F.max_pool2d(values, 2))
            found.insert(0, values)
        return tuple(found)


def expanding_path(widths: Sequence[int], out_channels: int, norm: str, dropout: float) -> Decoder:
    """Build U-Net's decoder: transposed convolutions up, the skips joined, two blocks a level.

    The head keeps PyTorch's own start, smaller than one for ReLU; the levels are for the caller
    to `initialise`.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's levels, shallow to deep.
    out_channels : int
        Channels that come out.
    norm, dropout
        Of the blocks.
    """
    levels = [
        Level(TwofoldTransposed(deep, width), width, width, width, norm, dropout)
        for deep, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
    ]
    return Decoder(nn.Identity(), levels, nn.Conv2d(widths[0], out_channels, 1))
