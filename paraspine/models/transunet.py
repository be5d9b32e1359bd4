"""TransUNet (Chen et al. 2021), as roshanzamir2022 and roshanzamir2023 use it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
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
from paraspine.models.enlarge import Twofold
from paraspine.models.network import Features, Network
from paraspine.models.resnet import ENCODERS
from paraspine.models.transformer import VisionTransformer

__all__ = ["TransUNet"]


class TransUNet(Network):
    """A residual encoder, a vision transformer on its deepest features, a cascaded up-sampler.

    The up-sampler has 4 levels of two conv-norm-ReLU blocks, each with dropout, so 8 dropout
    layers; 3 skips join it from the encoder. Any image whose sides are multiples of 16 will do.

    Parameters
    ----------
    in_channels, num_classes : int
        Channels of the images; classes including background.
    encoder : str
        "resnet34" (roshanzamir2022) or "resnet50" (the original's R50).
    width : int
        Channels of the encoder's first stage; what is not given below follows from it.
    hidden : int, optional
        Width of the transformer's tokens; 12 times `width` (768).
    layers : int
        Transformer layers.
    heads : int, optional
        Attention heads; one for every 64 channels of `hidden` (12).
    mlp : int, optional
        Width of the transformer's perceptrons; 4 times `hidden` (3072).
    decoder_widths : sequence of 4 int, optional
        Channels of the up-sampler's levels: 4, 2, 1 and 1/4 times `width`, but at least 16
        (256, 128, 64, 16).
    image_size : int
        Side of the square images that positions are learned for.
    dropout : float
        Rate in each block of the up-sampler.
    transformer_dropout : float
        Rate inside the transformer, while training only; the authors' code has 0.1. Test-time
        dropout doesn't sample it.
    norm : str
        "batch", "instance" or "group", of the up-sampler and of ResNet-34.
    activation : str
        "softmax", "normalised_relu" or "normalised_relu_by_class", see `Network`.

    Raises
    ------
    SettingsError
        If an option is of the wrong type or out of range.
    """

    name = "transunet"

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
    ):
        width = check_count("width", width)
        hidden = check_count("hidden", 12 * width if hidden is None else hidden)
        heads = check_count("heads", max(1, hidden // 64) if heads is None else heads)
        if hidden % heads:
            raise SettingsError(
                f"heads: expected a divisor of hidden = {hidden}, got {heads}; each head takes an "
                "equal share."
            )
        if decoder_widths is None:
            decoder_widths = [max(16, width * part // 4) for part in (16, 8, 4, 1)]
        widths = check_counts("decoder_widths", decoder_widths)
        if len(widths) != 4:
            raise SettingsError(f"decoder_widths: expected 4 whole numbers, got {len(widths)}.")
        if check_count("image_size", image_size) % 16:
            raise SettingsError(f"image_size: expected a multiple of 16, got {image_size}.")
        rate = check_rate("dropout", dropout)
        settings = {
            "name": self.name,
            "in_channels": check_count("in_channels", in_channels),
            "num_classes": check_count("num_classes", num_classes, at_least=2),
            "encoder": check_choice("encoder", encoder, tuple(ENCODERS)),
            "width": width,
            "hidden": hidden,
            "layers": check_count("layers", layers),
            "heads": heads,
            "mlp": check_count("mlp", 4 * hidden if mlp is None else mlp),
            "decoder_widths": widths,
            "image_size": int(image_size),
            "dropout": rate,
            "transformer_dropout": check_rate("transformer_dropout", transformer_dropout),
            "norm": norm,
            "activation": check_choice("activation", activation, ACTIVATIONS),
        }
        super().__init__(settings, divisor=16)
        self.encoder = ENCODERS[encoder](in_channels, width, norm)
        initialise(self.encoder)
        self.transformer = self.new_transformer()
        self.decoder = self.new_decoder(num_classes)

    def new_transformer(self, embeds: bool = True) -> VisionTransformer:
        """Build a transformer on the encoder's deepest features, or on what another embedded."""
        own = self.settings
        return VisionTransformer(
            self.encoder.out_channels,
            own["hidden"],
            own["layers"],
            own["heads"],
            own["mlp"],
            (own["image_size"] // 16, own["image_size"] // 16),
            own["transformer_dropout"],
            embeds,
        )

    def new_decoder(self, out_channels: int) -> Decoder:
        """Build an up-sampler of the transformer's features."""
        own = self.settings
        return up_sampler(
            own["hidden"],
            8 * own["width"],
            own["decoder_widths"],
            self.encoder.skip_channels,
            out_channels,
            own["norm"],
            own["dropout"],
        )

    def features(self, images: torch.Tensor) -> Features:
        """Compute the transformer's features and the encoder's, deepest first."""
        deep, *skips = self.encoder(images)
        return self.transformer(deep), *skips

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules that each task has for itself: a transformer and an up-sampler."""
        return {"segmentation": [self.transformer, self.decoder]}


def up_sampler(
    hidden: int,
    entry: int,
    widths: Sequence[int],
    skips: Sequence[int],
    out_channels: int,
    norm: str,
    dropout: float,
) -> Decoder:
    """Build TransUNet's cascaded up-sampler: an entry block, then levels of bilinear enlargement.

    Parameters
    ----------
    hidden, entry : int
        Channels that come in, and that the entry block makes of them.
    widths : sequence of int
        Channels of the levels.
    skips : sequence of int
        Channels of the skips from deep to shallow; the levels that are left go without.
    out_channels : int
        Channels that come out.
    norm, dropout
        Of the blocks; the entry block has no dropout.
    """
    skips = [*skips, *[0] * (len(widths) - len(skips))]
    levels = [
        Level(
            Twofold(),
            before,
            skip,
            after,
            norm,
            dropout,
        )
        for before, skip, after in zip([entry, *widths], skips, widths, strict=False)
    ]
    decoder = Decoder(
        ConvBlock(hidden, entry, norm), levels, nn.Conv2d(widths[-1], out_channels, 3, padding=1)
    )
    initialise(decoder.entry)
    initialise(decoder.levels)
    return decoder
