"""Settings of preprocessing, and their application to a volume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from paraspine.arrays import SettingsError, check_whole
from paraspine.preprocess.bias import correct_bias
from paraspine.preprocess.intensity import scale
from paraspine.preprocess.noise import denoise
from paraspine.volumes import Volume

__all__ = ["INTENSITIES", "Preprocessing", "apply", "clean", "intensity_kind"]

INTENSITIES = ("auto", "minmax", "percentile", "window", "zscore")


@dataclass(frozen=True)
class Preprocessing:
    """Settings of `apply`; the defaults only scale intensities.

    Parameters
    ----------
    denoise : bool
        Non-local means, `paraspine.preprocess.denoise`.
    sigma : float or None
        Standard deviation of the noise in intensity units; None estimates it in each image.
    strength, patch, search, rician, across_slices
        As in `paraspine.preprocess.denoise`.
    bias_correction : bool
        N4, `paraspine.preprocess.correct_bias`.
    n4_shrink : int
        Its shrink factor.
    n4_iterations : tuple of int
        Its iterations, one number per level.
    intensity : {"auto", "minmax", "percentile", "window", "zscore"}
        How intensities come to [0, 1], as in `paraspine.preprocess.scale`; "auto" is "window"
        where a window is given (here, or by the cohort's manifest), else "minmax".
    window : (float, float) or None
        Low and high for "window".
    percentiles : (float, float)
        For "percentile".

    Raises
    ------
    SettingsError
        If a value is of the wrong type or out of range.
    """

    denoise: bool = False
    sigma: float | None = None
    strength: float = 0.8
    patch: int = 5
    search: int = 6
    rician: bool = True
    across_slices: bool = False
    bias_correction: bool = False
    n4_shrink: int = 2
    n4_iterations: tuple[int, ...] = (50, 50, 50, 50)
    intensity: str = "auto"
    window: tuple[float, float] | None = None
    percentiles: tuple[float, float] = (0.5, 99.5)

    def __post_init__(self):
        for name in ("denoise", "rician", "across_slices", "bias_correction"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name}: expected true or false, got {getattr(self, name)!r}.")
        for name in ("patch", "search", "n4_shrink"):
            object.__setattr__(self, name, check_whole(name, getattr(self, name)))
        if self.patch % 2 == 0:
            raise SettingsError(f"patch: expected an odd number of pixels, got {self.patch}.")
        if self.sigma is not None:
            _number("sigma", self.sigma)
        if _number("strength", self.strength) == 0:
            raise SettingsError("strength: expected a number above 0; denoise=False does nothing.")
        iterations = _tuple("n4_iterations", self.n4_iterations)
        if not iterations:
            raise SettingsError("n4_iterations: expected at least one number.")
        iterations = tuple(check_whole("n4_iterations", value) for value in iterations)
        object.__setattr__(self, "n4_iterations", iterations)
        if self.intensity not in INTENSITIES:
            raise SettingsError(
                f"intensity: expected one of {', '.join(INTENSITIES)}, got {self.intensity!r}."
            )
        if self.window is not None:
            object.__setattr__(self, "window", _pair("window", self.window))
        low, high = _pair("percentiles", self.percentiles)
        if low < 0 or high > 100:
            raise SettingsError(f"percentiles: expected 0 to 100, got {self.percentiles}.")
        object.__setattr__(self, "percentiles", (low, high))

    @property
    def cleans(self) -> bool:
        """Whether anything happens that is worth a cache: denoising or bias correction."""
        return self.denoise or self.bias_correction

    @classmethod
    def for_cohort(cls, metadata: Mapping, **options) -> Preprocessing:
        """Make settings for a cohort from wishes that were made for any cohort.

        What makes no sense for its kind of intensities is left out: bias correction in CT, the
        Rician correction in anything but MR. The manifest's window scales where it names one.

        Parameters
        ----------
        metadata : mapping
            The manifest's JSON block; ``metadata["intensity"]`` has ``kind`` and ``window``.
        **options
            As for the class.
        """
        kind, window = intensity_kind(metadata)
        if kind == "CT":
            options["bias_correction"] = False
        return cls(**options).suited(kind, window)

    def suited(self, kind: str, window=None) -> Preprocessing:
        """Return these settings for a cohort's kind of intensities.

        Parameters
        ----------
        kind : {"MR", "CT", "other"}
            As the manifest says. Only MR has Rician noise.
        window : (float, float) or None
            The manifest's, used where these settings name none.

        Raises
        ------
        SettingsError
            If a bias correction is asked for in CT, which has no multiplicative bias field.
        """
        if kind == "CT" and self.bias_correction:
            raise SettingsError(
                "bias_correction: the manifest says that intensities are CT, which have no coil "
                "bias field; set bias_correction=False."
            )
        return replace(
            self,
            rician=self.rician and kind == "MR",
            window=self.window if self.window is not None else window,
        )


def intensity_kind(metadata: Mapping) -> tuple[str, tuple[float, float] | None]:
    """Return what a manifest's JSON block says of its intensities.

    Parameters
    ----------
    metadata : mapping
        ``metadata["intensity"]`` is ``{"kind": ..., "window": [low, high]}``, either may be left
        out.

    Returns
    -------
    kind : str
        "MR", "CT" or "other"; "other" where nothing is said.
    window : (float, float) or None
        Low and high.
    """
    block = metadata.get("intensity") or {}
    window = block.get("window")
    return str(block.get("kind") or "other"), None if window is None else _pair("window", window)


def _number(name: str, value) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise SettingsError(f"{name}: expected a finite number of at least 0, got {value!r}.")
    return float(value)


def _tuple(name: str, value) -> tuple:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise SettingsError(f"{name}: expected several numbers, got {value!r}.")
    return tuple(value)


def _pair(name: str, value) -> tuple[float, float]:
    pair = _tuple(name, value)
    good = len(pair) == 2 and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in pair
    )
    if not good or not pair[0] < pair[1]:
        raise SettingsError(f"{name}: expected (low, high) with low below high, got {value!r}.")
    return float(pair[0]), float(pair[1])


def clean(volume: Volume, settings: Preprocessing) -> Volume:
    """Denoise and correct the bias field, as far as the settings ask for it.

    Parameters
    ----------
    volume : Volume
        An image, ``(D, H, W)``.
    settings : Preprocessing
        What to do.

    Returns
    -------
    Volume
        On the same grid, float32, in the image's own intensity units.
    """
    array = volume.array
    if settings.denoise:
        array = denoise(
            array,
            sigma=settings.sigma,
            strength=settings.strength,
            patch=settings.patch,
            search=settings.search,
            rician=settings.rician,
            across_slices=settings.across_slices,
        )
    if settings.bias_correction:
        array = correct_bias(
            array,
            volume.spacing,
            shrink=settings.n4_shrink,
            iterations=settings.n4_iterations,
        )
    return replace(volume, array=array)


def scaled(volume: Volume, settings: Preprocessing) -> Volume:
    """Bring a volume's intensities to [0, 1] as the settings say."""
    intensity = settings.intensity
    if intensity == "auto":
        intensity = "minmax" if settings.window is None else "window"
    array = scale(volume.array, intensity, window=settings.window, percentiles=settings.percentiles)
    return replace(volume, array=array)


def apply(volume: Volume, settings: Preprocessing) -> Volume:
    """Denoise, correct the bias field and scale intensities, in this order.

    Parameters
    ----------
    volume : Volume
        An image, ``(D, H, W)``.
    settings : Preprocessing
        What to do.

    Returns
    -------
    Volume
        On the same grid; float32 in [0, 1].

    Raises
    ------
    ImageError
        If intensities are not finite, or negative where MR magnitudes are expected.
    SettingsError
        If intensities are to be scaled by a window and none is given.
    """
    return scaled(clean(volume, settings), settings)
