"""Exact compositions, and SciPy as an independent judge."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from paraspine import fusion
from paraspine.arrays import SettingsError, ShapeError
from paraspine.augmentation import (
    Augmentation,
    apply,
    apply_labels,
    apply_maps,
    apply_soft,
    draw,
    fixed,
    invert,
    mirror,
)
from paraspine.augmentation.geometry import item_generators

SWAP = (0, 2, 1, 4, 3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise_images(batch, height, width, channels=1, seed=0):
    return torch.rand(batch, channels, height, width, generator=seeded(seed))


def smooth_soft(batch, classes, height, width, seed=0):
    """Soft labels whose shape does not depend on the resolution: random slow waves."""
    waves = torch.randn(batch, classes, 3, 3, generator=seeded(seed), dtype=torch.float64)
    rows = (torch.arange(height) + 0.5) / height * math.pi
    columns = (torch.arange(width) + 0.5) / width * math.pi
    frequencies = torch.arange(3)[:, None]
    logits = torch.einsum(
        "bcij,ih,jw->bchw",
        waves,
        torch.cos(frequencies * rows).double(),
        torch.cos(frequencies * columns).double(),
    )
    return torch.softmax(2 * logits, dim=1).float()


# --- exact compositions ----------------------------------------------------------------------


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("turns", [1, 2, 3, -1])
def test_a_quarter_turn_is_rot90(side, turns):
    images = noise_images(2, side, side, channels=3)
    labels = torch.randint(0, 5, (2, side, side), generator=seeded(1), dtype=torch.uint8)
    turned = fixed(2, rotation=turns * math.pi / 2)
    expected = torch.rot90(images, turns, dims=(-2, -1))
    torch.testing.assert_close(apply(turned, images), expected, atol=2e-5, rtol=0)
    assert torch.equal(apply_labels(turned, labels), torch.rot90(labels, turns, dims=(-2, -1)))


@pytest.mark.parametrize("size", [(6, 10), (9, 5)])
def test_a_quarter_turn_of_an_image_that_is_not_square_is_cropped_rot90(size):
    # Worked by hand: turn a padded square image and cut the original window out of it.
    h, w = size
    side = 2 * max(size)
    side += (side - h) % 2  # centres coincide only where the parity of the sides agrees
    images = noise_images(1, h, w)
    if (side - w) % 2:
        images = torch.nn.functional.pad(images, (0, 1))
        w += 1
    padded = torch.nn.functional.pad(
        images, ((side - w) // 2, (side - w) // 2, (side - h) // 2, (side - h) // 2)
    )
    turned = torch.rot90(padded, 1, dims=(-2, -1))
    top, left = (side - h) // 2, (side - w) // 2
    expected = turned[:, :, top : top + h, left : left + w]
    if (h - w) % 2:  # pixel centres fall between pixels: compare the shape only
        assert apply(fixed(rotation=math.pi / 2), images).shape == images.shape
    else:
        moved = apply(fixed(rotation=math.pi / 2), images)
        torch.testing.assert_close(moved, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-1, 2), (-3, -4)])
def test_a_whole_pixel_translation_is_a_roll_with_a_border(down, right):
    h, w = 9, 12
    images = noise_images(1, h, w)
    labels = torch.randint(0, 5, (1, h, w), generator=seeded(2))
    moved = fixed(translation=(down / h, right / w))
    rolled = torch.roll(images, (down, right), dims=(-2, -1))
    rows, columns = torch.arange(h)[:, None], torch.arange(w)[None]
    inside = (rows - down >= 0) & (rows - down < h) & (columns - right >= 0) & (columns - right < w)
    torch.testing.assert_close(apply(moved, images), rolled * inside, atol=2e-5, rtol=0)
    torch.testing.assert_close(apply_maps(moved, images), rolled * inside, atol=2e-5, rtol=0)
    expected = torch.roll(labels, (down, right), dims=(-2, -1)) * inside
    assert torch.equal(apply_labels(moved, labels), expected)
    filled = apply(moved, images, fill=0.7)
    torch.testing.assert_close(
        filled, torch.where(inside, rolled, torch.tensor(0.7)), atol=2e-5, rtol=0
    )
    border = apply(moved, images, fill="border")
    clamped = images[
        :, :, (rows - down).clamp(0, h - 1).squeeze(1)[:, None], (columns - right).clamp(0, w - 1)
    ]
    torch.testing.assert_close(border, clamped, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (5, 11)])
def test_mirroring_is_a_flip_with_classes_swapped(size):
    images = noise_images(2, *size)
    labels = torch.randint(0, 5, (2, *size), generator=seeded(3), dtype=torch.uint8)
    soft = torch.softmax(torch.randn(2, 5, *size, generator=seeded(4)), dim=1)
    maps = soft[:, 1:]
    one = fixed(2, mirror=[True, False])
    torch.testing.assert_close(
        apply(one, images), torch.stack([images[0].flip(-1), images[1]]), atol=2e-5, rtol=0
    )
    moved = apply_labels(one, labels, mirror_classes=SWAP)
    table = torch.tensor(SWAP, dtype=torch.uint8)
    assert torch.equal(moved[0], table[labels[0].flip(-1).long()])
    assert torch.equal(moved[1], labels[1])
    assert moved.dtype == torch.uint8
    swapped = apply_soft(one, soft, mirror_classes=SWAP)
    torch.testing.assert_close(swapped[:1], mirror(soft[:1], SWAP), atol=2e-5, rtol=0)
    torch.testing.assert_close(swapped[1:], soft[1:], atol=2e-5, rtol=0)
    both = apply_maps(one, maps, mirror_classes=SWAP)
    torch.testing.assert_close(both, swapped[:, 1:], atol=2e-5, rtol=0)


def test_mirror_by_hand():
    # One row, three columns: right MF on the picture's left, left MF in the middle.
    labels = torch.tensor([[[1, 2, 0]]])
    soft = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert mirror(soft, (0, 2, 1)).argmax(dim=1).tolist() == [[[0, 1, 2]]]
    assert torch.equal(mirror(mirror(soft, (0, 2, 1)), (0, 2, 1)), soft)


def test_scaling_by_two_enlarges_about_the_centre():
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 3:6, 3:6] = 1
    big = apply(fixed(scale=2.0), images)
    # A block of 3 pixels becomes one of about 6: full inside, half at 3.5 pixels, none beyond.
    assert big[0, 0, 4, 2:7].tolist() == pytest.approx([1.0] * 5, abs=1e-5)
    assert big[0, 0, 4, [1, 7]].tolist() == pytest.approx([0.5, 0.5], abs=1e-5)
    assert big[0, 0, 4, [0, 8]].tolist() == pytest.approx([0.0, 0.0], abs=1e-5)


def test_spacing_keeps_lengths_in_millimetres():
    # Pixels 2 mm high and 1 mm wide: a point 10 columns (10 mm) right of the centre turns by 90
    # degrees to 10 mm = 5 rows above it.
    images = torch.zeros(1, 1, 41, 41)
    images[0, 0, 20, 30] = 1
    turned = apply(fixed(rotation=math.pi / 2, spacing=(2.0, 1.0)), images)
    assert divmod(int(turned.argmax()), 41) == (15, 20)


# --- independent implementations -------------------------------------------------------------


def scipy_affine(image, parameters, item, order, spacing=(1.0, 1.0), cval=0.0):
    """SciPy's affine_transform with a matrix built here in millimetres, step by step."""
    h, w = image.shape
    angle = float(parameters.rotation[item])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag([1.0, -1.0 if bool(parameters.mirror[item]) else 1.0])
    to_mm = np.diag(spacing)
    forward = np.linalg.inv(to_mm) @ turn @ to_mm * float(parameters.scale[item]) @ flip
    centre = np.array([(h - 1) / 2, (w - 1) / 2])
    shift = parameters.translation[item].double().numpy() * [h, w]
    inverse = np.linalg.inv(forward)
    # "grid-constant" interpolates between the edge pixel and the value outside.
    return ndimage.affine_transform(
        image.astype(np.float64),
        inverse,
        offset=centre - inverse @ (centre + shift),
        order=order,
        mode="grid-constant",
        cval=cval,
    )


