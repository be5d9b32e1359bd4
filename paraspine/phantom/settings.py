"""Settings of the phantom: `PhantomConfig` (knobs) and `Protocol` (grid, levels, raters, seed)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from numbers import Real

from paraspine.anatomy import LEVELS, PARASPINAL, ClassTable
from paraspine.arrays import SettingsError, SpacingError, check_spacing, check_whole

__all__ = ["PSOAS", "PhantomConfig", "Protocol", "config_from", "protocol_from"]

#: The paraspinal classes and both psoas muscles (wesselink2022).
PSOAS = ClassTable(
    (*PARASPINAL.names, "right PM", "left PM"),
    (*PARASPINAL.pairs, ("right PM", "left PM")),
    (*PARASPINAL.colours, "#CC79A7", "#009E73"),
)


@dataclass(frozen=True)
class PhantomConfig:
    """Knobs of the phantom; a change acts only where the knob acts.

    Each ingredient draws its random numbers by name, so the same subject with another value of one
    knob keeps every other ingredient: a new noise level scales the same noise, more fat fills more
    of the same streaks, another rater spread scales the same displacement.
    """

    noise: float = 14.0
    """Standard deviation of the noise of either channel (Rician in the magnitude image), in
    intensity units; subcutaneous fat has about 800, muscle 120."""
    bias_field: float = 1.0
    """Strength of the coil's sensitivity falloff: 0 none, 1 about a factor of 2 across the body."""
    partial_volume: float = 1.2
    """Width (mm) over which a tissue edge is blurred in the plane; 0 gives hard edges."""
    thickness: float = 4.0
    """Slice thickness (mm) over which the signal is averaged; 0 takes the plane alone."""
    fat: float = 1.0
    """Factor on the odds of fat in the muscles of every subject; 0 gives fat-free muscles."""
    fat_by_age: float = 0.35
    """Rise of the log odds of fat in muscle per 10 years of age."""
    saturation_band: float = 0.7
    """Share of subjects whose anterior abdomen is darkened by a saturation band."""
    rater_bias: float = 0.25
    """Standard deviation (mm) over raters of the constant by which one draws a muscle too large."""
    rater_spread: float = 0.65
    """Standard deviation (mm) of a rater's boundary displacement where the anatomy is clear."""
    rater_roughness: float = 0.25
    """Share of the displacement's variance that is short-ranged (3 mm instead of 14 mm)."""
    rater_gap: float = 0.5
    """Mean width (mm) of the strip between MF and ES that raters leave as background."""
    ambiguity: float = 1.0
    """Factor on the extra spread at the MF/ES border, posterior ES border, fatty margins and S1."""
    noise_coupling: float = 0.0
    """Relative rise of the spread per unit of local noise (noise of 14 units is 1)."""
    missing_slices: float = 0.057
    """Share of slices missing for cropping or artefacts (673 of 714 are there in roshanzamir2023),
    most at L3-L4 and S1 as in roshanzamir2022; slices only."""
    missing_muscle: float = 0.04
    """Probability, per subject and side, that ES does not reach the S1 slice."""
    single_rater: float = 0.01
    """Probability that an image was rated by one rater alone."""

    def __post_init__(self):
        for spec in dataclasses.fields(self):
            _check_knob(spec.name, getattr(self, spec.name))
            object.__setattr__(self, spec.name, float(getattr(self, spec.name)))


#: Upper limits; every knob is at least 0.
_UPPER = {
    "noise": 500.0,
    "bias_field": 5.0,
    "partial_volume": 10.0,
    "thickness": 20.0,
    "fat": 1000.0,
    "fat_by_age": 5.0,
    "saturation_band": 1.0,
    "rater_bias": 5.0,
    "rater_spread": 5.0,
    "rater_roughness": 1.0,
    "rater_gap": 10.0,
    "ambiguity": 10.0,
    "noise_coupling": 10.0,
    "missing_slices": 0.5,
    "missing_muscle": 1.0,
    "single_rater": 1.0,
}


def _check_knob(name: str, value) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SettingsError(f"{name}: expected a number, got {value!r}.")
    if not 0 <= value <= _UPPER[name]:
        raise SettingsError(f"{name}: expected 0 to {_UPPER[name]:g}, got {value}.")


