"""Images and maps in few bytes: JPEG, one byte a pixel, outlines in mm."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np

from paraspine.arrays import SettingsError, ShapeError

#: The highest byte that stands for a value; 255 stands for "not seen".
TOP_CODE = 254


def grey_levels(image: np.ndarray) -> np.ndarray:
    """An image as bytes ``(H, W)``: black and white are its 0.5 % and 99.5 % quantiles.

    NaN becomes black.
    """
    array = np.asarray(image, dtype=float)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"image: expected (H, W), got shape {array.shape}.")
    finite = array[np.isfinite(array)]
    low, high = np.quantile(finite, [0.005, 0.995]) if finite.size else (0.0, 1.0)
    span = high - low if high > low else 1.0
    return (np.nan_to_num((array - low) / span).clip(0, 1) * 255).round().astype(np.uint8)


def picture(grey: np.ndarray) -> str:
    """A ``data:`` address of a grey picture ``(H, W)`` of bytes, as a JPEG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, format="jpeg", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def encode_map(values: np.ndarray, limit: float) -> np.ndarray:
    """A map of values in ``[0, limit]`` as bytes ``(H, W)``, a step of ``limit / 254`` each.

    Values beyond the limit become the limit; NaN (nothing was seen there) becomes 255.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"map: expected (H, W), got shape {array.shape}.")
    if not (math.isfinite(limit) and limit > 0):
        raise SettingsError(f"limit: expected a positive number, got {limit}.")
    missing = np.isnan(array)
    codes = (np.where(missing, 0, array) / limit).clip(0, 1) * TOP_CODE
    return np.where(missing, 255, codes.round()).astype(np.uint8)


def scale_ticks(limit: float, *, classes: int | None = None) -> tuple[list[float], list[str]]:
    """Ticks of a colour bar from 0 to `limit`, and their words.

    The top tick is the limit itself, and says ``ln C`` where it is that.
    """
    step = 10 ** math.floor(math.log10(limit / 2))
    step = next(s * step for s in (1, 2, 5, 10) if limit / (s * step) <= 5)
    values = [i * step for i in range(int(limit / step * 0.88) + 1)]
    top = f"{limit:.3g}" if limit < 1 else f"{limit:.2f}"
    if classes is not None and math.isclose(limit, math.log(classes), rel_tol=1e-6):
        top = f"ln {classes} = {limit:.2f}"
    return [*values, limit], [*(f"{v:.6g}" for v in values), top]


def outlines(
    mask: np.ndarray, spacing: Sequence[float]
) -> tuple[list[float | None], list[float | None]]:
    """Border of a mask ``(H, W)`` as x and y in mm, pieces apart by None.

    It runs halfway between the last pixel inside and the first outside; a mask that touches the
    image's edge is closed there. Pixel ``(0, 0)`` has its centre at ``(0, 0)``.
    """
    from skimage.measure import find_contours

    padded = np.pad(np.asarray(mask, dtype=np.uint8), 1)
    x: list[float | None] = []
    y: list[float | None] = []
    for piece in find_contours(padded, 0.5):
        if x:
            x.append(None)
            y.append(None)
        x += [round(float(v), 2) for v in (piece[:, 1] - 1) * spacing[1]]
        y += [round(float(v), 2) for v in (piece[:, 0] - 1) * spacing[0]]
    return x, y