@pytest.mark.parametrize("size", [(24, 24), (17, 32)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.5, 0.5)])
def test_scipy_agrees(size, spacing):
    some = Augmentation(
        rotation=0.8, translation=0.2, scaling=0.3, mirror=0.5, intensity_shift=0, noise=0
    )
    drawn = draw(some, 6, generator=seeded(7), spacing=spacing)
    images = noise_images(6, *size)
    labels = torch.randint(0, 5, (6, *size), generator=seeded(8))
    moved = apply(drawn, images, fill=0.3)
    moved_labels = apply_labels(drawn, labels, mirror_classes=tuple(range(5)))
    for i in range(6):
        expected = scipy_affine(images[i, 0].numpy(), drawn, i, 1, spacing, cval=0.3)
        np.testing.assert_allclose(moved[i, 0].numpy(), expected, atol=2e-4)
        nearest = scipy_affine(labels[i].numpy(), drawn, i, 0, spacing)
        # A coordinate on a rounding edge may go either way.
        assert np.mean(moved_labels[i].numpy() != nearest) < 0.005


@pytest.mark.parametrize("sigma", [0.5, 1.7])
def test_blur_is_scipys(sigma):
    images = noise_images(2, 15, 22, channels=2)
    blurred = apply(fixed(2, smoothing=[sigma, 0.0]), images)
    radius = math.ceil(4 * sigma)
    for channel in range(2):
        expected = ndimage.gaussian_filter(
            images[0, channel].double().numpy(), sigma, mode="nearest", radius=radius
        )
        np.testing.assert_allclose(blurred[0, channel].numpy(), expected, atol=1e-5)
    torch.testing.assert_close(blurred[1], images[1], atol=1e-6, rtol=0)


