r"""Training losses for hard and for soft targets, all computed in float32.

Notation: ``p`` are probabilities (softmax of the logits over classes, unless an activation is
given), ``g`` the target: one-hot of a label map, or a soft label. ``w_c`` are class weights, 1
unless given.

On a GPU every loss is a dense sum over classes, without scatter operations, so that it gives the
same bits each time.
"""

from paraspine.losses.activation import ACTIVATIONS, normalised_relu, probabilities
from paraspine.losses.overlap import cross_entropy, dice, dice_ce, dice_focal
from paraspine.losses.registry import build, compares, known_options, multitask
from paraspine.losses.wing import adaptive_wing

__all__ = [
    "ACTIVATIONS",
    "adaptive_wing",
    "build",
    "compares",
    "cross_entropy",
    "dice",
    "dice_ce",
    "dice_focal",
    "known_options",
    "multitask",
    "normalised_relu",
    "probabilities",
]
