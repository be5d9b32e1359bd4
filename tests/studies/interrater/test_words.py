"""Every sentence of chapter 5, in both directions."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraspine import frames, statistics
from paraspine.evidence import conditions
from paraspine.evidence.words import NOBODY, ONE_RATER
from paraspine.studies.interrater import detection, headlines, layout, tables, views, words

NAN = float("nan")


def both_ways(sentence, table, exchanged, columns=("r", "low", "high")):
    """A sentence and that of the table with its signs turned; the words of a pair are exchanged."""
    value, low, high = columns
    turned = table.assign(**{value: -table[value], low: -table[high], high: -table[low]})
    said, other = sentence(table), sentence(turned)
    for one, two in exchanged:
        assert one in said, said
        assert two in other, other
        assert two not in said, said
        assert one not in other, other
    return said, other


def correlated(*rows, **columns):
    lines = [
        {"condition": name, "r": r, "low": low, "high": high, "decided_by": decided}
        for name, r, low, high, decided in rows
    ]
    given = {"kind": "pearson", "score": "entropy", "clusters": 10, "p": 0.01, "p_holm": 0.02}
    given |= {"without_low": 0.125, "without_high": 0.5, "moved_by": "s8", "moved_to": 0.25}
    return pd.DataFrame(lines).assign(**(given | columns))


UP = [("a", 0.5, 0.25, 0.75, ""), ("b", 0.4, 0.1, 0.6, "")]


# --- correlation -----------------------------------------------------------------------------


def test_correlation_rises_or_falls(three):
    said, other = both_ways(
        lambda table: words.correlation_sentence(table, three),
        correlated(*UP),
        [("**Yes, loosely.**", "**No, the other way round.**"),
         ("the networks are more uncertain", "the networks are less uncertain")],
    )  # fmt: skip
    assert said == (
        "**Yes, loosely.** Where the raters disagree more, the networks are more uncertain: "
        "*r* = 0.40 (95 % CI 0.10 to 0.60) to 0.50 (0.25 to 0.75) for 2 ways of training and "
        "sampling. Without s8, the subject that matters most, *r* is 0.25."
    )
    assert "*r* = -0.50 (95 % CI -0.75 to -0.25) to -0.40 (-0.60 to -0.10)" in other


def test_a_correlation_that_one_subject_decides_shows_nothing(three):
    table = correlated(UP[0], ("b", 0.4, 0.1, 0.6, "s8"), moved_to=[0.25, 0.125])
    said = words.correlation_sentence(table, three)
    assert said.startswith("**Yes, loosely, in 1 of 2 ways.**")
    assert said.endswith("*r* is 0.12 to 0.25; in 1 of 2 one subject decides, which shows nothing.")
    alone = correlated(("b", 0.4, 0.1, 0.6, "s8"))
    assert words.answer(alone) == "Can't tell"
    assert "can't tell whether uncertainty follows" in words.correlation_sentence(alone, three)
    open_one = correlated(("b", 0.1, -0.1, 0.6, ""))
    assert words.answer(open_one) == "Can't tell"
    mixed = correlated(UP[0], ("b", -0.4, -0.6, -0.1, ""))
    assert words.answer(mixed) == "It depends on the network"
    assert "rises with disagreement for 1 and falls for 1" in words.correlation_sentence(
        mixed, three
    )


def test_close_correlations_are_called_so():
    close = correlated(("a", 0.7, 0.5, 0.9, ""), ("b", 0.8, 0.5, 0.9, ""))
    assert words.answer(close) == "Yes, closely"
    assert words.answer(close.assign(r=[0.69, 0.8])) == "Yes, loosely"


@pytest.mark.parametrize("low", [NAN, 0.25])
def test_few_subjects_or_no_interval_show_nothing(low):
    table = correlated(("a", 0.5, low, 0.75, ""), clusters=5 if low == low else 10)
    assert words.answer(table) == "Can't tell"
    assert words.answer(table.assign(clusters=6, low=0.25)) == "Yes, loosely"


def test_the_subject_that_matters_most_is_that_of_most_networks(three):
    table = correlated(*UP, UP[1], moved_by=["s8", "s3", "s8"], moved_to=[0.375, 0.0, 0.25])
    said = words.correlation_sentence(table, three)
    assert "Without s8, the subject that matters most for 2 of them, *r* is 0.25 to 0.38." in said
    silent = correlated(*UP, without_low=NAN)
    assert "Without" not in words.correlation_sentence(silent, three)


def test_correlation_says_why_there_is_none(tools):
    nothing = correlated(*UP).iloc[:0]
    undefined = correlated(("a", NAN, NAN, NAN, ""))
    rated = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 1]]
    data = tools.data(np.ones((4, 3, 2, 3)), rated)
    for table in (nothing, undefined):
        said = words.correlation_sentence(table, data)
        assert said.startswith("GT entropy or uncertainty is the same")
        few = words.correlation_sentence(table, data.select([0, 1, 2]))
        assert few == "2 images with two raters: too few for a correlation."
        alone = tools.data(np.ones((2, 1, 2, 3)))
        assert words.correlation_sentence(table, alone) == ONE_RATER
    assert words.family_sentence(nothing) == ""


def test_p_is_of_predictive_entropy_over_images():
    table = pd.concat([correlated(*UP), correlated(*UP, score="x", p_holm=1.0),
                       correlated(*UP, kind="spearman")])  # fmt: skip
    assert words.family_sentence(table).endswith("over 2 tests, is below 0.05 for 2 of them.")


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (0, "0 rated test subjects: there is nothing to resample"),
        (1, "1 rated test subject: there is nothing to resample"),
        (2, "**2 rated test subjects**: an interval holds the truth in 50 % of cases at most"),
        (5, "in 94 % of cases at most"),
        (6, "6 rated test subjects: intervals are somewhat too narrow"),
        (19, "intervals are somewhat too narrow"),
        (20, "20 rated test subjects, which every interval resamples."),
    ],
)
def test_number_of_subjects(tools, subjects, expected):
    rated = np.ones((subjects + 1, 1), bool)
    rated[-1] = False  # a subject whom nobody rated
    data = tools.data(np.ones((subjects + 1, 1, 2, 3)), rated)
    assert expected in words.subjects_sentence(data)


# --- size and kinds of uncertainty -----------------------------------------------------------


def ratios(*rows):
    return pd.DataFrame(rows, columns=["value", "low", "high"])


def test_more_or_less_uncertain_than_raters_disagree():
    more = ratios((2, 1.5, 2.5), (5, 4.5, 6))
    assert words.gap_sentence(more) == (
        "On average networks are more uncertain than the raters disagree: 2.0 (95 % CI 1.5 to 2.5) "
        "to 5.0 (4.5 to 6.0) times."
    )
    less = words.gap_sentence(ratios((0.5, 0.25, 0.75)))
    assert less.startswith("On average networks are less uncertain than the raters disagree: 0.5")
    open_one = words.gap_sentence(ratios((1.25, 0.5, 1.5), (0.5, 0.25, 1.75)))
    assert open_one.startswith("On average networks are about as uncertain as")
    mixed = words.gap_sentence(ratios((2, 1.5, 2.5), (0.5, 0.25, 0.75), (1, 0.5, 1.5), (3, 2, 4)))
    assert "2 are more uncertain and 1 are less uncertain" in mixed
    assert "1 can't be told: 0.5 (95 % CI 0.2 to 0.8) to 3.0 (2.0 to 4.0) times" in mixed
    assert words.gap_sentence(ratios((NAN, NAN, NAN))) == ONE_RATER


def partition(*shares):
    """Epistemic, aleatoric and joint share of each network, in percent."""
    lines = [
        (f"net {k}", score, part, mean, mean / 2, 2 * mean)
        for k, own in enumerate(shares)
        for score in ("entropy", "mutual_information")
        for part, mean in zip(PARTS, (*own, own[0] - 119.0), strict=True)
    ]
    return pd.DataFrame(lines, columns=["epistemic", "score", "part", "mean", "low", "high"])


PARTS = ("epistemic", "aleatoric", "joint", "shared")


def test_kinds_of_uncertainty_are_one_signal_or_two():
    same = words.partition_sentence(partition((20, 24, 26), (10, 8, 13)))
    assert same == (
        "Each kind of uncertainty alone explains 8 to 24 % of the variance of disagreement; the "
        "other one adds at most 3 percentage points, so they are largely one signal. Intervals "
        "reach from 4 to 52 %."
    )
    apart = words.partition_sentence(partition((20, 24, 26), (10, 8, 15)))
    assert "adds at most 5 percentage points, so they differ" in apart
    assert headlines.one_signal(partition((20, 24, 26))) == "no, largely one signal"
    assert headlines.one_signal(partition((10, 8, 14))) == "no, largely one signal"
    assert headlines.one_signal(partition((10, 8, 15))) == "in part"


def test_partition_says_why_there_is_none():
    empty = partition()
    assert words.partition_sentence(empty).startswith("Left out: dividing the variance needs")
    undefined = partition((NAN, NAN, NAN))
    assert "the same for all images" in words.partition_sentence(undefined)
    assert headlines.one_signal(empty) == headlines.one_signal(undefined) == ""


# --- errors and parts ------------------------------------------------------------------------


def test_detection():
    table = pd.DataFrame(
        [("a", "entropy", 0.25, 0.2, 0.3, 0.0625), ("b", "entropy", 0.75, 0.7, 0.8, 0.125),
         ("b", "mutual_information", 0.9, 0.8, 0.95, 0.125), ("c", "entropy", NAN, NAN, NAN, 0)],
        columns=["condition", "score", "mean", "low", "high", "prevalence"],
    )  # fmt: skip
    assert words.detection_sentence(table) == (
        "Best is b: 0.75 (95 % CI 0.70 to 0.80); worst a: 0.25 (0.20 to 0.30). A random score "
        "would reach 0.12."
    )
    assert "worst" not in words.detection_sentence(table.iloc[:1])
    assert words.detection_sentence(table.iloc[3:]).startswith("No voxel is misclassified")
    assert words.detection_sentence(table.iloc[:0]) == NOBODY


def changed(*rows):
    lines = []
    for score, *values in rows:
        line = {"condition": "net", "score": score}
        for name, (low, high) in zip(("AP", "correlation", "R²"), values, strict=True):
            line |= {name: (low + high) / 2, f"{name}_low": low, f"{name}_high": high}
        lines.append(line)
    return pd.DataFrame(lines, columns=["condition", "score", *lines[0]] if not lines else None)


def test_parts_do_better_or_worse_than_the_whole():
    up, down, open_one, none = (0.1, 0.2), (-0.2, -0.1), (-0.1, 0.2), (NAN, NAN)
    table = changed(
        ("expected_entropy", up, up, open_one), ("expected_entropy", down, up, none),
        ("expected_entropy", up, open_one, none), ("mutual_information", down, none, none),
    )  # fmt: skip
    assert words.parts_sentence(table) == (
        "With expected entropy instead: average precision 2 higher and 1 lower (of 3), *r* with "
        "disagreement 2 higher (of 3), variance explained unchanged (of 1). With mutual "
        "information instead: average precision 1 lower (of 1)."
    )
    nothing = changed(("mutual_information", none, none, none))
    assert words.parts_sentence(nothing).startswith("Left out: parts of the entropy")


# --- differences and overlap -----------------------------------------------------------------


def compared(*rows, a="U-Net", b="TransUNet", question="architectures"):
    columns = ["difference", "low", "high", "decided_by", "p_holm_subject"]
    return pd.DataFrame(rows, columns=columns).assign(compared=question, a=a, b=b)


def test_which_side_is_better_depends_on_the_measure():
    table = compared(
        (0.1, 0.05, 0.2, "", 0.01), (0.1, 0.05, 0.2, "", 0.2), (-0.1, -0.2, -0.05, "", 0.3),
        (0.1, 0.05, 0.2, "s8", 0.4), (0.1, -0.05, 0.2, "", 0.9),
    )  # fmt: skip
    said, other = both_ways(
        lambda t: words.difference_sentence(t, "Dice", better="high"),
        table,
        [
            (
                "better with U-Net than with TransUNet in 2",
                "better with TransUNet than with U-Net in 2",
            )
        ],
        ("difference", "low", "high"),
    )
    assert said == (
        "Dice is better with U-Net than with TransUNet in 2 of 5 comparisons and worse in 1; in 1 "
        "more one subject decides. Tested by subject and adjusted, 1 differs."
    )
    low = words.difference_sentence(table, "Dice", better="low")
    assert low == other
    single = words.difference_sentence(table.iloc[4:], "Dice", better="low")
    assert "in none of 1 comparison and worse in none. Tested by subject and adjusted, none" in (
        single
    )


def test_targets_and_architectures_have_a_sentence_each():
    targets = compared((0.1, 0.05, 0.2, "", 0.01), a="random rater", b="majority vote",
                       question="targets")  # fmt: skip
    both = pd.concat([compared((0.1, 0.05, 0.2, "", 0.01)), targets])
    said = words.difference_sentence(both, "The Brier score", better="low")
    assert said.count("The Brier score is better with") == 2
    assert (
        "better with training on the majority vote than with training on the random rater in 1 of "
        "1 comparison and worse in none" in said
    )
    assert words.difference_sentence(both.iloc[:0], "x", better="low").startswith("Only one")


def overlap(*rows, raters=(("MF", 0.9, 0.85, 0.95), ("ES", 0.7, 0.65, 0.75))):
    rows = [*rows, *(("raters, in pairs", *row) for row in raters)]
    return pd.DataFrame(rows, columns=["condition", "class", "mean", "low", "high"])


def test_overlap_below_and_above_the_raters():
    table = overlap(("a", "MF", 0.5, 0.4, 0.84), ("a", "ES", 0.8, 0.76, 0.9),
                    ("b", "MF", 0.6, 0.5, 0.7), ("b", "ES", 0.7, 0.6, 0.8))  # fmt: skip
    assert words.overlap_sentence(table) == (
        "Networks reach a mean Dice of 0.65 against the vote, the raters 0.80 against each other. "
        "Of 4 intervals 2 lie below the raters' and 1 above, although a vote of all raters is "
        "easier to match than one of them."
    )
    within = table.assign(high=[0.9, 0.9, 0.7, 0.8, 0.95, 0.75])  # below 0.95, not below 0.85
    assert "Of 4 intervals 1 lie below the raters' and 1 above" in words.overlap_sentence(within)
    spread = table.assign(mean=[0.5, 0.75, 0.25, 0.5, 0.9, 0.7])
    assert "a mean Dice of 0.38 to 0.62 against the vote" in words.overlap_sentence(spread)
    alone = overlap(("a", "MF", 0.5, 0.4, 0.8), raters=())
    assert words.overlap_sentence(alone).endswith(f"against the vote. {ONE_RATER}")
    assert words.overlap_sentence(overlap()) == NOBODY


# --- headlines -------------------------------------------------------------------------------


def test_headlines_name_one_method(tools):
    frame = pd.DataFrame(
        [("a", "unet", "single"), ("b", "unet", "dropout"), ("c", "transunet", "dropout")],
        columns=["condition", "model", "method"],
    ).assign(fusion="majority", seed=0, method_label="")  # fmt: skip
    table = correlated(*UP, ("c", -0.25, -0.5, 0.125, ""))
    assert headlines.headline(table, frame) == (
        "r = 0.40 (95 % CI 0.10 to 0.60) (b); r = -0.25 (95 % CI -0.50 to 0.12) (c)"
    )
    assert headlines.headline(table.iloc[:1], frame).endswith("(a)")
    assert headlines.headline(table.iloc[:0], frame) == "undefined (one rater)"
    assert headlines.headline(table.assign(r=NAN), frame).startswith("undefined (too few")
    dice = overlap(("b", "MF", 0.5, 0, 1), ("a", "MF", 0.5, 0, 1), ("a", "ES", 0.75, 0, 1))
    assert headlines.headline_dice(dice, frame) == "0.625 (a)"
    assert headlines.headline_dice(dice.iloc[:1], frame) == "0.500 (b)"
    assert headlines.headline_dice(overlap(), frame).startswith("undefined")
    assert headlines.headline_raters(dice) == "0.800"
    assert headlines.headline_raters(dice.iloc[:3]) == "undefined (one rater)"


def test_what_the_chapter_found():
    more, less = ratios((2, 1.5, 2.5), (5, 4, 6)), ratios((0.5, 0.25, 0.75))
    shares = partition((20, 24, 26))
    said = headlines.found(correlated(*UP), shares, more)
    assert said == (
        "- Uncertainty follows disagreement: **yes, loosely**.\n"
        "- It is as large as the disagreement: **no, larger for all**.\n"
        "- Epistemic and aleatoric uncertainty tell different things: **no, largely one signal**."
    )
    assert "no, smaller for all" in headlines.found(correlated(*UP), shares, less)
    either = pd.concat([more, less])
    assert "it depends" in headlines.found(correlated(*UP), shares, either)
    assert headlines.found(correlated(*UP), partition(), more.iloc[:0]).count("\n") == 0


def test_how_far_trainings_lie_apart():
    frame = pd.DataFrame(
        [("unet", "majority", 0, "single"), ("unet", "majority", 1, "single"),
         ("transunet", "random", 0, "dropout"), ("transunet", "random", 0, "single"),
         ("transunet", "majority", 0, "ensemble")],
        columns=["model", "fusion", "seed", "method"],
    )  # fmt: skip
    trained = pd.DataFrame(
        [("unet", "majority", 0, 0.5), ("unet", "majority", 1, 0.53125),
         ("transunet", "random", 0, 0.75), ("transunet", "random", 1, 0.875),
         ("transunet", "random", 2, 0.8)],
        columns=["model", "fusion", "seed", "dice"],
    )  # fmt: skip
    said = headlines.trainings_sentence(trained, frame)
    assert said.startswith("Results of a single network rest on 1 training each. 3 trainings of")
    assert "of the TransUNet on the random rater differ by 12.5 percentage points" in said
    apart = frame.assign(fusion=["majority", "random", "majority", "majority", "majority"])
    said = headlines.trainings_sentence(trained, apart[apart["model"] == "unet"])
    assert "rest on 1 training each" in said  # two seeds, but of two targets
    unet = headlines.trainings_sentence(trained.iloc[:2], frame.iloc[:2])
    assert unet.startswith("Results of a single network rest on 2 trainings each. 2 trainings of")
    assert "U-Net on the majority vote differ by 3.1 percentage points" in unet
    alone = headlines.trainings_sentence(trained.iloc[:1], frame.iloc[:1])
    assert alone.endswith("what another training would change is unknown.")


# --- the whole chain, on any cohort ----------------------------------------------------------

CONDITIONS = (
    ("unet", "majority", "single"),
    ("transunet", "majority", "single"),
    ("unet", "random", "single"),
    ("unet", "majority", "dropout"),
    ("unet", "majority", "tta"),
)


def samples(tools, rng, n, size, unseen=0.0):
    found = {}
    for condition in CONDITIONS:
        mean = rng.dirichlet([0.5] * 3, (n, *size)).transpose(0, 3, 1, 2)
        entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
        mean = np.where(rng.random((n, 1, *size)) < unseen, NAN, mean)
        single = condition[2] == "single"
        expected = entropy if single else 0.5 * entropy
        found[condition] = tools.moments(mean, expected, samples=1 if single else 5)
    return found


def everything(data, moments, tools):
    """Every sentence and table of the chapter on a cohort and its samples."""
    sampled = [
        tools.Sampled(
            frames.prediction_frame(data, found), frames.error_arrays(data, found),
            model=model, fusion=fusion, method=method,
        )
        for (model, fusion, method), found in moments.items()
    ]  # fmt: skip
    frame = conditions.join(sampled, "measures.parquet")
    overlap = tables.overlap_table(frame, data)
    errors = detection.detection_table(detection.detectors(sampled))
    correlations, gap = tables.correlation_table(frame), tables.gap_table(frame)
    partition, changes = tables.partition_table(frame), detection.changes(errors, frame)
    brier, dice = (tables.difference_table(frame, name) for name in ("brier", "dice"))
    said = {"caption": "Table", "source": data.source}
    layout.changes_display(changes, **said)
    layout.dice_display(dice, **said)
    layout.partition_display(partition, frame, **said)
    layout.brier_display(tables.brier_table(frame), frame, **said)
    views.scatter_frame(frame, correlations)
    return {
        "subjects": words.subjects_sentence(data),
        "correlation": words.correlation_sentence(correlations, data),
        "gap": words.gap_sentence(gap),
        "partition": words.partition_sentence(partition),
        "detection": words.detection_sentence(errors),
        "parts": words.parts_sentence(changes),
        "brier": words.difference_sentence(layout.labelled(brier), "Brier", better="low"),
        "dice": words.difference_sentence(layout.labelled(dice), "Dice", better="high"),
        "overlap": words.overlap_sentence(overlap),
        "found": headlines.found(correlations, partition, gap),
        "headline": headlines.headline(correlations, frame),
        "headline Dice": headlines.headline_dice(overlap, frame),
        "headline raters": headlines.headline_raters(overlap),
    }


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(1, 6),
    raters=st.integers(1, 3),
    subjects=st.integers(1, 6),
    rated=st.sampled_from([0.0, 0.5, 1.0]),
    marked=st.sampled_from([0.0, 0.05, 0.6]),
    unseen=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_any_cohort_gives_words_and_never_nan(
    tools, seed, n, raters, subjects, rated, marked, unseen
):
    rng = np.random.default_rng(seed)
    size = (4, 5)
    labels = rng.integers(1, 3, (n, raters, *size))
    labels = np.where(rng.random(labels.shape) < marked, labels, 0)
    subject = [f"p{i % subjects}" for i in range(n)]
    data = tools.data(labels, rng.random((n, raters)) < rated, subject=subject)
    with statistics.set_defaults(resamples=40):
        said = everything(data, samples(tools, rng, n, size, unseen), tools)
    for name, sentence in said.items():
        assert sentence, name
        assert not re.search(r"\b(nan|None|inf)\b", sentence), f"{name}: {sentence}"
    if (data.rated.sum(axis=1) < 2).all():
        assert said["correlation"] == said["gap"] == ONE_RATER
        assert said["partition"].startswith("Left out")


def test_images_that_nobody_rated_say_so(tools):
    data = tools.data(np.zeros((3, 2, 4, 6)), np.zeros((3, 2)))
    with statistics.set_defaults(resamples=40):
        said = everything(data, samples(tools, np.random.default_rng(2), 3, (4, 6)), tools)
    assert said["overlap"] == said["detection"] == NOBODY
    assert said["found"] == "- Uncertainty follows disagreement: **can't tell**."