# --- intensities -----------------------------------------------------------------------------


def test_intensities_shift_and_get_noise():
    images = torch.full((3, 2, 200, 200), 0.5)
    # Blurred before, not after, or the noise would be a fraction of that.
    out = apply(fixed(3, shift=[0.1, -0.2, 0.1], noise=[0.1, 0.0, 0.1], smoothing=2.0), images)
    torch.testing.assert_close(out[1], torch.full((2, 200, 200), 0.3))
    noisy = out[[0, 2]].flatten(0, 1).flatten(1)  # two images of two channels
    torch.testing.assert_close(noisy.mean(1), torch.full((4,), 0.6), atol=0.002, rtol=0)
    torch.testing.assert_close(noisy.corrcoef(), torch.eye(4), atol=0.02, rtol=0)
    torch.testing.assert_close(noisy.std(1), torch.full((4,), 0.1), atol=0.002, rtol=0)


def test_labels_and_maps_ignore_intensities():
    drawn = fixed(2, noise=0.3, smoothing=2.0, shift=0.1)
    labels = torch.randint(0, 5, (2, 8, 8), generator=seeded(1))
    maps = torch.rand(2, 4, 8, 8, generator=seeded(2))
    assert torch.equal(apply_labels(drawn, labels), labels)
    assert torch.equal(apply_maps(drawn, maps), maps)
    assert torch.equal(apply_soft(drawn, maps), maps)
    assert not torch.equal(apply(drawn, maps), maps)


# --- independence of the batch ---------------------------------------------------------------


def test_any_batch_split_gives_the_same_images():
    every = Augmentation(
        rotation=0.3, mirror=0.5, scaling=0.1, smoothing=1.0, elastic=0.05, noise=0.1
    )
    drawn = draw(every, 5, generator=seeded(3))
    images = noise_images(5, 20, 24)
    labels = torch.randint(0, 5, (5, 20, 24), generator=seeded(1))
    whole = apply(drawn, images)
    parts = torch.cat([apply(drawn[:2], images[:2]), apply(drawn[2:], images[2:])])
    torch.testing.assert_close(whole, parts, atol=1e-6, rtol=0)
    moved = apply_labels(drawn, labels, mirror_classes=SWAP)
    one_by_one = [apply_labels(drawn[i], labels[i : i + 1], mirror_classes=SWAP) for i in range(5)]
    assert torch.equal(moved, torch.cat(one_by_one))
    assert torch.equal(whole, apply(drawn, images))  # applying twice gives the same noise


@pytest.mark.parametrize("fill", [0.0, 0.25, "border"])
@pytest.mark.parametrize("moving", [{}, {"rotation": 0, "translation": 0}])
def test_what_is_given_stays_as_it_was(moving, fill):
    images, labels = noise_images(3, 12, 10), torch.arange(3 * 120).view(3, 12, 10) % 5
    before = images.clone(), labels.clone()
    drawn = draw(Augmentation(**moving), 3, generator=seeded(6))
    first = apply(drawn, images, fill=fill), apply_labels(drawn, labels)
    again = apply(drawn, images, fill=fill), apply_labels(drawn, labels)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], images)


