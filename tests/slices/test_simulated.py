"""Slices of the phantom drawn again: what a knob acts on changes, nothing else does."""

import numpy as np
import pytest

from paraspine import manifest, phantom, preprocess, slices
from paraspine.arrays import SettingsError

SMALL = {"subjects": 2, "seed": 3, "size": (64, 64), "spacing": (2.8, 2.8), "levels": ("L4-L5",)}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    path = phantom.make_cohort(tmp_path_factory.mktemp("cohort"), **SMALL)
    grid = {"size": (48, 48), "spacing": (3.8, 3.8)}
    return slices.load(manifest.read(path), **grid), phantom.settings_of(path)


def test_without_changes_it_is_what_load_reads(loaded):
    data, settings = loaded
    again = slices.redrawn(data, settings)
    np.testing.assert_allclose(again.images, data.images, atol=2e-6)  # files round the affine
    np.testing.assert_array_equal(again.labels, data.labels)
    np.testing.assert_array_equal(again.rated, data.rated)
    assert again.table is data.table


def test_noise_and_bias_field_act_on_images_alone(loaded):
    data, settings = loaded
    for knob in ({"noise": 40.0}, {"bias_field": 2.0}):
        again = slices.redrawn(data, settings, **knob)
        assert np.abs(again.images - data.images).max() > 0.01
        np.testing.assert_array_equal(again.labels, data.labels)


def test_coupling_acts_on_labels_alone_and_more_where_there_is_noise(loaded):
    data, settings = loaded
    coupled = slices.redrawn(data, settings, noise_coupling=1.0)
    np.testing.assert_array_equal(coupled.images, slices.redrawn(data, settings).images)
    noisy = slices.redrawn(data, settings, noise_coupling=1.0, noise=40.0)
    moved, further = ((d.labels != data.labels).mean() for d in (coupled, noisy))
    assert 0 < moved < further


def test_images_are_preprocessed_as_asked(loaded):
    data, settings = loaded
    zscore = preprocess.Preprocessing(intensity="percentile")
    again = slices.redrawn(data, settings, preprocessing=zscore)
    assert not np.array_equal(again.images, data.images)
    assert again.images.min() >= 0
    assert again.images.max() <= 1


def test_a_rater_who_did_not_rate_has_no_labels(loaded):
    data, settings = loaded
    again = slices.redrawn(data, settings, single_rater=1.0)
    assert (again.rated.sum(axis=1) == 1).all()
    assert not again.labels[~again.rated].any()


def test_what_is_no_knob_is_refused(loaded):
    data, settings = loaded
    with pytest.raises(SettingsError, match="raters: no such knob"):
        slices.redrawn(data, settings, raters=5)
    with pytest.raises(SettingsError, match="noise"):
        slices.redrawn(data, settings, noise=-1.0)
    with pytest.raises(SettingsError, match="volumes"):
        slices.redrawn(data, settings | {"kind": "volumes"})


def test_a_crowd_rates_the_same_slices_and_knows_none_of_the_cohorts_raters(loaded):
    data, settings = loaded
    crowd = slices.crowd(data, settings, 28)
    assert crowd.labels.shape == (2, 28, 48, 48)
    assert crowd.raters[0] == "001"
    assert crowd.rated.all()
    assert crowd.images is data.images
    for own in data.labels[0]:
        assert not any((other == own).all() for other in crowd.labels[0])
    # The same anatomy: their vote and the cohort's are nearly the same.
    votes = [(labels > 0).mean(axis=0) > 0.5 for labels in (crowd.labels[0], data.labels[0])]
    assert (votes[0] == votes[1]).mean() > 0.97
    np.testing.assert_array_equal(slices.crowd(data, settings, 28).labels, crowd.labels)


def test_a_crowd_of_few_or_in_volumes_is_refused(loaded):
    data, settings = loaded
    for raters in (26, 2.5, True):
        with pytest.raises(SettingsError, match="raters: expected a whole number of at least 27"):
            slices.crowd(data, settings, raters)
    with pytest.raises(SettingsError, match="volumes"):
        slices.crowd(data, settings | {"kind": "volumes"})
