"""Statistical shape model of multifidus and erector spinae at L4-L5, of 411 patients' masks.

The numbers come from the T2w masks of 3Shot-LPM-Seg (Apache-2.0) on the Lumbar Spine MRI Dataset
(doi 10.17632/k57fr854j2.2): 320 x 320 pixels, spacing not stated, taken as 0.625 mm (a field of
view of 200 mm, which gives the muscles the areas that wesselink2022's volumes ask for). No mask is
stored: only means, principal modes and quantiles over patients.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ANGLES", "BOTH_SIDES", "ODD_SIDES", "SCORES", "outlines"]

#: Angles (rad) at which an outline's radius is given; 0 is lateral, pi / 2 posterior.
ANGLES = np.arange(24) * 2 * np.pi / 24

# One side of one patient is 52 numbers: the centroids of MF and ES (mm lateral of the midline, mm
# posterior of the mean of both MF centroids; here in 0.01 mm) and the logarithm of either
# outline's radius (mm) around its centroid (in 0.001). Ten principal modes of 820 sides, each
# scaled to unit variance, hold 97 % of the variance.
_MEAN = """
1652 0 4110 -864 2488 2562 2691 2826 2897 2900 2865 2823 2782 2743 2682 2608 2567 2583 2653 2758
2850 2885 2900 2944 2845 2645 2522 2473 2948 2881 2826 2812 2845 2910 2998 3104 3083 2864 2705 2648
2670 2766 2911 3052 3088 3006 2907 2844 2827 2862 2937 2985
"""
_MODES = """
-154 13 -258 268 -129 -151 -158 -120 -57 -10 3 -6 -29 -61 -95 -114 -117 -116 -110 -92
-64 -39 -34 -25 -7 -38 -73 -102 -19 -9 -10 -16 -23 -33 -47 -44 31 64 12 -32
-68 -99 -104 -63 8 41 30 8 -17 -38 -51 -39

3 34 215 213 -10 -30 -48 -44 -7 18 20 14 10 5 4 3 1 -5 -9 -15
-16 -11 -7 4 51 48 28 11 140 117 85 59 34 12 -7 19 164 182 138 111
91 78 74 77 67 38 38 48 72 97 124 145

88 33 9 80 69 80 84 58 16 -4 -3 4 17 36 58 67 63 56 48 42
31 16 12 9 14 25 42 57 -94 -54 -21 -7 -3 -6 -8 -51 -141 -140 -121 -109
-95 -81 -62 -42 -25 -12 -29 -56 -92 -126 -149 -137

-7 2 20 -2 11 8 -7 -51 -106 -134 -130 -103 -67 -28 -4 -1 -6 -13 -27 -54
-92 -118 -124 -117 -49 -12 1 10 12 -15 -39 -61 -83 -101 -110 -108 -40 12 17 21
30 37 19 -30 -95 -125 -122 -102 -72 -37 0 24

1 -38 -8 12 10 30 43 38 17 -2 -13 -20 -23 -24 -20 -15 -5 9 21 32
29 17 15 -2 -75 -60 -34 -10 47 61 60 57 50 35 15 -19 -63 -29 -6 13
34 56 79 77 33 -17 -38 -46 -42 -31 -16 18

-20 61 -6 -3 12 24 38 45 28 9 1 2 2 2 6 7 5 5 8 18
33 33 21 8 -29 -23 -11 1 17 -1 -10 -13 -12 -5 1 23 -12 -28 -4 14
26 35 38 27 -8 -32 -37 -29 -11 9 28 34

9 -23 -1 9 -13 -9 0 20 37 34 25 16 6 -2 -6 -5 1 7 14 17
18 20 28 34 12 -12 -15 -14 -4 -42 -58 -56 -48 -35 -17 25 29 -16 -16 -8
-7 -6 3 3 -28 -49 -49 -37 -9 29 60 47

-31 -9 7 -4 25 16 6 0 1 10 24 35 41 37 22 12 6 7 6 5
9 13 14 17 38 40 36 31 30 28 13 -3 -17 -27 -32 -28 0 3 -6 -10
-15 -16 -8 6 13 -1 -18 -31 -37 -40 -31 4

8 7 8 -5 -51 -42 -22 11 25 16 6 6 8 5 -4 -17 -26 -31 -32 -24
-6 14 29 33 6 -27 -46 -53 9 10 6 -1 -10 -18 -22 -22 -8 3 17 22
12 -3 -12 -10 2 8 -2 -17 -35 -47 -43 -11

20 8 -11 -3 6 -7 -20 -32 -22 -4 7 10 10 6 0 -7 -13 -15 -16 -14
-11 -15 -9 5 9 12 14 11 45 35 16 2 -5 -7 -4 17 29 -8 -17 -21
-20 -13 8 40 41 3 -17 -22 -12 -2 13 38
"""

# How the scores of the two sides go together: Cholesky factors (in 0.001) of the covariance of half
# their sum and half their difference.
_BOTH = """
970
-66 865
-94 -159 859
-1 -43 -21 974
54 194 200 33 772
-65 -235 -299 -19 415 356
14 40 99 -27 -133 729 424
51 58 -10 -14 -21 238 -430 709
-49 -74 3 -6 56 -120 197 359 720
-42 -13 5 27 29 -171 384 390 -466 424
"""
_ODD = """
247
257 428
376 88 268
8 86 -19 202
-218 -255 -103 23 447
253 312 340 -101 -88 509
-56 -45 -196 153 62 -96 426
-179 12 261 49 8 -202 40 253
180 26 -289 1 -35 79 -49 71 380
148 -81 -162 -74 -67 145 -70 290 -90 253
"""

_CENTRE = np.array(_MEAN.split(), dtype=float)
_DIRECTIONS = np.array(_MODES.split(), dtype=float).reshape(-1, len(_CENTRE))
_SCALE = np.r_[np.full(4, 100.0), np.full(48, 1000.0)]

#: Number of modes.
SCORES = len(_DIRECTIONS)


def _factor(text: str) -> np.ndarray:
    matrix = np.zeros((SCORES, SCORES))
    matrix[np.tril_indices(SCORES)] = [int(v) / 1000 for v in text.split()]
    return matrix


#: Turn standard normal numbers into half the sum and half the difference of both sides' scores.
BOTH_SIDES, ODD_SIDES = _factor(_BOTH), _factor(_ODD)


def outlines(scores) -> tuple[tuple[float, float, np.ndarray], tuple[float, float, np.ndarray]]:
    """Multifidus and erector spinae of one side at L4-L5.

    Parameters
    ----------
    scores : array-like, ``(SCORES,)``
        Standard normal in the population; 0 is the mean patient.

    Returns
    -------
    tuple
        For MF and for ES: centroid (mm lateral, mm posterior) and radii (mm) at `ANGLES`.
    """
    vector = (_CENTRE + np.asarray(scores) @ _DIRECTIONS) / _SCALE
    return (
        (vector[0], vector[1], np.exp(vector[4:28])),
        (vector[2], vector[3], np.exp(vector[28:])),
    )
