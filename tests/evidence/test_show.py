"""Tables for reading: cells, marks, captions and escaped text."""

import re

import pandas as pd
import pytest

from paraspine.evidence import show

NAN = float("nan")
FRAME = pd.DataFrame(
    {
        "condition": ["U-Net", "U-Net", "TransUNet", "TransUNet"],
        "class": ["MF", "ES", "MF", "ES"],
        "mean": [0.91234, 0.8, 0.95, 0.8],
        "low": [0.9, 0.7, 0.94, NAN],
        "high": [0.92, 0.85, 0.96, NAN],
        "p_holm": [0.0004, 0.2, 0.03, NAN],
        "n": [12, 11, 12, 11],
    }
)


def test_a_cell_writes_intervals_numbers_p_and_words():
    row = FRAME.iloc[0].to_dict()
    assert show.interval(digits=2).text(row) == "0.91 [0.90, 0.92]"
    assert show.interval(digits=1, scale=100).text(row) == "91.2 [90.0, 92.0]"
    assert show.interval(digits=1).text(FRAME.iloc[3].to_dict()) == "0.8"
    assert show.number("n").text(row) == "12"
    assert show.number("mean", 1, 100).value(row) == pytest.approx(91.234)
    assert show.p_value().text(row) == "< 0.001"
    assert show.words("class").text(row) == "MF"
    other = {"dice": 0.5, "dice_low": 0.4, "dice_high": 0.7}
    assert show.interval("dice", 1).text(other) == "0.5 [0.4, 0.7]"


def test_columns_from_values_keep_their_order_and_mark_the_best():
    made = show.table(
        FRAME[:3], "condition", show.interval(digits=1), "class", caption="Table 1", best="high"
    )
    assert made.frame.columns.tolist() == ["MF", "ES"]
    assert made.frame.index.tolist() == ["U-Net", "TransUNet"]
    assert made.frame.loc["TransUNet"].tolist() == ["0.9 [0.9, 1.0]", "–"]
    assert made.best == {(1, 0)}  # a column with one value has no best one
    low = show.table(FRAME, "condition", show.number("mean", 2), "class", caption="c", best="low")
    assert low.best == {(0, 0)}  # equal values are not marked


def test_html_has_heads_caption_source_and_what_cannot_break():
    cells = {"Dice": show.interval(digits=2), "verdict": show.words("verdict")}
    frame = FRAME.assign(verdict=["supported", "contradicted", "can't tell", "mixed"])
    frame["n"] = "1.5 ± 0.2"
    made = show.table(
        frame, ["condition", "class"], cells | {"sd": show.words("n")}, caption="A < B",
        source="phantom & more", folded=True,
    )  # fmt: skip
    page = made._repr_html_()
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)
    assert heads == ["network", "structure", "Dice", "verdict", "sd"]
    assert page.count('<th scope="row">') == 8
    assert page.startswith("<details><summary>A &lt; B</summary>")
    assert '<caption>A &lt; B <span class="source">(phantom &amp; more)</span>' in page
    assert '0.91 <span class="ci">[0.90, 0.92]</span>' in page
    assert "1.5\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.2" in page
    kinds = re.findall(r'class="verdict (\w+)"', page)
    assert kinds == ["supported", "contradicted", "open", "open"]


def test_text_from_data_is_no_markup():
    frame = pd.DataFrame({"condition": ["<script>x</script>"], "note": ['<b onclick="x">']})
    page = show.table(frame, "condition", {"<i>": show.words("note")}, caption="c")._repr_html_()
    assert "<script" not in page
    assert "<b " not in page
    assert "<i>" not in page


def test_estimates_by_name():
    found = show.estimates(FRAME[FRAME["class"] == "MF"])
    assert list(found) == ["U-Net", "TransUNet"]
    assert (found["U-Net"].value, found["U-Net"].low) == (0.91234, 0.9)
