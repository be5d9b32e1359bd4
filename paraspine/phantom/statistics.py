"""Shape statistics and muscle volumes of the phantom and of real patients."""

from __future__ import annotations

import numpy as np

from paraspine.arrays import check_label_map
from paraspine.phantom.settings import protocol_from
from paraspine.phantom.simulate import true_outlines
from paraspine.phantom.subjects import draw

__all__ = ["REAL_SHAPES", "REAL_VOLUMES", "muscle_volumes", "shape_statistics"]

#: Quantiles (5, 25, 50, 75, 95 %) of `shape_statistics` over 411 patients at L4-L5: T2w masks of
#: 3Shot-LPM-Seg (Apache-2.0) on the Lumbar Spine MRI Dataset (doi 10.17632/k57fr854j2.2), left and
#: right pooled, on their 320 x 320 pixels.
REAL_SHAPES: dict[str, tuple[float, float, float, float, float]] = {
    "MF area": (0.01413, 0.01741, 0.01951, 0.02243, 0.02652),
    "MF aspect": (1.1306, 1.3029, 1.4744, 1.6541, 1.9693),
    "MF solidity": (0.9508, 0.9670, 0.9723, 0.9761, 0.9805),
    "MF distance": (0.1375, 0.1522, 0.1645, 0.1770, 0.1988),
    "MF asymmetry": (0.0051, 0.0272, 0.0605, 0.0996, 0.1726),
    "ES area": (0.01859, 0.02396, 0.02751, 0.03163, 0.03902),
    "ES aspect": (1.0625, 1.1543, 1.2576, 1.3866, 1.8059),
    "ES solidity": (0.8958, 0.9291, 0.9463, 0.9586, 0.9708),
    "ES distance": (0.3572, 0.3902, 0.4122, 0.4338, 0.4617),
    "ES asymmetry": (0.0083, 0.0382, 0.0807, 0.1363, 0.2650),
    "MF:ES": (0.4707, 0.5942, 0.7030, 0.8510, 1.1370),
    "MF-ES distance": (0.1109, 0.1235, 0.1318, 0.1392, 0.1511),
}


#: Volumes (ml) over L1-L5, mean of both sides: mean and standard deviation over 76 people
#: (wesselink2022, results).
REAL_VOLUMES: dict[str, tuple[float, float]] = {
    "MF": (120.3, 26.4),
    "ES": (297.5, 73.0),
    "PM": (158.8, 55.8),
}


def muscle_volumes(subject: int, *, step: float = 17.8, **settings) -> dict[str, float]:
    """Volumes (ml) of MF, ES and PM from the lower endplate of L5 to the upper one of L1.

    Parameters
    ----------
    subject : int
        Number of the subject, from 1.
    step : float
        Distance (mm, in a body of mean size) of the slices that are summed.
    **settings
        As in `simulate`, but for the grid, which is coarse (2 mm).

    Returns
    -------
    dict of str to float
        Mean of both sides.
    """
    settings = {**settings, "size": (90, 100), "spacing": (2.0, 2.0), "psoas": True}
    protocol, config = protocol_from({**settings, "kind": "slices"})
    scale = draw(subject - 1, protocol, config).scale
    heights = np.arange(10 + step / 2, 188, step)
    counts = sum(
        np.bincount(true_outlines(subject, height=z, **settings).ravel(), minlength=7)
        for z in heights
    )
    volumes = counts[1:].reshape(3, 2).mean(axis=1) * 2.0**2 * step * scale / 1000
    return dict(zip(REAL_VOLUMES, map(float, volumes), strict=True))


def shape_statistics(labels) -> dict[str, tuple[float, ...]]:
    """Size, form and place of both MF and ES in one slice.

    Parameters
    ----------
    labels : array-like, ``(H, W)``
        Right MF, left MF, right ES, left ES are 1 to 4 (`paraspine.anatomy.PARASPINAL`); pixels are
        taken as square.

    Returns
    -------
    dict of tuple of float
        Empty tuples where a muscle it needs is absent. Per muscle ``MF`` and ``ES``, a value for
        each side: ``area`` (share of the slice), ``aspect`` (major over minor axis of the ellipse
        with the same second moments), ``solidity`` (area over that of the convex hull); one value
        each: ``distance`` between the sides' centroids (share of the slice's width), ``asymmetry``
        (absolute difference of areas over their mean). ``MF:ES`` (ratio of areas) and ``MF-ES
        distance`` (share of the width) have a value for each side.
    """
    from skimage.measure import regionprops

    array = check_label_map(labels, 5)
    found = {region.label: region for region in regionprops(array.astype(np.uint8))}
    result: dict[str, tuple[float, ...]] = {}
    for name, pair in (("MF", (1, 2)), ("ES", (3, 4))):
        both = [found[k] for k in pair if k in found]
        result[f"{name} area"] = tuple(float(r.area) / array.size for r in both)
        result[f"{name} aspect"] = tuple(
            float(r.axis_major_length / r.axis_minor_length) for r in both if r.axis_minor_length
        )
        result[f"{name} solidity"] = tuple(float(r.solidity) for r in both)
        if len(both) == 2:
            areas = np.array([r.area for r in both], dtype=float)
            result[f"{name} distance"] = (_apart(*both) / array.shape[1],)
            result[f"{name} asymmetry"] = (float(abs(areas[0] - areas[1]) / areas.mean()),)
        else:
            result[f"{name} distance"] = result[f"{name} asymmetry"] = ()
    sides = [(found[m], found[e]) for m, e in ((1, 3), (2, 4)) if m in found and e in found]
    result["MF:ES"] = tuple(float(m.area / e.area) for m, e in sides)
    result["MF-ES distance"] = tuple(_apart(m, e) / array.shape[1] for m, e in sides)
    return result


def _apart(first, second) -> float:
    return float(np.hypot(*np.subtract(first.centroid, second.centroid)))
