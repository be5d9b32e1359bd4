"""Figures hold what they were given, say where it comes from, and stay small."""

import base64
import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage.color import rgb2lab

from paraspine import figures
from paraspine.anatomy import LEVELS, PARASPINAL, ClassTable
from paraspine.arrays import LabelError, SettingsError, ShapeError
from paraspine.figures.encode import encode_map, grey_levels, outlines, picture, scale_ticks
from paraspine.figures.style import DASHES, TEMPLATE, empty, estimate_text, hover, looks

SOURCE = "synthetic phantom"
TWO = ClassTable(("background", "nodule"))


def estimate(value, low=math.nan, high=math.nan):
    return SimpleNamespace(value=value, low=low, high=high, p=0.01)


def entropies() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": ["a", "a", "b", "b"],
            "level": [LEVELS[0], LEVELS[1], LEVELS[0], None],
            "gt_entropy": [0.01, 0.02, np.nan, 0.04],
            "entropy": [0.02, 0.02, 0.03, 0.05],
            "method": ["single", "single", "dropout", "dropout"],
        }
    )


def view(title="sub-001", raters=2, size=(12, 20), **changes) -> figures.View:
    labels = np.zeros((raters, *size), np.uint8)
    for r in range(raters):
        labels[r, 3 : 6 + r, 4:9] = 1
    image = np.linspace(0, 1, size[0] * size[1]).reshape(size)
    maps = {"GT entropy": labels.mean(0) * math.log(2), "predictive entropy": labels[0] * 0.5}
    given = {"labels": labels, "prediction": labels[0], "maps": maps} | changes
    return figures.View(image, title, **given)


def all_figures() -> dict[str, go.Figure]:
    frame = entropies().rename(columns={"method": "condition"})
    tidy = pd.DataFrame(
        [
            {"subject": s, "class": c, "level": v, "value": 0.9, "condition": w, "a": "anna"}
            for s in "xyz" for c in PARASPINAL.foreground for w in ("ben", "carl")
            for v in LEVELS[:2]
        ]
    )  # fmt: skip
    table = pd.DataFrame(
        {"subject": list("abcd"), "split": ["train", "train", "validation", "test"],
         "sex": list("FMFM"), "age": [30.0, 40, 50, 60]}
    )  # fmt: skip
    bins = np.linspace(0.1, 0.9, 5)
    curve = SimpleNamespace(confidence=bins, accuracy=bins**2, count=np.arange(5) * 10)
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": [1.0, 0.5], "validation_loss": [1.1, 0.7],
         "validation_dice": [0.5, 0.8]}
    )  # fmt: skip
    line = (np.linspace(0, 1, 50), np.linspace(1, 0.5, 50))
    own = {"source": SOURCE, "title": "a title"}
    given = {"source": SOURCE}
    steps = figures.Steps("one", view().image, *[view().labels] * 3, view().labels[0])
    compared = figures.Compared("one", [view().image], [[view().labels[0]] * 2])
    claims = pd.DataFrame(
        {"claim": list("abc"), "read from": ["Table 1", "Table 1", "Table 2"],
         "verdict": ["supported", "contradicted", "can't tell"]}
    )  # fmt: skip
    made = [
        figures.entropy_scatter(frame, estimate=estimate(0.6, 0.4, 0.7), **own),
        figures.reliability_diagram({"unet": curve}, ece={"unet": 0.02}, **own),
        figures.precision_recall({"entropy": line}, {"entropy": 0.01}, **own),
        figures.intervals({"a": estimate(0.5, 0.4, 0.6)}, x_title="r", **own),
        figures.small_multiples(
            tidy.assign(low=0.8, high=1.0), "level", group="condition", panel="class",
            x_title="level", y_title="r", **own,
        ),
        figures.score_violins(tidy, **own),
        figures.validation_losses({"a": history, "b": history}, **own),
        figures.scatter_panels(
            frame, "gt_entropy", "entropy", panel="condition", group="condition",
            x_title="GT entropy (nats)", y_title="entropy (nats)", **own,
        ),
        figures.entropy_panels(frame, **own),
        figures.reliability_panels({"a": curve, "b": curve}, **own),
        figures.pairwise_dice(tidy.assign(pair=tidy["condition"]), **given),
        figures.agreement_by_level(tidy, y_title="Dice", **own),
        figures.verdict_strip(claims, **own),
        figures.training_curves(history, best=2, **given),
        figures.split_overview(table, **given),
        figures.cohort_slices([view(), view("sub-002")], classes=TWO, **own),
        figures.variance_steps([steps], ["anna", "ben"], **given),
        figures.prediction_grid([compared], [""], ["vote", "unet"], classes=TWO, **given),
    ]  # fmt: skip
    return dict(zip(AXES, made, strict=True))