@dataclass(frozen=True)
class Protocol:
    """What is imaged and by whom it is rated: the grid, the levels, the raters, the seed."""

    seed: int = 0
    raters: int = 3
    size: tuple[int, int] = (256, 256)
    spacing: tuple[float, float] = (0.7, 0.7)
    levels: tuple[str, ...] = LEVELS
    kind: str = "slices"
    slice_spacing: float = 5.0
    centers: int = 3
    psoas: bool = False

    def __post_init__(self):
        whole = {"seed": (0, 2**63), "raters": (1, 200), "centers": (1, 26)}
        for name, (low, high) in whole.items():
            object.__setattr__(self, name, check_whole(name, getattr(self, name), low, high))
        if self.kind not in ("slices", "volumes"):
            raise SettingsError(f"kind: expected 'slices' or 'volumes', got {self.kind!r}.")
        if not isinstance(self.psoas, bool):
            raise SettingsError(f"psoas: expected True or False, got {self.psoas!r}.")
        object.__setattr__(self, "size", _size(self.size))
        object.__setattr__(self, "spacing", _spacing(self.spacing))
        object.__setattr__(self, "levels", _levels(self.levels))
        height, width = (n * s for n, s in zip(self.size, self.spacing, strict=True))
        if height < 110 or width < 150:
            raise SettingsError(
                f"size and spacing: the field of view is {height:.0f} x {width:.0f} mm, but the "
                "muscles need 110 x 150 mm; take more pixels or a larger spacing."
            )
        if height > 400 or width > 400:
            raise SettingsError(
                f"size and spacing: the field of view is {height:.0f} x {width:.0f} mm, but the "
                "phantom reaches 400 x 400 mm; take fewer pixels or a smaller spacing."
            )
        gap = self.slice_spacing
        if isinstance(gap, bool) or not isinstance(gap, Real) or not 1 <= gap <= 20:
            raise SettingsError(f"slice_spacing: expected 1 to 20 mm, got {gap!r}.")
        object.__setattr__(self, "slice_spacing", float(gap))

    @property
    def classes(self) -> ClassTable:
        """The classes that are rated."""
        return PSOAS if self.psoas else PARASPINAL

    @property
    def rater_names(self) -> tuple[str, ...]:
        """``a``, ``b``, ..., or numbers where there are more than 26."""
        if self.raters <= 26:
            return tuple(chr(ord("a") + r) for r in range(self.raters))
        return tuple(f"{r + 1:03d}" for r in range(self.raters))


def _size(value) -> tuple[int, int]:
    try:
        size = tuple(value)
    except TypeError:
        size = (value,)
    if len(size) != 2:
        raise SettingsError(f"size: expected two whole numbers (rows, columns), got {value!r}.")
    return tuple(check_whole("size", n, 16, 4096) for n in size)


def _spacing(value) -> tuple[float, float]:
    try:
        return check_spacing(value, 2)
    except SpacingError as error:
        raise SettingsError(str(error)) from error


def _levels(value) -> tuple[str, ...]:
    levels = (value,) if isinstance(value, str) else tuple(value)
    if unknown := [level for level in levels if level not in LEVELS]:
        raise SettingsError(f"levels: {unknown} unknown; expected some of {', '.join(LEVELS)}.")
    if not levels or len(set(levels)) != len(levels):
        raise SettingsError(f"levels: expected at least one and none twice, got {levels}.")
    return levels


def config_from(settings: dict) -> PhantomConfig:
    """Make a `PhantomConfig` of keyword arguments; an unknown name raises `SettingsError`."""
    known = [spec.name for spec in dataclasses.fields(PhantomConfig)]
    if unknown := [name for name in settings if name not in known]:
        raise SettingsError(f"{', '.join(unknown)}: no such knob; expected {', '.join(known)}.")
    return PhantomConfig(**settings)


def protocol_from(settings: dict) -> tuple[Protocol, PhantomConfig]:
    """Split keyword arguments into a `Protocol` and `PhantomConfig`."""
    names = {spec.name for spec in dataclasses.fields(Protocol)}
    protocol = {k: v for k, v in settings.items() if k in names}
    return Protocol(**protocol), config_from({k: v for k, v in settings.items() if k not in names})
