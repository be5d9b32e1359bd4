"""A vision transformer on features: tokens in, features out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from paraspine.models.blocks import dropout_layer

__all__ = ["TransformerLayer", "VisionTransformer"]


class VisionTransformer(nn.Module):
    """Vision transformer (Dosovitskiy et al. 2021) over the pixels of a feature map.

    Parameters
    ----------
    in_channels : int
        Channels of the feature map.
    hidden, layers, heads, mlp : int
        Width of the tokens, number of layers, heads of each, width of its perceptron.
    grid : (int, int)
        Size of the feature map that positions are learned for; they are interpolated for others.
    dropout : float
        Rate after the embedding and in the perceptrons.
    embeds : bool
        Whether it has an embedding and positions; without, it takes what another has embedded.
    """

    def __init__(
        self, in_channels, hidden, layers, heads, mlp, grid, dropout: float = 0.0, embeds=True
    ):
        super().__init__()
        if embeds:
            self.embedding = nn.Conv2d(in_channels, hidden, 1)
            self.positions = nn.Parameter(torch.zeros(1, hidden, *grid))
            self.dropout = dropout_layer(dropout)
        self.layers = nn.Sequential(
            *[TransformerLayer(hidden, heads, mlp, dropout) for _ in range(layers)]
        )
        self.norm = nn.LayerNorm(hidden, eps=1e-6)
        if embeds:
            nn.init.trunc_normal_(self.positions, std=0.02)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, hidden, H, W)`` from ``(B, in_channels, H, W)``."""
        return self.encode(self.embed(values))

    def embed(self, values: torch.Tensor) -> torch.Tensor:
        """Embed features and add the positions: ``(B, hidden, H, W)``."""
        size = values.shape[2:]
        positions = self.positions
        if positions.shape[2:] != size:
            positions = F.interpolate(
                positions.float(), size=tuple(size), mode="bicubic", align_corners=False
            ).to(positions.dtype)
        return self.dropout(self.embedding(values) + positions)

    def encode(self, embedded: torch.Tensor) -> torch.Tensor:
        """Compute ``(B, hidden, H, W)`` from what `embed` gave."""
        tokens = self.norm(self.layers(embedded.flatten(2).transpose(1, 2)))
        tokens = tokens.transpose(1, 2).unflatten(2, embedded.shape[2:])
        return tokens.contiguous(memory_format=torch.channels_last)


class TransformerLayer(nn.Module):
    """Attention and a perceptron, each after its normalisation and around a shortcut."""

    def __init__(self, hidden: int, heads: int, mlp: int, dropout: float = 0.0):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(hidden, eps=1e-6)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.norm2 = nn.LayerNorm(hidden, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(hidden, mlp),
            nn.GELU(),
            dropout_layer(dropout),
            nn.Linear(mlp, hidden),
            dropout_layer(dropout),
        )
        for layer in (self.qkv, self.out, self.mlp[0], self.mlp[3]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def attend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Self-attention of tokens ``(B, N, hidden)``."""
        parts = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = _attention(*parts)
        return self.out(found.transpose(1, 2).flatten(2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Compute tokens ``(B, N, hidden)``."""
        tokens = tokens + self.attend(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


def _attention(queries, keys, values: torch.Tensor) -> torch.Tensor:
    """Scaled dot-product attention of ``(B, heads, N, d)``.

    In bf16 on a CPU the products are written out, in half the time of torch's own and less.
    """
    if queries.device.type != "cpu" or queries.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(queries, keys, values)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    return scores.softmax(-1) @ values