#: Titles of the x and of the y axes of every figure, by the function that draws it.
AXES = {
    "entropy_scatter": (["GT entropy (nats)"], ["prediction entropy (nats)"]),
    "reliability_diagram": (["confidence"], ["accuracy", "voxels"]),
    "precision_recall": (
        ["recall: share of the errors found"], ["precision: share that are errors"]
    ),
    "intervals": (["r"], []),
    "small_multiples": (["level"], ["r", "r"]),
    "score_violins": (["composite score (sum of z-scores)"], []),
    "validation_losses": (["epoch"], ["loss"]),
    "scatter_panels": (["GT entropy (nats)"], ["entropy (nats)"]),
    "entropy_panels": (["GT entropy (nats)"], ["prediction entropy (nats)"]),
    "reliability_panels": (["confidence"], ["accuracy"]),
    "pairwise_dice": ([], ["Dice"]),
    "agreement_by_level": (["level"], ["Dice"]),
    "verdict_strip": (["claim, in the paper's order"], ["read from"]),
    "training_curves": (["epoch", "epoch"], ["loss", "mean Dice"]),
    "split_overview": ([], ["share of subjects", "years"]),
    "cohort_slices": ([], []),
    "variance_steps": ([], []),
    "prediction_grid": ([], []),
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> dict[str, go.Figure]:
    return all_figures()


def test_every_figure_says_its_source_and_loads_nothing(drawn):
    for name, figure in drawn.items():
        text = figure.to_json()
        assert SOURCE in figure.layout.title.subtitle.text, name
        assert figure.layout.title.text, name
        assert figure.layout.height >= 250, name
        assert "http" not in text.replace("data:image", ""), name
        assert json.loads(text)["layout"]["template"]["layout"]["colorway"], name


def test_every_function_is_drawn_here():
    elsewhere = {"bland_altman", "points_and_slice", "slice_explorer"}
    assert set(AXES) == {n for n in figures.__all__ if n.islower()} - elsewhere


@pytest.mark.parametrize("name", AXES)
def test_axes_have_titles(drawn, name):
    figure = drawn[name]
    below = [a.text for a in figure.layout.annotations if a.yanchor == "top" and a.yshift]
    found = [a.title.text for a in figure.select_xaxes() if a.title.text] + below
    assert (found, [a.title.text for a in figure.select_yaxes() if a.title.text]) == AXES[name]


def test_a_figure_without_source_is_refused():
    with pytest.raises(SettingsError, match="synthetic phantom"):
        figures.reliability_diagram({}, source=" ", title="t")


def test_groups_differ_in_colour_and_symbol_and_labels_hold_no_paths():
    many = looks([f"g{i}" for i in range(8)])
    assert len({look.colour for look in many.values()}) == 8
    assert len({look.symbol for look in many.values()}) == 8
    assert [look.dash for look in many.values()][:6] == list(DASHES)
    frame = pd.DataFrame({"subject": ["a", "b"], "image": ["x.nii", "y.nii"], "slice": [0, 0]})
    label = hover(frame, figures.style.HOVER, "first")
    assert label["hovertemplate"] == "first<br>subject: %{customdata[0]}<extra></extra>"
    label = hover(frame.assign(slice=[0, 1]), figures.style.HOVER)
    assert label["customdata"] == [["a", 0], ["b", 1]]
    assert "slice: %{customdata[1]}" in label["hovertemplate"]


# ------------------------------------------------------------------ entropies


def test_scatter_leaves_out_undefined_entropies_and_counts_them():
    figure = figures.entropy_scatter(
        entropies(), source=SOURCE, title="t", estimate=estimate(0.594, 0.412, 0.718)
    )
    line, points = figure.data
    assert list(line.x) == list(line.y) == [0, pytest.approx(0.0525)]
    assert figure.layout.xaxis.range == (0, pytest.approx(0.042))  # each axis ends with its values
    assert figure.layout.yaxis.range == (0, pytest.approx(0.0525))
    np.testing.assert_allclose(points.x, [0.01, 0.02, 0.04])
    np.testing.assert_allclose(points.y, [0.02, 0.02, 0.05])
    assert "r = 0.59 [0.41, 0.72]" in points.name
    assert list(points.customdata[2]) == ["b", "–"]
    assert "3 images, 1 without both entropies left out" in figure.layout.title.subtitle.text


def test_scatter_by_group_takes_an_estimate_for_each():
    given = {"source": SOURCE, "title": "t", "colour": "method"}
    figure = figures.entropy_scatter(
        entropies(), estimate={"single": estimate(0.5, 0.1, 0.8), "dropout": estimate(math.nan)},
        **given,
    )  # fmt: skip
    names = [t.name for t in figure.data[1:]]
    assert names == ["single: r = 0.50 [0.10, 0.80]", "dropout: r undefined"]
    assert figure.data[1].marker.color != figure.data[2].marker.color
    assert figure.data[1].marker.symbol != figure.data[2].marker.symbol
    told = figures.entropy_scatter(
        entropies(), averages=True, estimate={"single": estimate(0.5, 0.1, 0.8)}, **given
    )
    for trace, mark in zip(told.data[1:], ("r = 0.50 [0.10, 0.80],", "dropout:"), strict=True):
        assert f"{mark} mean {np.mean(trace.y):.4f}" in trace.name


def test_scatter_of_a_single_rater_says_why_it_is_empty():
    nothing = entropies().assign(gt_entropy=np.nan)
    figure = figures.entropy_scatter(nothing, source="one rater", title="t")
    assert "single rater" in figure.layout.annotations[0].text.replace("<br>", " ")
    assert not figure.data
    assert "one rater" in empty("nothing", "t", "one rater").layout.title.subtitle.text


def test_a_missing_column_is_named_with_those_that_are_there():
    with pytest.raises(SettingsError, match=r"'entropy'.*gt_entropy"):
        figures.entropy_scatter(entropies().drop(columns="entropy"), source=SOURCE, title="t")


# ------------------------------------------------------------------ curves


def test_reliability_skips_empty_bins_but_keeps_their_place():
    curve = SimpleNamespace(
        confidence=np.array([np.nan, 0.75]),
        accuracy=np.array([np.nan, 0.7]),
        count=np.array([0, 8]),
    )
    figure = figures.reliability_diagram(
        {"unet": curve}, source=SOURCE, title="t", ece={"unet": 0.05}
    )
    points, counts = [t for t in figure.data if t.legendgroup == "unet"]
    assert list(points.x) == [0.75]
    assert list(points.y) == [0.7]
    assert points.name == "unet (ECE = 0.0500)"
    np.testing.assert_array_equal(counts.x, [0, 0.5, 1])
    np.testing.assert_array_equal(counts.y, [np.nan, 8, 8])
    words = {a.text for a in figure.layout.annotations}
    assert {"under-confident", "over-confident"} <= words


def test_reliability_shades_the_right_sides(drawn):
    under, over = drawn["reliability_diagram"].data[:2]
    assert np.mean(np.subtract(under.y, under.x)) > 0  # accuracy above confidence
    assert np.mean(np.subtract(over.y, over.x)) < 0


def test_reliability_of_arrays_that_differ_is_refused():
    curve = SimpleNamespace(confidence=np.ones(3), accuracy=np.ones(4), count=np.ones(3))
    with pytest.raises(ShapeError):
        figures.reliability_diagram({"unet": curve}, source=SOURCE, title="t")


def test_chance_is_one_line_where_it_is_the_same_and_else_one_a_curve():
    curves = {"a": ([0, 1], [1, 0.1]), "b": ([0, 1], [1, 0.2])}
    same = figures.precision_recall(curves, {"a": 0.1, "b": 0.1}, source=SOURCE, title="t")
    other = figures.precision_recall(curves, {"a": 0.1, "b": 0.2}, source=SOURCE, title="t")
    assert len(same.data) == 3
    assert len(other.data) == 4
    assert list(other.data[3].y) == [0.2, 0.2]
    assert "20.00 %" in other.data[3].name


def test_many_curves_leave_the_plot_its_size_and_chance_one_entry():
    names = [f"network {i}" for i in range(8)]
    curve = [0, 1], [1, 0.5]
    shares = {name: 0.01 * (i + 1) for i, name in enumerate(names)}
    plots = []
    for number in (2, 8):
        some = dict.fromkeys(names[:number], curve)
        kept = {n: shares[n] for n in some}
        figure = figures.precision_recall(some, kept, source="made up", title="t")
        layout = figure.layout
        entries = [t.name for t in figure.data if t.showlegend is not False]
        assert len(entries) == (4 if number == 2 else 9)
        wide = 60 + 7 * max(map(len, entries))
        rows = -(-len(entries) // int(640 / wide))
        free = layout.height - layout.margin.t - layout.margin.b
        plots.append(free - 19 * max(0, rows - 2))
        assert layout.legend.y == pytest.approx(-layout.margin.b / plots[-1])
    assert plots[0] == plots[1]
    assert entries[-1] == "chance: 1.00 to 8.00 % are errors"


def test_estimates_have_no_minus_before_zero():
    assert estimate_text(estimate(0.41, -0.001, 0.65), "r") == "r = 0.41 [0.00, 0.65]"
    assert estimate_text(estimate(-0.41, -0.65, -0.01), "r") == "r = -0.41 [-0.65, -0.01]"
    assert estimate_text(estimate(-0.001, math.nan, math.nan)) == "0.00"


def test_intervals_keep_undefined_estimates_in_their_place():
    figure = figures.intervals(
        {"a": estimate(0.5, 0.4, 0.8), "b": estimate(math.nan), "c": 0.2},
        source=SOURCE, x_title="r", title="t", reference=0,
    )  # fmt: skip
    points = figure.data[0]
    assert list(points.x) == [0.5, 0.2]
    assert list(points.y) == [0, 2]
    np.testing.assert_allclose(points.error_x.array, [0.3, 0])
    np.testing.assert_allclose(points.error_x.arrayminus, [0.1, 0])
    assert list(figure.layout.yaxis.ticktext) == ["a", "b", "c"]
    assert figure.layout.annotations[0].text == "undefined"
    assert figure.layout.annotations[0].y == 1


def test_estimates_as_words():
    assert estimate_text(estimate(0.5, 0.25, 0.75), "r") == "r = 0.50 [0.25, 0.75]"
    assert estimate_text(estimate(0.5), "r") == "r = 0.50"
    assert estimate_text(0.123456, digits=4) == "0.1235"
    assert estimate_text(math.nan, "r") == "r undefined"


# ------------------------------------------------------------------ frames


def test_boxes_leave_out_undefined_values_and_follow_the_order_of_appearance():
    frame = pd.DataFrame(
        {"class": ["left MF", "right MF", "right MF"], "value": [0.9, np.nan, 0.8], "subject": "a",
         "pair": ["anna and ben", "anna and ben", "anna and carl"]}
    )  # fmt: skip
    one, other = figures.pairwise_dice(frame, source=SOURCE).data
    assert (one.name, list(one.x), list(one.y)) == ("anna and ben", ["left MF"], [0.9])
    assert (other.name, list(other.x), list(other.y)) == ("anna and carl", ["right MF"], [0.8])
    assert other.customdata[0][0] == "a"
    levels = frame.assign(level=pd.Categorical(["S1", "L4-L5", "S1"], LEVELS))
    given = {"source": SOURCE, "title": "t", "y_title": "y"}
    figure = figures.agreement_by_level(levels, group="class", **given)
    assert figure.layout.xaxis.categoryarray == ("S1",)
    assert [t.name for t in figure.data] == ["left MF", "right MF"]
    nothing = figures.agreement_by_level(levels.assign(value=np.nan), **given)
    assert "Nothing here is defined" in nothing.layout.annotations[0].text


def test_split_counts_subjects_and_images():
    table = pd.DataFrame(
        {"subject": ["a", "a", "b", "c"], "split": ["train", "train", "test", "test"],
         "level": ["L5-S1", "L4-L5", "L4-L5", None], "age": [30, 30, 50, 60], "sex": None}
    )  # fmt: skip
    figure = figures.split_overview(table, source=SOURCE, orders={"level": LEVELS})
    subjects, images = figure.data[:2]
    assert list(subjects.x) == ["train", "test"]
    assert list(subjects.y) == [1, 2]
    assert list(images.y) == [2, 2]
    titles = [a.text for a in figure.layout.annotations]
    assert titles == ["subjects", "images", "age", "level"]  # sex holds nothing
    ages = {t.name: list(t.y) for t in figure.data if t.type == "box"}
    assert ages == {"train": [30], "test": [50, 60]}  # a subject counts once
    levels = {t.name: (list(t.x), list(t.y)) for t in figure.data[2:] if t.type == "bar"}
    assert levels["train"] == (["L4-L5", "L5-S1"], [0.5, 0.5])
    assert levels["test"] == (["L4-L5", "L5-S1"], [1.0, 0.0])


def test_training_rings_the_weights_that_were_kept(drawn):
    rings = [t for t in drawn["training_curves"].data if t.mode == "markers"]
    assert [(list(t.x), list(t.y)) for t in rings] == [([2], [0.7]), ([2], [0.8])]
    alone = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "validation_loss": [np.nan]})
    figure = figures.training_curves(alone, source=SOURCE)
    assert [t.name for t in figure.data] == ["loss, training"]