def test_parameters_move_any_size_whatever_they_moved_before():
    drawn = draw(Augmentation(noise=0), 3, generator=seeded(6))
    small, large = noise_images(3, 12, 10), noise_images(3, 20, 10)
    alone = [apply(drawn[:], images) for images in (small, large)]
    together = [apply(drawn, images) for images in (small, large, small)]
    assert torch.equal(together[0], alone[0])
    assert torch.equal(together[2], alone[0])
    assert torch.equal(together[1], alone[1])
    assert torch.equal(apply(drawn[1:], small[1:]), alone[0][1:])


def test_the_result_does_not_depend_on_autocast_or_global_seeds():
    drawn = draw(Augmentation(smoothing=1.0), 2, generator=seeded())
    images = noise_images(2, 16, 16)
    expected = apply(drawn, images)
    torch.manual_seed(99)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(apply(drawn, images), expected)


# --- soft labels -----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    height=st.integers(4, 20),
    width=st.integers(4, 20),
    classes=st.integers(2, 6),
)
def test_soft_labels_stay_probabilities(seed, height, width, classes):
    swap = (0, *range(1, classes)) if classes % 2 == 0 else (0, *range(classes - 1, 0, -1))
    drawn = draw(
        Augmentation(rotation=1.0, translation=0.5, scaling=0.5, mirror=0.5, elastic=0.05),
        2,
        generator=seeded(seed),
    )
    soft = torch.softmax(3 * torch.randn(2, classes, height, width, generator=seeded(seed)), dim=1)
    moved = apply_soft(drawn, soft, mirror_classes=swap)
    assert float(moved.min()) >= -1e-6
    torch.testing.assert_close(moved.sum(dim=1), torch.ones(2, height, width), atol=1e-5, rtol=0)


def test_soft_labels_from_outside_are_background():
    soft = torch.zeros(1, 3, 8, 8)
    soft[:, 2] = 1
    moved = apply_soft(fixed(translation=(0.5, 0.0)), soft)
    torch.testing.assert_close(moved[0, :, :4], torch.eye(3)[0][:, None, None].expand(3, 4, 8))
    torch.testing.assert_close(moved[0, :, 4:], torch.eye(3)[2][:, None, None].expand(3, 4, 8))


def test_soft_labels_stay_soft():
    soft = torch.full((1, 2, 12, 12), 0.5)
    moved = apply_soft(fixed(rotation=0.3), soft)
    torch.testing.assert_close(moved[0, :, 4:8, 4:8], soft[0, :, 4:8, 4:8])


# --- inverse ---------------------------------------------------------------------------------


def errors_after_there_and_back(size, spacing=(1.0, 1.0)):
    some = Augmentation(rotation=0.3, translation=0.15, scaling=0.1, mirror=0.5)
    drawn = draw(some, 8, generator=seeded(2), spacing=spacing)
    assert drawn.mirror.any()
    assert not drawn.mirror.all()
    soft = smooth_soft(8, 5, *size)
    moved = apply_soft(drawn, soft, mirror_classes=SWAP)
    back, seen = invert(drawn, moved, mirror_classes=SWAP)
    assert 0.3 < float(seen.float().mean()) < 1
    torch.testing.assert_close(back.sum(dim=1), seen.float(), atol=1e-5, rtol=0)
    # Pixels at the border of what was seen are mixed with background from outside.
    inner = [torch.from_numpy(ndimage.binary_erosion(s, iterations=2)) for s in seen.numpy()]
    return (back - soft).abs().amax(dim=1)[torch.stack(inner)]


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.4)])
def test_invert_returns_the_interior(size, spacing):
    errors = errors_after_there_and_back(size, spacing)
    assert float(errors.max()) < 0.05
    assert float(errors.mean()) < 0.003


def test_what_is_lost_there_and_back_is_linear_interpolations_second_order_error():
    coarse, fine = (errors_after_there_and_back((n, n)).mean() for n in (40, 160))
    assert float(coarse / fine) > 10  # 16 for an error that goes with the square of the pixel


