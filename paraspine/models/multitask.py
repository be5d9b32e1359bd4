"""Networks with two tasks: the segmentation, and the variance map of its raters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from paraspine.arrays import SettingsError
from paraspine.models.blocks import Decoder, initialise
from paraspine.models.network import Features, Network
from paraspine.models.transunet import TransUNet
from paraspine.models.unet import UNet, expanding_path

__all__ = ["MultiTaskTransUNet", "MultiTaskUNet"]


class MultiTask(Network):
    """What multi-task networks add to a network: a second way up, with a head of its own.

    Calling the network computes the logits alone, as of any other network, so that everything that
    samples networks works as it is; `outputs` computes both in one pass. The part that draws is
    built first, so it starts from the same weights as the single-task network of the same seed.
    """

    tasks = ("segmentation", "variance")

    def variance(self, features: Features) -> torch.Tensor:
        """Compute variance maps ``(B, C - 1, H, W)``, float32, from the shared features.

        Softplus keeps them from being negative. The head's own output is `variance_scale` times as
        large: variances are small numbers, weights are not.
        """
        values = F.softplus(self.variance_decoder(features).float())
        return values / self.settings["variance_scale"]

    def _add_variance(self, decoder: Decoder, variance_scale: float) -> None:
        number = isinstance(variance_scale, (int, float)) and not isinstance(variance_scale, bool)
        if not number or not math.isfinite(variance_scale) or variance_scale <= 0:
            raise SettingsError(
                f"variance_scale: expected a number above 0, got {variance_scale!r}."
            )
        self.settings["variance_scale"] = float(variance_scale)
        self.variance_decoder = decoder
        # Most of an image is far from any outline: begin near 0 there.
        nn.init.constant_(decoder.head.bias, -3.0)


class MultiTaskUNet(MultiTask, UNet):
    """U-Net with one encoder and two decoders (roshanzamir2022).

    Parameters
    ----------
    in_channels, num_classes, width, depth, widths, dropout, encoder_dropout, norm, activation
        As `UNet`; both decoders have the same, but for the activation, which is the segmentation's.
    variance_scale : float
        By how much the variance head's output is divided (roshanzamir2022: 70).

    Raises
    ------
    SettingsError
        If an option is of the wrong type or out of range.
    """

    name = "multitask_unet"

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
        variance_scale: float = 70.0,
    ):
        super().__init__(
            in_channels,
            num_classes,
            width=width,
            depth=depth,
            widths=widths,
            dropout=dropout,
            encoder_dropout=encoder_dropout,
            norm=norm,
            activation=activation,
        )
        own = self.settings
        decoder = expanding_path(own["widths"], num_classes - 1, norm, own["dropout"])
        initialise(decoder.levels)
        self._add_variance(decoder, variance_scale)

    def outputs(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits ``(B, C, H, W)`` and variance maps ``(B, C - 1, H, W)`` in one pass."""
        features = self.encode(images)
        return {"segmentation": self.decode(features), "variance": self.variance(features)}

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules that each task has for itself: a decoder each."""
        return {"segmentation": [self.decoder], "variance": [self.variance_decoder]}


class MultiTaskTransUNet(MultiTask, TransUNet):
    """TransUNet with one convolutional encoder, two transformers, two up-samplers.

    roshanzamir2022, section 3.2.2: the patch embedding, with its positions, is one for both.

    Parameters
    ----------
    in_channels, num_classes, encoder, width, hidden, layers, heads, mlp, decoder_widths
        As `TransUNet`; both up-samplers have the same widths.
    image_size, dropout, transformer_dropout, norm, activation
        As `TransUNet`; both transformers and both up-samplers have the same, but for the
        activation, which is the segmentation's.
    variance_scale : float
        By how much the variance head's output is divided (roshanzamir2022: 70).

    Raises
    ------
    SettingsError
        If an option is of the wrong type or out of range.
    """

    name = "multitask_transunet"

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        encoder: str = "resnet34",
        width: int = 64,
        hidden: int | None = None,
        layers: int = 12,
        heads: int | None = None,
        mlp: int | None = None,
        decoder_widths: Sequence[int] | None = None,
        image_size: int = 256,
        dropout: float = 0.18,
        transformer_dropout: float = 0.0,
        norm: str = "batch",
        activation: str = "softmax",
        variance_scale: float = 70.0,
    ):
        super().__init__(
            in_channels,
            num_classes,
            encoder=encoder,
            width=width,
            hidden=hidden,
            layers=layers,
            heads=heads,
            mlp=mlp,
            decoder_widths=decoder_widths,
            image_size=image_size,
            dropout=dropout,
            transformer_dropout=transformer_dropout,
            norm=norm,
            activation=activation,
        )
        self.variance_transformer = self.new_transformer(embeds=False)
        self._add_variance(self.new_decoder(num_classes - 1), variance_scale)

    def outputs(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits ``(B, C, H, W)`` and variance maps ``(B, C - 1, H, W)`` in one pass."""
        self.check_images(images)
        deep, *skips = self.encoder(images)
        embedded = self.transformer.embed(deep)
        return {
            "segmentation": self.decode((self.transformer.encode(embedded), *skips)),
            "variance": self.variance((self.variance_transformer.encode(embedded), *skips)),
        }

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules that each task has for itself: a transformer and an up-sampler."""
        return {
            "segmentation": [self.transformer.layers, self.transformer.norm, self.decoder],
            "variance": [self.variance_transformer, self.variance_decoder],
        }
