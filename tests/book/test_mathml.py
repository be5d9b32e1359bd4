"""TeX becomes MathML, and what isn't understood is an error rather than a wrong formula."""

import re
from xml.etree.ElementTree import fromstring

import pytest

from paraspine.book.mathml import MathError, to_mathml

M = "{http://www.w3.org/1998/Math/MathML}"


def words(tex: str, **options) -> str:
    return "".join(fromstring(to_mathml(tex, **options)).itertext()).replace("\u2009", " ")


def test_a_fraction():
    tree = fromstring(to_mathml(r"\frac{a}{2}"))
    (fraction,) = tree.iter(f"{M}mfrac")
    assert ["".join(part.itertext()) for part in fraction] == ["a", "2"]
    assert tree.get("display") == "inline"
    assert fromstring(to_mathml("a", display=True)).get("display") == "block"
    assert tree.get("alttext") == r"\frac{a}{2}"


def test_less_than_is_escaped():
    assert "<mo>&lt;</mo>" in to_mathml("a < b")
    assert words(r"a < b \le c") == "a<b≤c"


def test_upright_words_are_one_identifier():
    tree = fromstring(to_mathml(r"\mathrm{Dice}"))
    assert [e.text for e in tree.iter(f"{M}mi")] == ["Dice"]


def test_functions_keep_their_distance():
    assert re.search(
        r"<mspace width=\"0.167em\"></mspace><mi>log</mi><mspace", to_mathml(r"p \log p")
    )
    assert "mspace" not in to_mathml(r"\log(p)")


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{align} a &= b \\ c &= d \end{align}",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\begin{equation} \begin{split} a &= b \\ c &= d \end{split} \end{equation}",
        r"\begin{gather} a = b \\ c = d \end{gather}",
        r"a &= b \\ c &= d",
        "a = b\n\nc = d",
    ],
)
def test_several_lines_are_rows_of_a_table(tex):
    tree = fromstring(to_mathml(tex, display=True))
    assert len(list(tree.iter(f"{M}mtr"))) == 2
    assert "".join(tree.itertext()) == "a=bc=d"
    assert not [e for e in tree.iter() if "columnalign" in e.attrib]  # not in MathML Core


def test_columns_of_aligned_lines_meet_at_the_sign():
    cells = fromstring(to_mathml(r"a &= b \\ c &= d", display=True)).iter(f"{M}mtd")
    assert [c.get("style").split(";")[0] for c in cells] == [
        "text-align:right",
        "text-align:left",
    ] * 2


@pytest.mark.parametrize(
    "tex",
    [
        r"H(\bar P) = -\sum_{c=0}^{C-1} \bar P_c \log \bar P_c",
        r"\underbrace{H}_{\text{entropy}} = \mathbb{E}_t\left[H(P_t)\right] + I",
        r"\hat y = \operatorname{argmax}_c P_c",
        r"\arg\max_c P_c + \arg z",
        r"f = \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"\sqrt{\frac{1}{N} \sum_i (S_i - P_i)^2}",
        r"2 |A \cap B| / (|A| + |B|), \quad \alpha \ldots \omega, \; \infty",
    ],
)
def test_what_the_book_needs_is_understood(tex):
    assert "\\" not in words(tex, display=True)


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\foo x", r"unknown command \\foo"),
        (r"x_{", "braces"),
        (r"} x {", "braces"),
        (r"\frac{a}", "part is missing|cannot read"),
        (r"\begin{unheard} a \end{unheard}", "unknown environment 'unheard'"),
        (r"a & b", "unknown command &"),
    ],
)
def test_what_is_not_understood_is_named(tex, message):
    with pytest.raises(MathError, match=message):
        to_mathml(tex)
