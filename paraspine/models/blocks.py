"""Convolution blocks and the decoder that the U-shaped networks share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from paraspine.arrays import SettingsError
from paraspine.dropout import Dropout, normalise_and_drop
from paraspine.models.enlarge import Twofold, enlarge_and_convolve, pays, taps_of

__all__ = ["NORMS", "ConvBlock", "Decoder", "Level", "dropout_layer", "initialise", "norm_layer"]

#: Normalisations by name.
NORMS = ("batch", "instance", "group")


def norm_layer(name: str, channels: int) -> nn.Module:
    """Return a normalisation layer: "batch", "instance" or "group" (up to 8 groups)."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if name == "group":
        return nn.GroupNorm(math.gcd(8, channels), channels)
    raise SettingsError(f"norm: expected one of {', '.join(NORMS)}, got {name!r}.")


def dropout_layer(rate: float) -> nn.Module:
    """Return a dropout layer, or nothing where the rate is 0."""
    return Dropout(rate) if rate > 0 else nn.Identity()


def initialise(module: nn.Module) -> None:
    """Draw convolution weights for ReLU (He et al. 2015); biases 0; norms start as identity."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            # A transposed convolution with stride 2 and kernel 2 reads one pixel per output.
            fan = layer.in_channels * (
                layer.weight[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1
            )
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ConvBlock(nn.Module):
    """3 x 3 convolution, normalisation, ReLU and, where the rate is above 0, dropout."""

    def __init__(self, in_channels: int, out_channels: int, norm: str, dropout: float = 0.0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = norm_layer(norm, out_channels)
        self.dropout = dropout_layer(dropout)

    @property
    def rate(self) -> float:
        """The dropout's rate; 0 without one."""
        return getattr(self.dropout, "p", 0.0)

    def finish(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise and rectify what the convolution gave: everything before the dropout."""
        return torch.relu_(self.norm(values))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, out_channels, H, W)``."""
        return self.complete(self.conv(values))

    def complete(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise, rectify and drop what the convolution gave."""
        return normalise_and_drop(self.norm, values, self.dropout)

    def fold(self) -> None:
        """Make the normalisation part of the convolution, where its statistics are fixed."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Level(nn.Module):
    """One step up: enlarge twofold, join the skip connection, two blocks."""

    def __init__(
        self,
        up: nn.Module,
        up_channels: int,
        skip_channels: int,
        out_channels: int,
        norm: str,
        dropout: float,
    ):
        super().__init__()
        self.up_channels = up_channels
        self.up = up
        self.first = ConvBlock(up_channels + skip_channels, out_channels, norm, dropout)
        self.second = ConvBlock(out_channels, out_channels, norm, dropout)

    def join(self, values: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        """Enlarge and put the skip's channels behind."""
        values = self.up(values)
        return values if skip is None else torch.cat([values, skip], dim=1)

    def forward(self, values: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        """Compute ``(B, out_channels, 2 H, 2 W)``."""
        return self.second(self.first.complete(self.convolved(values, skip)))

    def convolved(self, values: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        """Enlarge, join the skip and convolve: what the first block's normalisation takes."""
        conv = self.first.conv
        if not (isinstance(self.up, Twofold) and pays(values)):
            return conv(self.join(values, skip))
        inner, outer = conv.weight[:, : self.up_channels], conv.weight[:, self.up_channels :]
        enlarged = enlarge_and_convolve(values, taps_of(inner))
        if skip is not None:
            return F.conv2d(skip, outer, conv.bias, padding=1).add_(enlarged)
        return enlarged if conv.bias is None else enlarged + conv.bias[:, None, None]


class Decoder(nn.Module):
    """Entry, levels from deep to shallow, and the convolution that gives the logits.

    `features` are the deepest features and then the skips from deep to shallow; levels for which
    no skip is left go without.
    """

    def __init__(self, entry: nn.Module, levels: Sequence[Level], head: nn.Module):
        super().__init__()
        self.entry = entry
        self.levels = nn.ModuleList(levels)
        self.head = head

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)``."""
        values = self.entry(features[0])
        for level, skip in self.pairs(features):
            values = level(values, skip)
        return self.head(values)

    def pairs(self, features: Sequence[torch.Tensor]):
        """Return each level with its skip, or None."""
        skips = [*features[1:], *[None] * (len(self.levels) - len(features) + 1)]
        return list(zip(self.levels, skips, strict=True))
