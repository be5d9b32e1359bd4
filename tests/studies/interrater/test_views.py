"""What the figures of chapter 5 draw."""

import numpy as np
import pandas as pd
import pytest

from paraspine import figures, frames
from paraspine.studies.interrater import tables, views


@pytest.fixture
def images():
    """Two networks on six images of three subjects; q moves r most."""
    lines = []
    for model in ("unet", "transunet"):
        for method in ("single", "tta"):
            keys = {"model": model, "fusion": "random", "seed": 0, "method": method}
            for i, (subject, gt) in enumerate(zip("ppqqrr", [1, 2, 8, 9, 3, 1.5], strict=True)):
                place = {"subject": subject, "image": f"{i}", "slice": 0, "class": "all"}
                own = gt * (1 if model == "unet" else -0.5) + i / 5 + 5
                for measure, value in (("gt_entropy", gt), ("entropy", own)):
                    lines.append(place | keys | {"measure": measure, "value": value})
    frame = pd.DataFrame(lines)
    labels = frame["model"] + ", " + frame["method"]
    return frame.assign(condition=labels, method_label=frame["method"])


def test_points_of_one_method_with_r_above_and_the_subject_that_matters_marked(images):
    table = tables.correlation_table(images)
    found = views.scatter_frame(images, table, "tta")
    assert set(found["method"]) == {"tta"}
    assert (
        found["panel"]
        .unique()
        .tolist()[0]
        .startswith("U-Net, random rater<br>r = 0.99 [0.92, 1.00]")
    )
    assert found["panel"].unique().tolist()[1].startswith("TransUNet, random rater<br>r = -0.9")
    assert found.groupby("who")["subject"].unique().map(list).to_dict() == {
        "q (moves r most)": ["q"], "other subjects": ["p", "r"]
    }  # fmt: skip
    assert set(views.scatter_frame(images, table)["method"]) == {"single"}  # none is epistemic


def test_trainings_have_panels_of_their_own(images):
    twice = pd.concat([images, images.assign(seed=1, condition=images["condition"] + ", 1")])
    found = views.scatter_frame(twice, tables.correlation_table(twice), "single")
    names = [panel.split("<br>")[0] for panel in found["panel"].unique()]
    assert names == [
        f"{network}, random rater, seed {seed}"
        for seed in (0, 1)
        for network in ("U-Net", "TransUNet")
    ]


def test_without_disagreement_there_is_no_point(images):
    silent = images[images["measure"] != "gt_entropy"]
    assert views.scatter_frame(silent, tables.correlation_table(silent)).empty


def test_networks_are_compared_on_the_same_slices(three, tools):
    """A view for every way of sampling, with its prediction; augmentation's map beside each."""
    runs, entropies = [], {}
    for value, (model, method) in enumerate(
        [("unet", "tta"), ("unet", "single"), ("unet", "dropout"), ("transunet", "ensemble")]
    ):
        mean = np.full((1, 3, 2, 2), 0.1)
        mean[:, value % 3] = 0.8
        mean[:, (value + 1) % 3, 0, 0] += value / 20
        moments = tools.moments(mean / mean.sum(1, keepdims=True), samples=3)
        arrays = frames.stored_maps(three, [0], moments)
        entropies[method] = arrays["entropy"][0]
        runs.append(tools.Sampled(arrays=arrays, model=model, method=method, members=[0, 1]))
    found = views.compared_views(three, runs)
    assert [list(v.choices.values()) for v in found] == [
        ["p0", "the only one", "U-Net, majority vote", "test-time dropout (epistemic)"],
        ["p0", "the only one", "U-Net, majority vote", "one pass"],
        ["p0", "the only one", "U-Net, majority vote", "test-time augmentation (aleatoric)"],
        ["p0", "the only one", "TransUNet, majority vote", "ensemble (epistemic)"],
    ]
    dropout, single, tta, ensemble = found
    assert [v.prediction[1, 1] for v in found] == [2, 1, 0, 0]
    for view, epistemic, aleatoric in [
        (dropout, "dropout", "tta"), (single, "single", "tta"), (tta, None, "tta"),
        (ensemble, "ensemble", None),
    ]:  # fmt: skip
        assert "GT entropy" in view.maps
        for panel, method in (("epistemic", epistemic), ("aleatoric", aleatoric)):
            assert (panel in view.maps) == (method is not None) == (panel not in view.notes)
            if method is not None:
                np.testing.assert_array_equal(view.maps[panel], entropies[method])
    assert dropout.titles["epistemic"] == "epistemic: test-time dropout"
    assert single.titles["epistemic"] == "entropy: one pass"
    assert ensemble.titles["prediction"] == "prediction: ensemble"
    seeds = [tools.Sampled(arrays=arrays, seed=s) for s in (0, 1)]
    networks = [view.choices["network"] for view in views.compared_views(three, seeds)]
    assert networks == ["U-Net, majority vote, seed 0", "U-Net, majority vote, seed 1"]


