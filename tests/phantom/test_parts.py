"""Random numbers by name, plane shapes, painting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paraspine.phantom import geometry, randomness
from paraspine.phantom.canvas import Canvas, coverage, plane

X, Y = np.meshgrid(np.linspace(-30, 30, 121), np.linspace(-30, 30, 121))
X, Y = X[:1], Y[:, :1]


def test_streams_depend_on_seed_and_name_alone():
    first = randomness.stream(3, "a", 7).random(4)
    randomness.stream(3, "b").random(100)
    assert np.array_equal(first, randomness.stream(3, "a", 7).random(4))
    for other in (
        randomness.stream(4, "a", 7),
        randomness.stream(3, "a", 8),
        randomness.stream(3, "b", 7),
    ):
        assert not np.any(first == other.random(4))


def test_golden_covers_the_interval_evenly():
    values = np.sort([randomness.golden(1, "x", i) for i in range(60)])
    assert np.diff(np.r_[0, values, 1]).max() < 3 / 60


def test_field_has_unit_variance_and_the_covariance_it_says():
    positions = np.array([0.0, 5.0, 10.0])
    draws = np.array(
        [
            randomness.flat_field(randomness.stream(0, i), positions, positions, 5.0, extent=40)
            for i in range(4000)
        ]
    )
    assert draws.mean((0,)) == pytest.approx(np.zeros((3, 3)), abs=0.06)
    covariance = np.cov(draws.reshape(len(draws), -1).T)
    i, j = np.meshgrid(positions, positions, indexing="ij")
    square = (i.ravel()[:, None] - i.ravel()) ** 2 + (j.ravel()[:, None] - j.ravel()) ** 2
    assert covariance == pytest.approx(np.exp(-square / 50), abs=0.07)


def test_field_does_not_depend_on_the_pixels_and_is_smooth_across_planes():
    fine, coarse = np.linspace(-20, 20, 81), np.linspace(-20, 20, 21)
    args = {"length": 6.0, "z_length": 8.0, "extent": 60.0}
    dense = randomness.field(0, "f", z=3.0, rows=fine, columns=fine, **args)
    sparse = randomness.field(0, "f", z=3.0, rows=coarse, columns=coarse, **args)
    assert sparse == pytest.approx(dense[::4, ::4], abs=1e-9)
    near = randomness.field(0, "f", z=3.01, rows=fine, columns=fine, **args)
    assert np.abs(near - dense).max() < 0.02
    across = [
        [randomness.field(s, "f", z=z, rows=[0.0], columns=[0.0], **args)[0, 0] for z in (0, 8)]
        for s in range(700)
    ]
    assert np.corrcoef(np.transpose(across))[0, 1] == pytest.approx(np.exp(-0.5), abs=0.08)


def test_fields_reach_unit_variance_at_the_margin_and_stay_there_beyond():
    rows = np.array([-43.0, -40.0, 0.0, 40.0, 43.0])
    draws = np.array(
        [
            randomness.flat_field(randomness.stream(1, i), rows, [0.0], 4.0, extent=40)[:, 0]
            for i in range(3000)
        ]
    )
    assert draws.std(0) == pytest.approx(np.ones(5), abs=0.05)
    assert np.abs(draws[:, 0] - draws[:, 1]).mean() < 0.5


def test_curves_are_smooth_and_repeatable():
    values = np.array(
        [randomness.curves(2, "c", count=2000, at=z, length=20.0) for z in (0.0, 20.0, 90.0)]
    )
    assert values.std(1) == pytest.approx(np.ones(3), abs=0.05)
    correlation = np.corrcoef(values)
    assert correlation[0, 1] == pytest.approx(np.exp(-0.5), abs=0.05)
    assert correlation[0, 2] == pytest.approx(0, abs=0.06)
    again = randomness.curves(2, "c", count=2000, at=20.0, length=20.0)
    assert np.array_equal(again, values[1])


def test_circle_and_capsule_distances_are_exact():
    circle = geometry.ellipse(2.0, -3.0, 8.0, 8.0)
    assert circle.distance(X, Y) == pytest.approx(np.hypot(X - 2, Y + 3) - 8, abs=1e-6)
    capsule = geometry.capsule(-5.0, 0.0, 5.0, 0.0, 3.0)
    across = np.hypot(np.maximum(np.abs(X) - 5, 0), Y) - 3
    assert capsule.distance(X, Y) == pytest.approx(across, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    a=st.floats(4, 15),
    b=st.floats(4, 15),
    turn=st.floats(0, np.pi),
    power=st.sampled_from([2.0, 2.5, 3.0]),
)
def test_ellipse_encloses_the_area_of_the_formula(a, b, turn, power):
    from scipy.special import gamma

    shape = geometry.ellipse(0.13, 0.07, a, b, turn, power)
    area = (shape.distance(X, Y) < 0).sum() * 0.25
    exact = 4 * a * b * gamma(1 + 1 / power) ** 2 / gamma(1 + 2 / power)
    assert area == pytest.approx(exact, rel=0.03)
    x0, x1, y0, y1 = shape.box
    inside = shape.distance(X, Y) < 0
    assert not (inside & ((x0 > X) | (x1 < X) | (y0 > Y) | (y1 < Y))).any()


def test_outline_passes_through_its_radii_and_mirrors():
    radii = 10 + 2 * np.cos(np.arange(24) * np.pi / 12) + np.sin(2 * np.arange(24) * np.pi / 12)
    table = geometry.polar(radii)
    angles = np.arange(24) * np.pi / 12
    shape = geometry.outline(1.1, 2.0, table)
    on = [
        shape.distance(np.array([[1.1 + r * np.cos(t)]]), np.array([[2 + r * np.sin(t)]]))[0, 0]
        for r, t in zip(radii, angles, strict=True)
    ]
    assert on == pytest.approx(np.zeros(24), abs=1e-6)
    right = geometry.outline(-1.1, 2.0, table, mirrored=True)
    assert right.distance(X, Y) == pytest.approx(shape.distance(X, Y)[:, ::-1], abs=1e-9)


def test_outline_distance_is_near_the_euclidean_one():
    """Against scipy.ndimage.distance_transform_edt on a fine grid."""
    from scipy.ndimage import distance_transform_edt

    radii = 14 + 3 * np.cos(2 * np.arange(24) * np.pi / 12)
    shape = geometry.outline(0, 0, geometry.polar(radii))
    distance = shape.distance(X, Y)
    inside = distance < 0
    exact = 0.5 * (distance_transform_edt(~inside) - distance_transform_edt(inside))
    near = np.abs(exact) < 3
    assert np.abs(distance - exact)[near].mean() < 0.3


def test_morph_stretches_the_region():
    table = geometry.polar(np.full(24, 10.0))
    wide = geometry.outline(0, 0, geometry.morph(table, 1.5, 0.8))
    ellipse = geometry.ellipse(0, 0, 15, 8)
    assert ((wide.distance(X, Y) < 0) ^ (ellipse.distance(X, Y) < 0)).mean() < 0.002


def test_shape_algebra():
    a, b = geometry.ellipse(-4, 0, 6, 6), geometry.ellipse(4, 0, 6, 6)
    ina, inb = a.distance(X, Y) < 0, b.distance(X, Y) < 0
    assert np.array_equal(geometry.union(a, b).distance(X, Y) < 0, ina | inb)
    assert np.array_equal(geometry.intersect(a, b).distance(X, Y) < 0, ina & inb)
    assert np.array_equal(geometry.subtract(a, b).distance(X, Y) < 0, ina & ~inb)
    apart = geometry.subtract(a, b, 1.5).distance(X, Y) < 0
    assert np.array_equal(apart, ina & (b.distance(X, Y) > 1.5))
    assert (geometry.blend([a, b], 2.0).distance(X, Y) < 0)[ina | inb].all()
    assert geometry.grow(a, 2.0).distance(X, Y) == pytest.approx(a.distance(X, Y) - 2)
    kept = geometry.memo(a)
    assert np.array_equal(kept.distance(X, Y), a.distance(X, Y))
    assert np.array_equal(kept.distance(X + 1, Y), a.distance(X + 1, Y))


def test_pixels_lie_about_the_midline_and_mostly_in_front_of_the_muscles():
    for size, spacing, middle in (((100, 80), (2.0, 1.5), -40), ((55, 100), (2.0, 2.0), -7)):
        grid = plane(size, spacing)
        assert grid.shape == size
        assert np.ptp(grid.y) == (size[0] - 1) * spacing[0]
        assert np.ptp(grid.x) == (size[1] - 1) * spacing[1]
        assert (grid.x.mean(), grid.y.mean()) == pytest.approx((0, middle))


def test_coverage_is_the_share_of_the_pixel_that_lies_inside():
    share = coverage(np.array([-2.0, -0.25, 0.0, 0.25, 2.0]), 1.0)
    assert share.tolist() == [1, 0.75, 0.5, 0.25, 0]
    assert coverage(np.array([-0.1, 0.1]), 0.0).tolist() == [1, 0]


def test_painting_conserves_area_and_leaves_the_rest():
    canvas = Canvas(plane((120, 160), (1.0, 1.0)), edge=1.5, value=5.0)
    canvas.paint(geometry.ellipse(10, -20, 15, 9), 25.0)
    assert (canvas.signal - 5).sum() / 20 == pytest.approx(np.pi * 15 * 9, rel=0.01)
    assert canvas.signal.min() == 5
    before = canvas.signal.copy()
    canvas.paint(geometry.ellipse(500, 500, 3, 3), 99.0)
    canvas.paint(geometry.ellipse(0, 0, 3, 3), 99.0, opacity=0.0)
    assert np.array_equal(canvas.signal, before)