def test_seen_is_where_a_whole_pixel_translation_keeps_the_image():
    soft = torch.softmax(torch.randn(1, 3, 6, 10, generator=seeded()), dim=1)
    moved = fixed(translation=(2 / 6, -3 / 10))
    back, seen = invert(moved, apply_soft(moved, soft))
    expected = torch.zeros(1, 6, 10, dtype=torch.bool)
    expected[:, :4, 3:] = True
    assert torch.equal(seen, expected)
    torch.testing.assert_close(back, soft * expected[:, None], atol=2e-5, rtol=0)


def test_invert_undoes_mirror_and_turn_exactly():
    soft = torch.softmax(torch.randn(1, 5, 9, 9, generator=seeded()), dim=1)
    moved = fixed(mirror=True, rotation=math.pi / 2)
    augmented = apply_soft(moved, soft, mirror_classes=SWAP)
    back, seen = invert(moved, augmented, mirror_classes=SWAP)
    assert seen.all()
    torch.testing.assert_close(back, soft, atol=5e-5, rtol=0)


def test_without_geometry_everything_is_seen_and_untouched():
    drawn = draw(Augmentation(rotation=0, translation=0), 2, generator=seeded())
    soft = torch.softmax(torch.randn(2, 3, 5, 7, generator=seeded()), dim=1)
    back, seen = invert(drawn, soft)
    assert torch.equal(back, soft)
    assert seen.all()


# --- refused ---------------------------------------------------------------------------------


def test_invert_refuses_a_deformation():
    drawn = draw(Augmentation(elastic=0.05), 1, generator=seeded())
    with pytest.raises(SettingsError, match="no inverse"):
        invert(drawn, torch.rand(1, 2, 8, 8))


def test_mirroring_without_classes_is_refused_even_if_no_item_was_mirrored():
    drawn = draw(Augmentation(mirror=1e-9), 2, generator=seeded())
    assert not drawn.mirror.any()
    soft, labels = torch.rand(2, 5, 8, 8), torch.zeros(2, 8, 8, dtype=torch.uint8)
    for call in (
        lambda: apply_labels(drawn, labels),
        lambda: apply_soft(drawn, soft),
        lambda: apply_maps(drawn, soft[:, 1:]),
        lambda: invert(drawn, soft),
    ):
        with pytest.raises(SettingsError, match="mirror_classes"):
            call()
    assert apply(drawn, torch.rand(2, 1, 8, 8)).shape == (2, 1, 8, 8)


def test_shapes_are_checked():
    drawn = fixed(2, rotation=0.1)
    with pytest.raises(ShapeError, match="B, channels, H, W"):
        apply(drawn, torch.rand(2, 8, 8))
    with pytest.raises(ShapeError, match="expected 2 items"):
        apply(drawn, torch.rand(3, 1, 8, 8))
    with pytest.raises(ShapeError, match="apply_soft"):
        apply_labels(drawn, torch.rand(2, 8, 8))
    with pytest.raises(SettingsError, match="border"):
        apply(drawn, torch.rand(2, 1, 8, 8), fill="reflect")


# --- deformation -----------------------------------------------------------------------------


