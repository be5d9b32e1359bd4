"""Parameters of the transformations of a batch, drawn or given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch

from paraspine.arrays import SettingsError, check_spacing
from paraspine.augmentation.settings import DIRECTIONS, Augmentation

__all__ = ["Parameters", "draw", "fixed"]

#: Uniform numbers that `draw` takes from the generator for each item, whatever the settings say.
COLUMNS = 16


@dataclass(frozen=True)
class Parameters:
    """The transformations of a batch of ``B`` images, one entry per item.

    A pixel at ``p`` (row, column; relative to the image's centre) moves to
    ``A p + t``: mirroring, then scaling, then rotation, then translation.

    Attributes
    ----------
    settings : Augmentation
        What they were drawn from.
    spacing : tuple of float
        Pixel spacing (rows, columns); only its ratio matters: a rotation keeps lengths in mm.
    rotation : torch.Tensor, ``(B,)``
        Radians; positive turns the row axis towards the column axis, which is counter-clockwise
        on a screen with row 0 on top, as `numpy.rot90` and `torch.rot90` do.
    translation : torch.Tensor, ``(B, 2)``
        Fractions of height and width; positive moves content down and to the right.
    scale : torch.Tensor, ``(B,)``
        Factor; above 1 enlarges.
    mirror : torch.Tensor of bool, ``(B,)``
        Whether left and right are exchanged.
    shift, noise, smoothing : torch.Tensor, ``(B,)``
        Added intensity, standard deviation of the noise, of the blur (pixels).
    elastic : torch.Tensor, ``(B,)``
        Amplitude of the deformation, a fraction of the side.
    seed : torch.Tensor of int64, ``(B,)``
        Seeds of the item's noise and deformation; on the CPU.
    grids : dict
        The last sampling grid made from these (`paraspine.augmentation.geometry.resample`).
    """

    settings: Augmentation
    spacing: tuple[float, float]
    rotation: torch.Tensor
    translation: torch.Tensor
    scale: torch.Tensor
    mirror: torch.Tensor
    shift: torch.Tensor
    noise: torch.Tensor
    smoothing: torch.Tensor
    elastic: torch.Tensor
    seed: torch.Tensor
    grids: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rotation)

    def __getitem__(self, items) -> Parameters:
        """Return the parameters of some items: a slice, or a list or tensor of places."""
        if isinstance(items, int):
            items = [items]
        return replace(
            self,
            **{
                k: v[items.to(v.device) if isinstance(items, torch.Tensor) else items]
                for k, v in self._tensors().items()
            },
        )

    def to(self, device) -> Parameters:
        """Return the same parameters on another device; the seeds stay on the CPU."""
        tensors = self._tensors()
        del tensors["seed"]
        return replace(self, **{k: v.to(device) for k, v in tensors.items()})

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if isinstance(getattr(self, f.name), torch.Tensor)
        }


def _check_batch(batch) -> int:
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise SettingsError(f"batch: expected a whole number of at least 1, got {batch!r}.")
    return batch


def draw(
    settings: Augmentation,
    batch: int,
    *,
    generator: torch.Generator,
    device: torch.device | str | None = None,
    spacing: Sequence[float] = (1.0, 1.0),
) -> Parameters:
    """Draw the transformations of a batch.

    Every item takes the same number of draws from the generator, whatever the settings, so the
    parameters of an item depend on its place in the stream only: with a CPU generator two batches
    of 4 get what one batch of 8 gets, and switching one transformation off leaves the others as
    they were. Noise and elastic fields come from a seed of each item's own.

    Parameters
    ----------
    settings : Augmentation
        Amplitudes.
    batch : int
        Number of items ``B``.
    generator : torch.Generator
        The only source of randomness; its state moves on.
    device : optional
        Where the parameters are needed; the CPU if left out.
    spacing : (float, float)
        Pixel spacing (rows, columns) of the images.

    Returns
    -------
    drawn : Parameters
        On `device`.

    Raises
    ------
    SettingsError
        If an argument is of the wrong kind.
    """
    if not isinstance(settings, Augmentation):
        raise SettingsError(f"settings: expected an Augmentation, got {type(settings).__name__}.")
    if not isinstance(generator, torch.Generator):
        raise SettingsError(
            "generator: expected a torch.Generator with its seed set, for example "
            f"torch.Generator().manual_seed(0), got {generator!r}."
        )
    batch = _check_batch(batch)
    u = torch.rand(
        batch, COLUMNS, dtype=torch.float64, generator=generator, device=generator.device
    ).cpu()

    def happens(column: int) -> torch.Tensor:
        return (u[:, column] < settings.probability).double()

    def symmetric(column: int) -> torch.Tensor:
        return 2 * u[:, column] - 1

    if settings.direction == "any":
        moves = torch.stack([symmetric(3), symmetric(4)], dim=1)
    else:
        moves = u[:, 3:4] * torch.tensor(DIRECTIONS[settings.direction], dtype=torch.float64)
    tensors = {
        "rotation": settings.rotation * happens(0) * symmetric(1),
        "translation": settings.translation * happens(2)[:, None] * moves,
        "scale": 1 + settings.scaling * happens(5) * symmetric(6),
        "mirror": u[:, 7] < settings.mirror,
        "shift": settings.intensity_shift * happens(8) * symmetric(9),
        "noise": settings.noise * happens(10) * u[:, 15],
        "smoothing": settings.smoothing * happens(11) * u[:, 12],
        "elastic": settings.elastic * happens(13),
        "seed": (u[:, 14] * 2**53).long(),
    }
    return _parameters(settings, spacing, tensors, device)


def fixed(
    batch: int = 1,
    *,
    rotation=0.0,
    translation=(0.0, 0.0),
    scale=1.0,
    mirror=False,
    shift=0.0,
    noise=0.0,
    smoothing=0.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    spacing: Sequence[float] = (1.0, 1.0),
) -> Parameters:
    """Make parameters with given values instead of random ones.

    Each value is a number for all items or a sequence of one per item (`translation`: a pair, or
    one pair per item); units as in `Parameters`.
    """
    batch = _check_batch(batch)

    def entries(value, name: str, trailing: tuple[int, ...] = ()) -> torch.Tensor:
        try:
            tensor = torch.as_tensor(value, dtype=torch.float64, device="cpu")
            tensor = tensor.expand(batch, *trailing).clone()
        except (TypeError, ValueError, RuntimeError) as error:
            raise SettingsError(
                f"{name}: expected one value or {batch} of them, got {value!r}."
            ) from error
        if not tensor.isfinite().all():
            raise SettingsError(f"{name}: expected finite numbers, got {value!r}.")
        return tensor

    tensors = {
        "rotation": entries(rotation, "rotation"),
        "translation": entries(translation, "translation", (2,)),
        "scale": entries(scale, "scale"),
        "mirror": entries(mirror, "mirror") > 0,
        "shift": entries(shift, "shift"),
        "noise": entries(noise, "noise"),
        "smoothing": entries(smoothing, "smoothing"),
        "elastic": torch.zeros(batch, dtype=torch.float64),
        "seed": torch.arange(batch, dtype=torch.int64) + int(seed),
    }
    for name in ("noise", "smoothing"):
        if bool((tensors[name] < 0).any()):
            raise SettingsError(f"{name}: expected numbers of at least 0.")
    if bool((tensors["scale"] <= 0).any()):
        raise SettingsError("scale: expected positive factors; a factor of 0 has no inverse.")
    tensors["rotation"] = torch.remainder(tensors["rotation"] + math.pi, 2 * math.pi) - math.pi
    settings = Augmentation(
        rotation=min(float(tensors["rotation"].abs().max()), math.pi),
        translation=min(float(tensors["translation"].abs().max()), 1.0),
        scaling=min(float((tensors["scale"] - 1).abs().max()), 0.9),
        mirror=float(bool(tensors["mirror"].any())),
        intensity_shift=float(tensors["shift"].abs().max()),
        noise=float(tensors["noise"].max()),
        smoothing=float(tensors["smoothing"].max()),
    )
    return _parameters(settings, spacing, tensors, device)


def _parameters(settings, spacing, tensors: dict, device) -> Parameters:
    rows, columns = check_spacing(spacing, 2)
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    parameters = Parameters(settings=settings, spacing=(rows, columns), **tensors)
    return parameters if device is None else parameters.to(device)
