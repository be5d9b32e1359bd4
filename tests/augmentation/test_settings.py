"""Amplitudes, draws and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import stats

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, SpacingError
from paraspine.augmentation import (
    Augmentation,
    check_invertible,
    check_mirror,
    draw,
    fixed,
    of_training,
)

EVERYTHING = Augmentation(
    rotation=0.3,
    translation=0.2,
    scaling=0.1,
    mirror=0.5,
    intensity_shift=0.2,
    noise=0.1,
    smoothing=1.5,
    elastic=0.05,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def same(a, b):
    return all(
        torch.equal(getattr(a, f.name), getattr(b, f.name))
        for f in dataclasses.fields(a)
        if isinstance(getattr(a, f.name), torch.Tensor)
    )


def test_defaults_are_the_papers():
    settings = Augmentation()
    assert settings.rotation == 0.09
    assert settings.translation * 256 == 50
    assert (settings.intensity_shift, settings.noise, settings.mirror) == (0.2, 0.1, 0.0)
    assert settings.invertible
    assert settings.geometric
    assert Augmentation(**dataclasses.asdict(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation", -0.1),
        ("rotation", 4.0),
        ("rotation", "0.1"),
        ("rotation", True),
        ("translation", 1.5),
        ("translation", math.nan),
        ("scaling", 1.0),
        ("mirror", 2),
        ("intensity_shift", math.inf),
        ("noise", -1),
        ("smoothing", None),
        ("elastic", 0.084),
        ("elastic_points", 1),
        ("elastic_points", 4.0),
        ("probability", -0.5),
        ("direction", "sideways"),
    ],
)
def test_settings_out_of_range_name_themselves(name, value):
    with pytest.raises(SettingsError, match=name):
        Augmentation(**{name: value})


def test_draw_is_the_generators_and_nothing_elses():
    torch.manual_seed(1)
    first = draw(EVERYTHING, 8, generator=seeded())
    torch.manual_seed(2)
    second = draw(EVERYTHING, 8, generator=seeded())
    assert same(first, second)
    assert not same(first, draw(EVERYTHING, 8, generator=seeded(1)))


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_draw_does_not_depend_on_the_batch_split(cut):
    whole = draw(EVERYTHING, 8, generator=seeded())
    generator = seeded()
    first = draw(EVERYTHING, cut, generator=generator)
    second = draw(EVERYTHING, 8 - cut, generator=generator)
    assert same(first, whole[:cut])
    assert same(second, whole[cut:])
    assert same(whole[3], whole[torch.tensor([3])])


def test_switching_one_part_off_keeps_the_others():
    whole = draw(EVERYTHING, 6, generator=seeded())
    still = draw(dataclasses.replace(EVERYTHING, rotation=0.0), 6, generator=seeded())
    assert torch.all(still.rotation == 0)
    assert torch.equal(still.translation, whole.translation)
    assert torch.equal(still.seed, whole.seed)


def test_draws_are_uniform_within_the_amplitudes():
    # scipy.stats.kstest is the independent judge of the distribution.
    drawn = draw(EVERYTHING, 4000, generator=seeded(5))
    for values, low, high in [
        (drawn.rotation, -0.3, 0.3),
        (drawn.translation[:, 0], -0.2, 0.2),
        (drawn.translation[:, 1], -0.2, 0.2),
        (drawn.scale, 0.9, 1.1),
        (drawn.shift, -0.2, 0.2),
        (drawn.smoothing, 0.0, 1.5),
        (drawn.noise, 0.0, 0.1),
    ]:
        values = values.double().numpy()
        assert low <= values.min() < values.max() <= high
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert 0.46 < drawn.mirror.float().mean() < 0.54
    assert abs(np.corrcoef(drawn.translation.T.numpy())[0, 1]) < 0.06
    assert len(drawn.seed.unique()) == 4000


@pytest.mark.parametrize(
    ("direction", "axis", "sign"),
    [("down", 0, 1), ("up", 0, -1), ("right", 1, 1), ("left", 1, -1)],
)
def test_images_move_one_way_along_one_axis(direction, axis, sign):
    settings = Augmentation(translation=0.2, direction=direction, probability=0.5)
    moves = draw(settings, 4000, generator=seeded(3)).translation.double()
    assert not moves[:, 1 - axis].any()
    along = sign * moves[:, axis]
    moved = along[along != 0].numpy()
    assert len(moved) == pytest.approx(2000, abs=130)  # four standard errors
    assert stats.kstest(moved, stats.uniform(0, 0.2).cdf).pvalue > 1e-3
    # and the other draws are those of the other directions
    other = draw(dataclasses.replace(settings, direction="any"), 4000, generator=seeded(3))
    assert torch.equal(other.noise, draw(settings, 4000, generator=seeded(3)).noise)


def test_each_part_happens_on_its_own():
    drawn = draw(dataclasses.replace(EVERYTHING, probability=0.25), 4000, generator=seeded(6))
    values = {
        "rotation": drawn.rotation, "translation": drawn.translation[:, 0],
        "scale": drawn.scale - 1, "mirror": drawn.mirror, "shift": drawn.shift,
        "noise": drawn.noise, "smoothing": drawn.smoothing, "elastic": drawn.elastic,
    }  # fmt: skip
    happened = {name: (drawn != 0).double() for name, drawn in values.items()}
    for name, each in happened.items():
        assert each.mean().item() == pytest.approx(0.5 if name == "mirror" else 0.25, abs=0.04)
    for table in ([*values.values(), drawn.seed], happened.values()):
        apart = np.corrcoef(torch.stack([column.double() for column in table]))
        assert np.abs(apart - np.eye(len(apart))).max() < 0.07  # four standard errors
    never = draw(Augmentation(probability=0.0), 10, generator=seeded())
    assert not never.rotation.any()
    assert not never.noise.any()


def test_the_samples_augmentation_is_that_of_the_training_unmirrored():
    given = dataclasses.asdict(EVERYTHING) | {"model": "unet", "direction": "left"}
    expected = dataclasses.replace(EVERYTHING, mirror=0.0, elastic=0.0, direction="left")
    assert of_training(given) == expected


def test_draw_refuses_what_it_cannot_use():
    with pytest.raises(SettingsError, match="generator"):
        draw(Augmentation(), 2, generator=None)
    with pytest.raises(SettingsError, match="batch"):
        draw(Augmentation(), 0, generator=seeded())
    with pytest.raises(SettingsError, match="Augmentation"):
        draw({"rotation": 0.1}, 2, generator=seeded())
    with pytest.raises(SpacingError):
        draw(Augmentation(), 2, generator=seeded(), spacing=(1.0, 0.0))


def test_fixed_takes_one_value_or_one_per_item():
    given = fixed(3, rotation=[0.1, 0.2, 0.3], translation=(0.5, -0.25), mirror=True)
    assert given.rotation.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert given.translation.tolist() == [[0.5, -0.25]] * 3
    assert given.mirror.all()
    assert given.settings.mirror == 1
    assert len(given) == 3
    assert fixed(3, seed=7).seed.tolist() == [7, 8, 9]
    with pytest.raises(SettingsError, match="scale"):
        fixed(1, scale=0.0)
    with pytest.raises(SettingsError, match="rotation"):
        fixed(2, rotation=[1.0, 2.0, 3.0])
    with pytest.raises(SettingsError, match="noise"):
        fixed(1, noise=-1)


def test_a_geometric_part_without_inverse_is_refused():
    check_invertible(Augmentation())
    with pytest.raises(SettingsError, match=r"no inverse.*elastic=0"):
        check_invertible(Augmentation(elastic=0.01))


def test_mirroring_needs_the_classes():
    assert check_mirror(Augmentation(), None) is None
    assert check_mirror(Augmentation(mirror=0.5), (0, 2, 1)) == (0, 2, 1)
    with pytest.raises(SettingsError, match="mirror_classes"):
        check_mirror(Augmentation(mirror=0.5), None)


@pytest.mark.parametrize(
    ("names", "pairs", "swap"),
    [
        (("right MF", "left MF"), (("left MF", "right MF"),), (0, 2, 1)),
        (("cord", "lesion"), (), (0, 1, 2)),
        (("right MF", "left MF"), (), None),
        (("Left_ES", "disc"), (), None),
        (("right MF", "left MF", "left ES"), (("left MF", "right MF"),), None),
    ],
)
def test_sides_without_a_pair_cannot_be_mirrored(names, pairs, swap):
    table = ClassTable(("background", *names), pairs)
    assert table.mirror == swap
    assert check_mirror(Augmentation(), table.mirror) == swap
    if swap is None:
        with pytest.raises(SettingsError, match=r"name them in the `mirror_pairs`"):
            check_mirror(Augmentation(mirror=0.5), table.mirror)


@pytest.mark.parametrize("swap", [(0, 2, 3, 1), (1, 0), (0, 1, 1), (), (0, 3, 1)])
def test_mirror_classes_must_be_an_exchange(swap):
    with pytest.raises(SettingsError, match="exchange"):
        check_mirror(Augmentation(mirror=0.5), swap)


def test_mirror_classes_must_be_as_many_as_the_channels():
    with pytest.raises(SettingsError, match="expected 5 entries"):
        check_mirror(Augmentation(mirror=0.5), (0, 2, 1), 5)
