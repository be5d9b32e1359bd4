"""Views of slices."""

import numpy as np
import pytest

from paraspine import frames
from paraspine.evidence import views


def test_views_show_what_there_is(three, tools):
    mean = np.full((1, 3, 2, 2), 1 / 3)
    mean[0, :, 0, 0] = np.nan
    (view,) = views.views(three, [0], tools.moments(mean))
    assert list(view.maps) == ["GT entropy", "predictive entropy"]  # no second sample
    assert view.title == "p0"
    assert view.rated.tolist() == [True] * 3
    assert view.prediction.shape == (2, 2)
    several = tools.moments(mean, np.full((1, 2, 2), 0.1), samples=4)
    (view,) = views.views(three, [0], several)
    assert list(view.maps)[2:] == ["expected entropy", "mutual information"]
    limits = views.map_limits([view])
    assert limits == {"mutual information": pytest.approx(np.log(3) - 0.1, abs=1e-6)}
    (view,) = views.views(three, [0])
    assert view.prediction is None
    alone = tools.data(np.ones((1, 1, 2, 2)))
    (view,) = views.views(alone, [0], several)
    assert "GT entropy" not in view.maps
    nobody = tools.data(np.ones((1, 1, 2, 2)), [[False]])
    (view,) = views.views(nobody, [0], several)
    assert view.labels is None
    assert views.map_limits([]) == {}


def test_every_level_of_the_shown_subjects_is_stored(tools):
    level = ["L2", "L3", "L3", "L3", None, "L2", "L4"]
    data = tools.data(
        np.ones((7, 1, 2, 2)), subject=["p"] * 5 + ["q", "q"], level=level, slice=range(7)
    )
    moments = tools.moments(np.full((7, 3, 2, 2), 1 / 3), samples=2)

    def kept(shown):
        keys = frames.stored_maps(data, shown, moments)["keys"]
        return [data.keys.tolist().index(key) for key in keys]

    assert kept([0]) == [0, 2]  # the middle one of L3
    assert kept([1]) == [0, 1]
    assert kept([4, 5]) == [0, 2, 4, 5, 6]
    assert kept([]) == []
    bare = tools.data(np.ones((2, 1, 2, 2)), subject="p", slice=[0, 1])
    assert frames.stored_maps(bare, [1], moments)["keys"].tolist() == [bare.keys[1]]


def test_slices_are_named_by_level_or_place(tools):
    data = tools.data(np.ones((3, 1, 2, 2)), level=["L3", None, "S1"])
    assert [views.name_of(data, i) for i in range(3)] == ["p0, L3", "p1", "p2, S1"]
    volume = tools.data(np.ones((2, 1, 2, 2)), subject="p", image="v", slice=[4, 5])
    assert [views.name_of(volume, i) for i in range(2)] == ["p, slice 4", "p, slice 5"]