# ------------------------------------------------------------------ maps and pictures


@given(
    hnp.arrays(float, (4, 5), elements=st.floats(0, 1.6) | st.just(math.nan)),
    st.floats(1.6, 3),
)
@settings(deadline=None, max_examples=60)
def test_a_map_survives_as_bytes_within_half_a_step(values, limit):
    codes = encode_map(values, limit)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes == 255, np.isnan(values))
    seen = ~np.isnan(values)
    step = limit / 254
    assert np.abs(codes[seen] * step - values[seen]).max(initial=0) <= step / 2 + 1e-12


def test_colour_bar_ticks_stand_where_their_values_are():
    values, texts = scale_ticks(math.log(5), classes=5)
    assert texts == ["0", "0.5", "1", "ln 5 = 1.61"]
    np.testing.assert_allclose(values, [0, 0.5, 1, math.log(5)])
    values, texts = scale_ticks(0.1)
    assert texts[0] == "0"
    assert texts[-1] == "0.1"
    np.testing.assert_allclose(values, [float(t) for t in texts])


@given(st.floats(1e-6, 1e6))
@settings(deadline=None)
def test_colour_bars_have_a_readable_number_of_ticks(limit):
    values, texts = scale_ticks(limit)
    assert 3 <= len(texts) <= 7
    assert values == sorted(values)
    assert values[-1] == limit


