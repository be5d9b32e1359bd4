"""Settings of the random transformations, and checks of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paraspine.arrays import SettingsError

__all__ = ["DIRECTIONS", "Augmentation", "check_invertible", "check_mirror", "of_training"]

#: Ways that images move, as steps along (rows, columns).
DIRECTIONS = {"any": None, "down": (1, 0), "up": (-1, 0), "right": (0, 1), "left": (0, -1)}


@dataclass(frozen=True)
class Augmentation:
    """Amplitudes of the random transformations; 0 switches one off.

    The defaults are the kinds and amplitudes of roshanzamir2023's published code, where moreover
    each happens with a `probability` of 0.1 and images move one way along one axis.

    Parameters
    ----------
    rotation : float
        Largest angle in radians; drawn uniformly from ``[-rotation, rotation]``.
    translation : float
        Largest shift as a fraction of the image's side (rows: height, columns: width); drawn
        uniformly.
    direction : "any", "down", "up", "right" or "left"
        Where images move: ``"any"`` is from ``-translation`` to ``translation`` along each axis on
        its own, all others from 0 to `translation` that way.
    scaling : float
        Largest relative change of size: the factor is uniform in ``[1 - scaling, 1 + scaling]``.
    mirror : float
        Probability of exchanging left and right (the last image axis).
    intensity_shift : float
        Largest number added to all intensities of an image; uniform in ``[-shift, shift]``.
        Images are expected to be scaled to about [0, 1].
    noise : float
        Largest standard deviation of the Gaussian noise added to every pixel; uniform in
        ``[0, noise]``.
    smoothing : float
        Largest standard deviation, in pixels, of a Gaussian blur; uniform in ``[0, smoothing]``.
    elastic : float
        Largest displacement, as a fraction of the side, of the control points of a smooth
        deformation. It has no inverse, so it is for training only.
    elastic_points : int
        Control points along each axis.
    probability : float
        Chance with which each transformation (other than `mirror`, which has its own) happens to
        an item, each decided on its own.

    Raises
    ------
    SettingsError
        If a number is of the wrong type or out of range.
    """

    rotation: float = 0.09
    translation: float = 50 / 256
    direction: str = "any"
    scaling: float = 0.0
    mirror: float = 0.0
    intensity_shift: float = 0.2
    noise: float = 0.1
    smoothing: float = 0.0
    elastic: float = 0.0
    elastic_points: int = 5
    probability: float = 1.0

    def __post_init__(self):
        if self.direction not in DIRECTIONS:
            known = ", ".join(DIRECTIONS)
            raise SettingsError(f"direction: expected one of {known}, got {self.direction!r}.")
        points = self.elastic_points
        if isinstance(points, bool) or not isinstance(points, int) or points < 2:
            raise SettingsError(
                f"elastic_points: expected a whole number of at least 2, got {points!r}."
            )
        # A cubic curve through control points climbs at most 1.5 times as steeply as the straight
        # line, so displacements beyond a third of a cell could fold the image over itself.
        ranges = {
            "rotation": (math.pi, "at most pi (radians)"),
            "translation": (1.0, "at most 1 (a fraction of the image's side)"),
            "scaling": (0.9, "at most 0.9; a factor of 0 would have no inverse"),
            "mirror": (1.0, "at most 1 (a probability)"),
            "intensity_shift": (math.inf, "finite"),
            "noise": (math.inf, "finite"),
            "smoothing": (math.inf, "finite (pixels)"),
            "elastic": (
                1 / (3 * (points - 1)),
                f"at most 1 / (3 (elastic_points - 1)) = {1 / (3 * (points - 1)):.4g}, "
                "beyond which the image would fold over itself",
            ),
            "probability": (1.0, "at most 1"),
        }
        for name, (limit, words) in ranges.items():
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not 0 <= value <= limit:
                raise SettingsError(
                    f"{name}: expected a number of at least 0 and {words}, got {value!r}."
                )
            object.__setattr__(self, name, float(value))

    @property
    def geometric(self) -> bool:
        """Whether anything moves."""
        return any((self.rotation, self.translation, self.scaling, self.mirror, self.elastic))

    @property
    def invertible(self) -> bool:
        """Whether every geometric part has an inverse, as test-time augmentation needs."""
        return self.elastic == 0


#: Settings of a training that its test-time augmentation has too.
SAMPLED = (
    *("rotation", "translation", "direction", "scaling"),
    *("intensity_shift", "noise", "smoothing", "probability"),
)


def of_training(parameters: Mapping) -> Augmentation:
    """Test-time augmentation as in a training, from the training's parameters; never mirrored."""
    return Augmentation(**{name: parameters[name] for name in SAMPLED})


def check_invertible(settings: Augmentation) -> None:
    """Raise `SettingsError` if a geometric part has no inverse, as test-time augmentation needs."""
    if not settings.invertible:
        raise SettingsError(
            f"elastic: a deformation (here {settings.elastic:g}) has no inverse, so predictions "
            "cannot be brought back to the image; set elastic=0 for test-time augmentation."
        )


def check_mirror(
    settings: Augmentation, mirror_classes: Sequence[int] | None, num_classes: int | None = None
) -> tuple[int, ...] | None:
    """Return the classes' mirror permutation after checking that mirroring has one.

    Parameters
    ----------
    settings : Augmentation
        If ``settings.mirror`` is above 0, `mirror_classes` must be given.
    mirror_classes : sequence of int, ``(C,)``, or None
        ``mirror_classes[old] = new``: the class that a structure becomes in a mirrored image,
        as `paraspine.anatomy.ClassTable.mirror` gives it; classes without sides stay.
    num_classes : int, optional
        ``C``, where it is known.

    Raises
    ------
    SettingsError
        If classes are needed and missing, or are no exchange of classes that keeps background.
    """
    if mirror_classes is None:
        if settings.mirror > 0:
            raise SettingsError(
                f"mirror: images are mirrored (probability {settings.mirror:g}) but no "
                "mirror_classes were given, so left structures would be taught as right ones; "
                "pass the class table's `mirror`, or set mirror=0. The table has none where "
                "classes are named left or right and stand in no pair: name them in the "
                "`mirror_pairs` of the manifest's JSON file."
            )
        return None
    swap = tuple(int(c) for c in mirror_classes)
    exchange = sorted(swap) == list(range(len(swap))) and all(
        swap[new] == old for old, new in enumerate(swap)
    )
    if not swap or not exchange or swap[0] != 0:
        raise SettingsError(
            "mirror_classes: expected an exchange of classes, each number from 0 to C - 1 once, "
            f"background staying 0, the same twice giving back the original; got {swap}."
        )
    if num_classes is not None and len(swap) != num_classes:
        raise SettingsError(
            f"mirror_classes: expected {num_classes} entries, one per class with background, "
            f"got {len(swap)}."
        )
    return swap