def test_a_deformation_is_uniform_at_its_control_points_and_smooth_between():
    # In images of 49 x 121 pixels the 5 x 5 control points are pixels, 12 rows and 30 columns
    # apart, and a ramp of rows, and one of columns, say where a pixel comes from.
    some = Augmentation(
        rotation=0, translation=0, intensity_shift=0, noise=0, elastic=1 / 12, probability=0.5
    )
    drawn = draw(some, 200, generator=seeded(4))
    ramps = torch.stack(torch.meshgrid(torch.arange(49.0), torch.arange(121.0), indexing="ij"))
    sources = apply(drawn, ramps.expand(200, -1, -1, -1), fill="border")
    moved = (sources - ramps)[:, :, 6:-6, 12:-12]  # what comes from outside is not known
    happened = drawn.elastic > 0
    assert 60 < happened.sum() < 140
    assert moved[~happened].abs().max() < 1e-4
    moved = moved[happened] * 12 / torch.tensor([49, 121]).view(2, 1, 1)  # of the amplitude
    points = moved[:, :, 6::12, 18::30]
    assert points.shape[2:] == (3, 3)
    for axis in points.unbind(1):
        assert stats.kstest(axis.flatten(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(points[:, 0].flatten(), points[:, 1].flatten())[0, 1]) < 0.1
    # Second derivative, in amplitudes per cell squared: of a cubic curve 12 at most; straight
    # lines would turn by up to 4 within a pixel, a twelfth of a cell: 48.
    assert moved.diff(n=2, dim=-2).abs().max() * 12**2 < 13
    # Content keeps its order: the image is not folded over itself.
    assert sources[:, 0].diff(dim=-2).min() > -1e-4
    assert sources[:, 1].diff(dim=-1).min() > -1e-4


def test_noise_and_deformation_draw_from_streams_of_their_own():
    drawn = fixed(5, seed=3)  # seeds one after another
    seeds = [g.initial_seed() for stream in (0, 1) for g in item_generators(drawn, stream, "cpu")]
    assert len(set(seeds)) == 10


def test_a_deformation_moves_labels_as_it_moves_images():
    some = Augmentation(elastic=0.05, intensity_shift=0, noise=0)
    drawn = draw(some, 3, generator=seeded(4))
    labels = torch.zeros(3, 40, 40, dtype=torch.int64)
    labels[:, 12:28, 10:30] = 1
    moved = apply_labels(drawn, labels)
    image = apply(drawn, labels[:, None].float())
    agreement = ((image[:, 0] > 0.5).long() == moved).float().mean()
    assert float(agreement) > 0.985
    unmoved = dataclasses.replace(some, elastic=0.0)
    without = apply_labels(draw(unmoved, 3, generator=seeded(4)), labels)
    assert not torch.equal(without, moved)


# --- targets made before or after ------------------------------------------------------------


def raters_blobs(size=72):
    rows, columns = np.mgrid[:size, :size]
    maps = []
    for rater in range(3):
        left = np.hypot(rows - 30 - rater, columns - 22) < 9 + rater
        right = np.hypot(rows - 38, (columns - 50 + rater) / 0.7) < 10
        maps.append(1 * left + 2 * right)
    return np.stack(maps).astype(np.uint8)


@pytest.mark.parametrize("mirrored", [False, True])
def test_variance_maps_may_be_made_before_or_after(mirrored):
    labels = raters_blobs()
    swap = (0, 2, 1)
    moved = fixed(1, rotation=0.35, translation=(0.05, -0.08), mirror=mirrored)
    before = torch.from_numpy(fusion.variance_map(labels, 3))[None].float()
    then = apply_maps(moved, before, mirror_classes=swap)[0].numpy()
    of_each = [
        apply_labels(moved, torch.from_numpy(one)[None], mirror_classes=swap)[0].numpy()
        for one in labels
    ]
    after = fusion.variance_map(np.stack(of_each), 3)
    assert after.max() > 0.05
    # Labels are moved to whole pixels, so their distances differ by up to about a pixel.
    assert np.abs(then - after).mean() < 0.1 * after[after > 0.01].mean()
    assert np.corrcoef(then.ravel(), after.ravel())[0, 1] > 0.95


def test_soft_labels_may_be_made_before_or_after():
    labels = raters_blobs()
    moved = fixed(1, rotation=0.35, translation=(0.05, -0.08))
    then = apply_soft(moved, torch.from_numpy(fusion.soft_labels(labels, 3))[None])[0].numpy()
    of_each = [apply_labels(moved, torch.from_numpy(one)[None])[0].numpy() for one in labels]
    after = fusion.soft_labels(np.stack(of_each), 3)
    assert np.abs(then - after).mean() < 0.02


@pytest.mark.parametrize(
    "move", [{"mirror": True}, {"translation": (4 / 72, -3 / 72)}, {"rotation": math.pi / 2}]
)
def test_variance_maps_are_the_same_where_pixels_meet_pixels(move):
    """Without interpolation there is nothing in which before and after could differ."""
    labels, swap = raters_blobs(), (0, 2, 1)
    drawn = fixed(len(labels), **move)
    moved = apply_labels(drawn, torch.from_numpy(labels), mirror_classes=swap)
    after = fusion.variance_map(moved.numpy(), 3)
    maps = torch.from_numpy(fusion.variance_map(labels, 3))[None]
    before = apply_maps(drawn[:1], maps, mirror_classes=swap)[0].numpy()
    assert after.max() > 0.05
    assert before == pytest.approx(after, abs=1e-5)
    assert np.abs(maps[0].numpy() - after).mean() > 1e-3