def test_outline_runs_halfway_between_pixels_in_mm():
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    x, y = outlines(mask, (2.0, 0.5))
    assert min(x) == (3 - 0.5) * 0.5
    assert max(x) == (6 + 0.5) * 0.5
    assert min(y) == (2 - 0.5) * 2
    assert max(y) == (3 + 0.5) * 2
    assert (x[0], y[0]) == (x[-1], y[-1])


def test_outline_at_the_edge_is_closed_and_pieces_are_apart():
    mask = np.zeros((5, 5), bool)
    mask[0, 0] = mask[4, 4] = True
    x, y = outlines(mask, (1, 1))
    assert x.count(None) == y.count(None) == 1
    cut = x.index(None)
    assert (x[0], y[0]) == (x[cut - 1], y[cut - 1])
    assert outlines(np.zeros((3, 3)), (1, 1)) == ([], [])


def test_pictures_decode_to_what_was_given():
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    kind, content = picture(grey).split(",")
    assert kind == "data:image/jpeg;base64"
    close = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), int)
    assert np.abs(close - grey).max() < 20


def test_grey_levels_end_at_quantiles():
    np.testing.assert_array_equal(grey_levels(np.full((2, 2), 7.0)), np.zeros((2, 2)))
    image = np.arange(1001.0).reshape(7, 143)
    found = grey_levels(image)
    assert (found[image <= 5] == 0).all()
    assert (found[image >= 995] == 255).all()
    assert found.ravel()[500] == 128
    image[0, 0] = np.nan
    assert grey_levels(image)[0, 0] == 0
    with pytest.raises(ShapeError):
        grey_levels(np.zeros((2, 2, 2)))


