"""Overlap and border distances against MONAI, which takes seconds to import: one module."""

import warnings

import numpy as np
import pytest
from scipy import ndimage

from paraspine import metrics


@pytest.fixture(scope="module")
def monai():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import monai.metrics

        return monai.metrics


@pytest.fixture(scope="module", params=[((28, 31), (0.7, 1.3)), ((8, 20, 22), (4.0, 0.7, 1.0))])
def case(request):
    import torch

    shape, spacing = request.param
    rng = np.random.default_rng(len(shape))
    labels = [
        ndimage.gaussian_filter(rng.normal(size=(4, *shape)), (0, *(2,) * len(shape))).argmax(0)
        for _ in range(2)
    ]
    onehot = [torch.from_numpy(np.stack([m == c for c in range(4)])[None]).float() for m in labels]
    return labels, onehot, spacing


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("percentile", [100, 95, 50])
def test_hausdorff(monai, case, percentile):
    labels, onehot, spacing = case
    theirs = monai.compute_hausdorff_distance(
        *onehot, percentile=None if percentile == 100 else percentile, spacing=spacing
    )
    ours = metrics.hausdorff(*labels, 4, spacing, percentile)
    np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_surface_dice_and_average_distance(monai, case):
    labels, onehot, spacing = case
    theirs = monai.compute_surface_dice(*onehot, class_thresholds=[1.2] * 3, spacing=spacing)
    ours = metrics.surface_dice(*labels, 4, spacing, 1.2)
    np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=1e-5)
    theirs = monai.compute_average_surface_distance(*onehot, symmetric=True, spacing=spacing)
    ours = metrics.average_surface_distance(*labels, 4, spacing)
    np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_overlap(monai, case):
    labels, onehot, _ = case
    prediction, reference = onehot
    theirs = monai.compute_dice(prediction, reference, include_background=False)
    np.testing.assert_allclose(metrics.dice(*labels, 4), theirs[0].numpy(), rtol=1e-6)
    theirs = monai.compute_iou(prediction, reference, include_background=False)
    np.testing.assert_allclose(metrics.iou(*labels, 4), theirs[0].numpy(), rtol=1e-6)
    table = monai.get_confusion_matrix(prediction, reference, include_background=False)
    for ours, theirs in {
        "precision": "precision",
        "recall": "sensitivity",
        "true_negative_rate": "specificity",
    }.items():
        expected = monai.compute_confusion_matrix_metric(theirs, table)[0].numpy()
        np.testing.assert_allclose(getattr(metrics, ours)(*labels, 4), expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_empty_masks_follow_the_same_rules(monai, case):
    import torch

    labels, onehot, spacing = case
    gone = onehot[0].clone()
    gone[:, 1] = 0
    emptied = np.where(labels[0] == 1, 0, labels[0])
    theirs = monai.compute_hausdorff_distance(gone, onehot[1], spacing=spacing)
    ours = metrics.hausdorff(emptied, labels[1], 4, spacing)
    assert ours[0] == np.inf
    assert torch.isinf(theirs[0, 0]) or torch.isnan(theirs[0, 0])
    np.testing.assert_allclose(ours[1:], theirs[0, 1:].numpy(), rtol=1e-5)
    assert metrics.dice(emptied, labels[1], 4)[0] == 0
