"""What a network is trained on, checked and brought to the device once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from paraspine.arrays import ImageError, LabelError, ProbabilityError, SettingsError, ShapeError
from paraspine.augmentation import Augmentation, check_mirror

__all__ = ["Data", "Images", "Maps", "Targets", "check", "digest"]


@dataclass
class Data:
    """Images and targets in memory.

    Parameters
    ----------
    train_images : array or tensor, ``(N, channels, *spatial)``
        Intensities, scaled to about [0, 1].
    train_targets : callable or array
        ``train_targets(epoch)`` gives the targets of an epoch, the first being 0: class numbers
        ``(N, *spatial)``, integers, or soft labels ``(N, C, *spatial)``, floats. It must be a
        function of the epoch alone (`paraspine.slices.targets` is), or a resumed run would see
        others. An array stands for the same targets in every epoch.
    validation_images : array or tensor, ``(M, channels, *spatial)``, or None
        None trains to the last epoch and keeps the last weights.
    validation_targets : callable or array, or None
        As `train_targets`.
    num_classes : int
        ``C``, with background.
    mirror : sequence of int, ``(C,)``, optional
        Which class each becomes in a mirrored image; needed if the augmentation mirrors.
    spacing : (float, float)
        Pixel spacing (rows, columns); only its ratio matters, for rotations.
    train_variance, validation_variance : array or tensor, ``(N, C - 1, *spatial)``, optional
        Variance maps of the raters, as `paraspine.fusion.variance_map` gives them, for networks and
        losses that have that task too; NaN in all of an image where it is not known.
    """

    train_images: np.ndarray | torch.Tensor
    train_targets: Callable[[int], np.ndarray | torch.Tensor] | np.ndarray | torch.Tensor
    validation_images: np.ndarray | torch.Tensor | None
    validation_targets: Callable[[int], np.ndarray | torch.Tensor] | np.ndarray | None
    num_classes: int
    mirror: Sequence[int] | None = None
    spacing: Sequence[float] = (1.0, 1.0)
    train_variance: np.ndarray | torch.Tensor | None = None
    validation_variance: np.ndarray | torch.Tensor | None = None


def check(
    data: Data, augmentation: Augmentation | None, tasks: Sequence[str] = ("segmentation",)
) -> None:
    """Raise an error if the parts of the data do not fit together, the augmentation or the loss."""
    classes = data.num_classes
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise SettingsError(f"num_classes: expected at least 2 with background, got {classes!r}.")
    if (data.validation_images is None) != (data.validation_targets is None):
        raise SettingsError("validation: expected images and targets, or neither; got one of them.")
    if "variance" in tasks:
        for side in ("train", "validation"):
            images, maps = getattr(data, f"{side}_images"), getattr(data, f"{side}_variance")
            if (images is None) != (maps is None):
                raise SettingsError(
                    f"{side} variance: the loss compares variance maps, so expected one for each "
                    f"of the {side} images; got {'none' if maps is None else 'no such images'}."
                )
    if augmentation is not None:
        check_mirror(augmentation, data.mirror, classes)
        if np.ndim(data.train_images) > 4:
            raise ShapeError(
                "train images: augmentation expects (N, channels, H, W), got shape "
                f"{tuple(np.shape(data.train_images))}; train volumes with augmentation=None."
            )


def _tensor(values) -> torch.Tensor:
    """A tensor of any array's values; copied where torch could not share the memory."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    return torch.as_tensor(np.require(array, requirements=["C", "W"]))


class Images:
    """Images on the device.

    Parameters
    ----------
    images : array or tensor, ``(N, channels, *spatial)``
        Converted to float32.
    device : torch.device
        Where they go.
    name : str
        How messages call them.

    Raises
    ------
    ShapeError, ImageError
        If there are none, they have no channel axis, or hold NaN or infinity.
    """

    def __init__(self, images, device: torch.device, name: str):
        tensor = _tensor(images)
        if tensor.ndim < 4 or len(tensor) < 1:
            raise ShapeError(
                f"{name} images: expected (N, channels, *spatial) with at least one image, got "
                f"shape {tuple(tensor.shape)}."
            )
        if not torch.isfinite(tensor).all():
            place = int((~torch.isfinite(tensor)).flatten(1).any(1).nonzero()[0])
            raise ImageError(f"{name} images: image {place} holds NaN or infinity; leave it out.")
        self.tensor = tensor.to(device=device, dtype=torch.float32)
        self.spatial = tuple(tensor.shape[2:])

    def __len__(self) -> int:
        return len(self.tensor)