def test_slices_of_one_subject_can_be_told_apart(tools):
    data = tools.data(np.ones((4, 1, 2, 2)), subject=["p", "p", "p", "q"], level=["L3", "L3", "L4",
                      None])  # fmt: skip
    moments = tools.moments(np.full((4, 3, 2, 2), 1 / 3))
    run = tools.Sampled(arrays=frames.stored_maps(data, range(4), moments))
    found = [view.choices for view in views.compared_views(data, [run])]
    assert [c["level"] for c in found] == [
        f"L3 ({data.keys[0]})", f"L3 ({data.keys[1]})", "L4", "the only one",
    ]  # fmt: skip
    (alone,) = (v for v in views.compared_views(data, [run]) if v.choices["subject"] == "q")
    assert "two raters" in alone.notes["GT entropy"]


def test_the_first_page_shows_the_slice_with_most_disagreement(tools):
    labels = [[[[1, 1, 1], [0, 2, 2]]] * 2, [[[1, 1, 0], [0, 2, 2]], [[0, 0, 1], [1, 0, 0]]]]
    data = tools.data(labels)
    runs = []
    for method in ("tta", "dropout", "single"):
        moments = tools.moments(np.full((2, 3, 2, 3), 1 / 3), samples=3)
        arrays = frames.stored_maps(data, [0, 1], moments)
        runs.append(tools.Sampled(arrays=arrays, method=method))
    found = views.compared_views(data, runs)
    points = pd.DataFrame(
        {"condition": ["a", "b", "a"], "subject": ["p0", "p1", "p1"],
         "gt_entropy": [0.25, 0.5, np.nan], "entropy": [0.5, 0.125, 0.75]}
    )  # fmt: skip
    first = views.first_page(points, found)
    assert first["view"].choices["subject"] == "p1"
    assert first["view"].choices["method"] == "test-time dropout (epistemic)"
    assert first["points"]["subject"].tolist() == ["p0", "p1"]
    assert first["title"].endswith("U-Net, majority vote")
    assert views.first_page(points.iloc[:1], found)["view"].choices["subject"] == "p0"
    assert views.first_page(points.iloc[:0], found) == {}
    assert views.first_page(points, [v for v in found if "epistemic" not in v.maps]) == {}
    figure = figures.points_and_slice(
        **first, classes=data.classes, source=data.source, spacing=(2.0, 1.0)
    )
    titles = (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text)
    assert titles == ("disagreement of raters (nats)", "uncertainty (nats)")
    assert [a.text for a in figure.layout.annotations] == [
        "raters", "prediction", "disagreement", "uncertainty"
    ]  # fmt: skip
    dots = next(t for t in figure.data if t.mode == "markers")
    assert (dots.x.tolist(), dots.y.tolist()) == ([0.25], [0.5])
    truth, uncertain = (t for t in figure.data if t.type == "heatmap")
    assert (truth.dy, truth.dx) == (2.0, 1.0)
    np.testing.assert_allclose(truth.z, first["view"].maps["GT entropy"])
    np.testing.assert_allclose(uncertain.z, first["view"].maps["epistemic"])
    assert truth.zmax == uncertain.zmax == pytest.approx(np.log(3), abs=1e-3)
    (stored,) = figures.Stored(figure)._repr_mimebundle_().values()
    assert stored["layout"]["title"]["text"] == first["title"]
