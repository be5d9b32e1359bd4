"""The residual encoders of TransUNet: ResNet-34, and the R50 of the original.

Both end at 1/16 of the image's side, where the transformer reads, and give skips at 1/8, 1/4 and
1/2.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from paraspine.models.blocks import norm_layer

__all__ = ["ENCODERS", "ResNet34", "ResNet50"]


class ResNet34(nn.Module):
    """ResNet-34 (He et al. 2016) whose fourth stage keeps the third's resolution.

    Names and shapes of the weights are those of torchvision's resnet34, without its classifier.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    width : int
        Channels of the first stage (64); the fourth has 8 times as many.
    norm : str
        "batch", "instance" or "group".
    """

    def __init__(self, in_channels: int, width: int = 64, norm: str = "batch"):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm_layer(norm, width)
        before = width
        for number, (blocks, stride) in enumerate([(3, 1), (4, 2), (6, 2), (3, 1)], start=1):
            after = width * 2 ** (number - 1)
            stage = [BasicBlock(before, after, stride, norm)]
            stage += [BasicBlock(after, after, 1, norm) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*stage))
            before = after
        self.out_channels = before
        self.skip_channels = (2 * width, width, width)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute features at 1/16, 1/8, 1/4 and 1/2 of the image's side."""
        half = torch.relu_(self.bn1(self.conv1(images)))
        quarter = self.layer1(F.max_pool2d(half, 3, stride=2, padding=1))
        eighth = self.layer2(quarter)
        return self.layer4(self.layer3(eighth)), eighth, quarter, half

    def fold(self) -> None:
        """Make the first normalisation part of its convolution."""
        _fold(self, "conv1", "bn1")


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, before: int, after: int, stride: int, norm: str):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm_layer(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = norm_layer(norm, after)
        self.downsample = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), norm_layer(norm, after)
            )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, after, H / stride, W / stride)``."""
        short = values if self.downsample is None else self.downsample(values)
        values = torch.relu_(self.bn1(self.conv1(values)))
        return torch.relu_(self.bn2(self.conv2(values)) + short)

    def fold(self) -> None:
        """Make normalisations part of the convolutions."""
        _fold(self, "conv1", "bn1")
        _fold(self, "conv2", "bn2")
        if self.downsample is not None:
            _fold(self.downsample, "0", "1")


def _fold(module: nn.Module, conv: str, norm: str) -> None:
    layer = getattr(module, norm)
    if isinstance(layer, nn.BatchNorm2d):
        setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), layer))
        setattr(module, norm, nn.Identity())


class ResNet50(nn.Module):
    """The R50 of TransUNet (Chen et al. 2021): 3, 4 and 9 bottlenecks, the last stage left out.

    As in BiT (Kolesnikov et al. 2020), weights are standardised and groups normalised, so it does
    not depend on the batch. Names and shapes of the weights follow the vision transformer's
    published R50+ViT-B/16.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    width : int
        Channels of the root (64); the last stage has 16 times as many.
    norm : str
        Not used: the normalisation is part of this network.
    """

    def __init__(self, in_channels: int, width: int = 64, norm: str = "batch"):
        super().__init__()
        self.root = StandardConv(in_channels, width, 7, stride=2)
        self.root_norm = _groups(width)
        before = width
        for number, (blocks, stride) in enumerate([(3, 1), (4, 2), (9, 2)], start=1):
            after = width * 2 ** (number + 1)
            stage = [Bottleneck(before, after, stride)]
            stage += [Bottleneck(after, after, 1) for _ in range(blocks - 1)]
            setattr(self, f"block{number}", nn.Sequential(*stage))
            before = after
        self.out_channels = before
        self.skip_channels = (8 * width, 4 * width, width)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute features at 1/16, 1/8, 1/4 and 1/2 of the image's side."""
        half = torch.relu_(self.root_norm(self.root(images)))
        # After ReLU padding with 0 at the far side is padding with what never wins.
        quarter = self.block1(F.max_pool2d(F.pad(half, (0, 1, 0, 1)), 3, stride=2))
        eighth = self.block2(quarter)
        return self.block3(eighth), eighth, quarter, half


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions around a shortcut; the middle is a quarter as wide."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        middle = after // 4
        self.conv1, self.norm1 = StandardConv(before, middle, 1), _groups(middle)
        self.conv2, self.norm2 = StandardConv(middle, middle, 3, stride), _groups(middle)
        self.conv3, self.norm3 = StandardConv(middle, after, 1), _groups(after)
        self.projection = self.projection_norm = None
        if stride > 1 or before != after:
            self.projection = StandardConv(before, after, 1, stride)
            self.projection_norm = ChannelNorm(after, after)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, after, H / stride, W / stride)``."""
        short = values
        if self.projection is not None:
            short = self.projection_norm(self.projection(values))
        values = torch.relu_(self.norm1(self.conv1(values)))
        values = torch.relu_(self.norm2(self.conv2(values)))
        return torch.relu_(self.norm3(self.conv3(values)) + short)


class ChannelNorm(nn.GroupNorm):
    """Every channel on its own; one pixel alone becomes 0, where PyTorch would refuse."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute the same shape."""
        return torch.group_norm(values, self.num_groups, self.weight, self.bias, self.eps)


class StandardConv(nn.Conv2d):
    """A convolution without bias whose filters are standardised before use (Qiao et al. 2019)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        super().__init__(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.folded = False

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Convolve with the standardised filters."""
        weight = self.weight if self.folded else self.standardised()
        return F.conv2d(values, weight, None, self.stride, self.padding)

    def standardised(self) -> torch.Tensor:
        """Return the filters with mean 0 and variance 1 over their inputs."""
        weight = self.weight.float()
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
        return ((weight - mean) * torch.rsqrt(variance + 1e-5)).to(self.weight.dtype)

    def fold(self) -> None:
        """Standardise once and for all."""
        if not self.folded:
            self.weight.data = self.standardised()
            self.folded = True


def _groups(channels: int) -> nn.GroupNorm:
    """32 groups as published, fewer in narrow networks so that none has one channel alone."""
    return nn.GroupNorm(math.gcd(32, max(1, channels // 2)), channels, eps=1e-6)


#: Encoders by name.
ENCODERS = {"resnet34": ResNet34, "resnet50": ResNet50}