class Maps:
    """Variance maps of all images on the device.

    Parameters
    ----------
    maps : array or tensor, ``(N, C - 1, *spatial)``
        As in `Data`.
    images : Images
        Those that they belong to.
    num_classes : int
        ``C``.
    name : str
        How messages call them.
    needed : bool
        Whether an image at least must have one.

    Attributes
    ----------
    tensor : torch.Tensor, ``(N, C - 1, *spatial)``, float32
        0 where it is not known.
    known : torch.Tensor of bool, ``(N,)``
        Whether an image has one.

    Raises
    ------
    ShapeError, ImageError
        If they do not fit the images, are negative, infinite or unknown in parts of an image, or
        are needed and no image has one.
    """

    def __init__(self, maps, images: Images, num_classes: int, name: str, needed: bool = True):
        tensor = _tensor(maps)
        wanted = (len(images), num_classes - 1, *images.spatial)
        if not tensor.is_floating_point() or tuple(tensor.shape) != wanted:
            raise ShapeError(
                f"{name} variance: expected one map per foreground class, {wanted} (floats), got "
                f"{tensor.dtype} {tuple(tensor.shape)}."
            )
        unknown = tensor.flatten(1).isnan()
        self.known = ~unknown.any(1)
        if not bool((unknown.all(1) | self.known).all()):
            place = int((unknown.any(1) & ~unknown.all(1)).nonzero()[0])
            raise ImageError(f"{name} variance: image {place} is NaN in parts; all of it, or none.")
        if needed and not bool(self.known.any()):
            raise ImageError(
                f"{name} variance: not known in any image, so there is nothing to learn from; it "
                "takes images that two or more raters rated."
            )
        tensor = torch.where(tensor.isnan(), 0.0, tensor.float())
        if not bool(((tensor >= 0) & tensor.isfinite()).all()):
            raise ImageError(f"{name} variance: expected finite numbers of at least 0.")
        self.tensor = tensor.to(images.tensor.device)
        self.known = self.known.to(images.tensor.device)

    def __getitem__(self, chosen) -> torch.Tensor:
        """Maps of some images, NaN where not known."""
        return self.mark(self.tensor[chosen], chosen)

    def mark(self, maps: torch.Tensor, chosen) -> torch.Tensor:
        """Set the maps of those images that have none to NaN."""
        known = self.known[chosen]
        known = known.view(-1, *(1 for _ in maps.shape[1:]))
        return torch.where(known, maps, torch.nan)


class Targets:
    """Targets of an epoch on the device; what is the same as in the last epoch stays there.

    Parameters
    ----------
    targets : callable or array
        As in `Data`.
    images : Images
        Those that they belong to.
    num_classes : int
        ``C``.
    name : str
        How messages call them.
    """

    def __init__(self, targets, images: Images, num_classes: int, name: str):
        self._function = targets if callable(targets) else lambda epoch: targets
        self._images, self._classes, self._name = images, num_classes, name
        self._last = self._tensor = None

    def raw(self, epoch: int):
        """What the caller's function gives."""
        return self._function(epoch)

    def __call__(self, epoch: int) -> torch.Tensor:
        """Targets of an epoch: integers ``(N, *spatial)`` or float32 ``(N, C, *spatial)``.

        Raises
        ------
        ShapeError, LabelError, ProbabilityError
            If they do not fit the images or hold anything but classes or soft labels.
        """
        found = self._function(epoch)
        if found is not self._last:
            self._tensor = self._checked(found, epoch).to(self._images.tensor.device)
            self._last = found
        return self._tensor

    def _checked(self, found, epoch: int) -> torch.Tensor:
        tensor = _tensor(found)
        n, spatial = len(self._images), self._images.spatial
        hard, soft = (n, *spatial), (n, self._classes, *spatial)
        where = f"{self._name} targets of epoch {epoch}"
        if tensor.is_floating_point() and tensor.shape == soft:
            tensor = tensor.float()
            if not bool((tensor >= 0).all()) or not bool((tensor.sum(1) - 1).abs().max() < 1e-3):
                raise ProbabilityError(
                    f"{where}: expected soft labels of at least 0 that sum to 1 over classes; "
                    "leave out images that nobody rated (NaN)."
                )
            return tensor
        if tensor.is_floating_point() or tensor.shape != hard:
            raise ShapeError(
                f"{where}: expected class numbers {hard} (integers) or soft labels {soft} "
                f"(floats), got {tensor.dtype} {tuple(tensor.shape)}."
            )
        tensor = tensor.to(torch.int64)
        low, high = (int(v) for v in torch.aminmax(tensor))
        if low < 0 or high >= self._classes:
            raise LabelError(
                f"{where}: expected classes 0 to {self._classes - 1}, got {low} to {high}."
            )
        return tensor.to(torch.uint8) if self._classes <= 256 else tensor


def digest(values) -> str:
    """Name of an array's content: its type, shape and SHA-256."""
    array = np.ascontiguousarray(
        values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    )
    name = hashlib.sha256(array.data if array.size else b"").hexdigest()[:16]
    return f"{array.dtype} {'x'.join(map(str, array.shape))} {name}"
