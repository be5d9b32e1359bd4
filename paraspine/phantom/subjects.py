"""Simulated subjects: sex, age, size, fat, asymmetry, heights of the levels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from paraspine.anatomy import LEVELS
from paraspine.phantom import randomness
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.shape_model import BOTH_SIDES, ODD_SIDES, SCORES

__all__ = ["HEIGHTS", "Subject", "draw", "missing"]

#: Height (mm) of each level's slice above the upper endplate of S1, in a subject of mean size:
#: discs of 10-11 mm between vertebrae of 27-28 mm.
HEIGHTS = dict(zip(LEVELS, (80.0, 66.0, 42.0, 28.0, 5.0, -13.0), strict=True))

#: Share of slices missing at each level, relative to the cohort's share (roshanzamir2022, 118
#: patients: 13 missing at L3-L4, 1 at L4-L5, 0 at L5-S1, 14 at S1; the upper levels between).
_MISSING = dict(zip(LEVELS, (2.0, 0.9, 0.15, 0.5, 0.1, 2.15), strict=True))


@dataclass(frozen=True)
class Subject:
    """One simulated person; everything that varies along the spine is a function of height."""

    seed: int
    index: int
    sex: str
    age: int
    center: int
    scale: float
    """Size of the body relative to the mean."""
    fat_logit: float
    """Log odds of fat in muscle, the mean over muscles and levels."""
    subcutaneous: float
    """Thickness (mm) of the fat behind the muscles."""
    band: bool
    """Whether a saturation band darkens the anterior abdomen."""
    missing_es: tuple[bool, bool]
    """Right, left: ES does not reach S1."""
    _cache: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """``sub-001`` for the first."""
        return f"sub-{self.index + 1:03d}"

    def height(self, level: str) -> float:
        """Height (mm) of a level's slice above S1's upper endplate."""
        return HEIGHTS[level] * self.scale

    def vary(self, name: str, z: float, length: float = 40.0) -> float:
        """A standard normal trait that changes smoothly along the spine (length in mm)."""
        return float(self.vary_many(name, 1, z, length)[0])

    def vary_many(self, name: str, count: int, z: float, length: float = 40.0) -> np.ndarray:
        """Several independent traits as `vary`, ``(count,)``."""
        key = (name, round(float(z), 6), length)
        if key not in self._cache:
            values = randomness.curves(
                self.seed, "body", self.index, name, count=count, at=z, length=length
            )
            self._cache[key] = np.clip(values, -2.6, 2.6)
        return self._cache[key]

    def trait(self, name: str) -> float:
        """A standard normal trait that holds along the whole spine."""
        return float(self.trait_many(name, 1)[0])

    def trait_many(self, name: str, count: int) -> np.ndarray:
        """Several independent traits as `trait`, ``(count,)``."""
        if name not in self._cache:
            own = randomness.stream(self.seed, "trait", self.index, name)
            self._cache[name] = np.clip(own.standard_normal(count), -2.6, 2.6)
        return self._cache[name]

    def scores(self, side: str, z: float) -> np.ndarray:
        """Scores of the shape model on one side, ``(SCORES,)``, standard normal over subjects.

        Three quarters of a score's variance hold along the whole spine; the sides go together as
        in patients.
        """
        both, odd = (
            np.sqrt(0.75) * self.trait_many(f"{part} sides", SCORES)
            + np.sqrt(0.25) * self.vary_many(f"{part} sides", SCORES, z)
            for part in ("both", "odd")
        )
        sign = 1 if side == "right" else -1
        values = BOTH_SIDES @ both + sign * (ODD_SIDES @ odd)
        return np.clip(values, -2.2, 2.2)


def draw(index: int, protocol: Protocol, config: PhantomConfig) -> Subject:
    """The `index`-th subject (from 0) of a cohort; the others need not be drawn."""
    seed = protocol.seed
    sex = "F" if randomness.golden(seed, "sex", index, 0.5 + 1e-3) < 0.5 else "M"
    age = 30 + 46 * randomness.golden(seed, "age", index, 0.7548776662466927)
    residual = _normal(randomness.golden(seed, "fat", index, 0.5698402909980532))
    own = randomness.stream(seed, "subject", index)
    size, thick, band, center = own.standard_normal(), own.standard_normal(), *own.random(2)
    missing = randomness.stream(seed, "missing muscle", index).random(2) < config.missing_muscle
    logit = -1.75 + config.fat_by_age * (age - 53) / 10 + 0.95 * residual
    logit += 0.15 if sex == "F" else -0.15
    logit = logit + np.log(config.fat) if config.fat > 0 else -np.inf
    thickness = (20.0 if sex == "F" else 15.0) * np.exp(0.4 * np.clip(thick, -2, 2))
    return Subject(
        seed=seed,
        index=index,
        sex=sex,
        age=int(age),
        center=int(center * protocol.centers),
        scale=float(np.clip(1 + (0.03 if sex == "M" else -0.03) + 0.035 * size, 0.88, 1.12)),
        fat_logit=float(logit),
        subcutaneous=float(np.clip(thickness, 5, 40)),
        band=bool(band < config.saturation_band),
        missing_es=(bool(missing[0]), bool(missing[1])),
    )


def missing(subject: Subject, level: str, config: PhantomConfig) -> bool:
    """Whether the slice at a level is missing for cropping or artefacts."""
    number = randomness.stream(subject.seed, "missing slice", subject.index, level).random()
    return bool(number < min(1.0, config.missing_slices * _MISSING[level]))


def _normal(quantile: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(quantile))