# ------------------------------------------------------------------ slices


def panels_of(figure) -> list[str]:
    return [a.text for a in figure.layout.annotations]


def test_gallery_lists_each_class_once(drawn):
    gallery = drawn["cohort_slices"]
    listed = [t.name for t in gallery.select_traces({"type": "scatter"}) if t.showlegend]
    assert listed == ["nodule"]
    assert panels_of(gallery) == ["sub-001", "sub-002"]


def test_pictures_have_sides_a_scale_and_the_aspect_of_their_pixels():
    figure = figures.cohort_slices([view()], classes=TWO, source=SOURCE, spacing=(2.0, 0.5))
    (image,) = figure.select_traces({"type": "image"})
    assert (image.dy, image.dx) == (2.0, 0.5)
    assert figure.layout.xaxis.range == (-0.25, 9.75)
    assert figure.layout.yaxis.range == (23.0, -1.0)  # row 0 at the top
    assert figure.layout.yaxis.scaleanchor == "x"
    lines = list(figure.select_traces({"type": "scatter"}))
    (sides,) = (t for t in lines if t.mode == "text")
    assert list(sides.text) == ["R", "L"]  # the picture's left is the patient's right
    assert sides.x[0] < 1 < 9 < sides.x[1]
    edge, bar = (t for t in lines if t.line.color in ("black", "white"))
    assert (bar.text[1], bar.x[1] - bar.x[0]) == (" 2 mm", 2)
    assert edge.x[0] < bar.x[0] < bar.x[1] < edge.x[1]


def test_raters_who_did_not_rate_are_not_drawn():
    item = view(raters=3, rated=np.array([True, False, True]))
    figure = figures.cohort_slices([item], classes=TWO, source=SOURCE)
    assert len([t for t in figure.data if t.name == "nodule"]) == 2


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (view(prediction=np.zeros((3, 3), int)), ShapeError),
        (view(prediction=np.full((12, 20), 2)), LabelError),
        (view(labels=np.zeros((2, 5, 5), int)), ShapeError),
        (view(maps={"e": np.zeros((2, 2))}), ShapeError),
        (view(rated=np.ones(5, bool)), SettingsError),
    ],
)
def test_views_that_do_not_fit_are_refused(item, error):
    for call in (figures.slice_explorer, figures.cohort_slices):
        with pytest.raises(error):
            call([item], classes=TWO, source=SOURCE)
        with pytest.raises(SettingsError, match="at least one"):
            call([], classes=TWO, source=SOURCE)


# ------------------------------------------------------------------ colours


#: Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    rgb = np.clip(rgb, 0, 1)
    srgb = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return rgb2lab(srgb.reshape(1, 1, 3)).ravel()


@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_first_colours_stay_apart_with_colour_vision_deficiency(kind):
    seen = [to_lab(np.array(DEFICIENCIES[kind]) @ linear(c)) for c in figures.PALETTE[:6]]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 10  # CIE76; about 2.3 is just noticeable


def test_words_are_readable_on_white():
    def luminance(colour):
        return linear(colour) @ [0.2126, 0.7152, 0.0722]

    for colour in (TEMPLATE.layout.font.color, TEMPLATE.layout.title.subtitle.font.color):
        assert 1.05 / (luminance(colour) + 0.05) > 4.5  # WCAG AA


def test_verdicts_stand_in_the_papers_order_one_row_a_table():
    claims = pd.DataFrame(
        {
            "claim": ["first", "second", "third"],
            "read from": ["Table 1", "Table 1", "Table 2"],
            "verdict": ["contradicted", "supported", "contradicted"],
        }
    )
    figure = figures.verdict_strip(claims, source=SOURCE, title="t")
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn) == ["supported", "contradicted"]  # from good to bad
    assert list(drawn["contradicted"].x) == [1, 1]
    assert list(drawn["contradicted"].y) == ["Table 1", "Table 2"]
    assert list(drawn["supported"].text) == ["second"]
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    assert list(figure.layout.yaxis.categoryarray) == ["Table 2", "Table 1"]
