"""TeX to MathML while the book is built: formulas without a script and without a network."""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element, SubElement, tostring

from docutils import nodes
from latex2mathml.converter import Converter
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

__all__ = ["MathError", "to_mathml", "visit_displaymath", "visit_math"]

logger = logging.getLogger(__name__)

_BLANK_LINE = re.compile(r"\n\s*\n")
_BRACE = re.compile(r"(?<!\\)[{}]")
#: What the converter knows, and what stands for its kin; Sphinx sets the numbers of equations.
_ENVIRONMENTS = {
    name: name
    for name in (
        *("align*", "split", "cases", "array", "substack", "smallmatrix", "matrix", "pmatrix"),
        *("bmatrix", "Bmatrix", "vmatrix", "Vmatrix"),
    )
} | {
    "align": "align*",
    "aligned": "align*",
    "eqnarray": "align*",
    "eqnarray*": "align*",
    "gather": "matrix",
    "gather*": "matrix",
    "gathered": "matrix",
    "multline": "matrix",
    "multline*": "matrix",
    "dcases": "cases",
    "equation": "",
    "equation*": "",
}
#: How many parts a construction must have.
_PARTS = {
    "mfrac": 2,
    "mover": 2,
    "mroot": 2,
    "msub": 2,
    "msubsup": 3,
    "msup": 2,
    "munder": 2,
    "munderover": 3,
}
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([A-Za-z]+\*?)\}")
_ARGUMENT = ((re.compile(r"\\arg\s*\\(max|min)\b"), r"\\arg\1"),)
#: Lines over a formula as the converter writes them.
BARS = ("\u2015", "\u203e", "\u00af", "_")
_FUNCTIONS = frozenset(
    (
        *("arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim", "exp", "gcd", "hom"),
        *("inf", "ker", "lg", "lim", "ln", "log", "max", "min", "sec", "sin", "sinh", "sup"),
        *("tan", "tanh"),
    )
)


class MathError(ValueError):
    """A formula could not be turned into MathML."""


def _prepare(tex: str, display: bool) -> str:
    """Rewrite what the converter doesn't know into what it does."""
    for pattern, replacement in _ARGUMENT:
        tex = pattern.sub(replacement, tex)
    tex = re.sub(r"\\arg(?![A-Za-z])", r"\\operatorname{arg}", tex)
    tex = _ENVIRONMENT.sub(_known_environment, tex)
    if not display:
        return tex
    tex = r" \\ ".join(part.strip() for part in _BLANK_LINE.split(tex) if part.strip())
    if r"\\" in tex and r"\begin{" not in tex:
        return rf"\begin{{align*}}{tex}\end{{align*}}"
    return tex


def _known_environment(match: re.Match) -> str:
    name = _ENVIRONMENTS.get(match[2])
    if name is None:
        raise MathError(f"unknown environment '{match[2]}'")
    return rf"\{match[1]}{{{name}}}" if name else ""


def _check_braces(tex: str) -> None:
    depth = 0
    for brace in _BRACE.findall(tex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            break
    if depth:
        raise MathError(f"braces don't match in the formula {tex.strip()!r}")


def _is_letter(element: Element) -> bool:
    return (
        element.tag == "mi"
        and element.get("mathvariant") == "normal"
        and len(element.text or "") == 1
        and not len(element)
    )


def _base(element: Element) -> str | None:
    """The name in ``log`` or ``log_2``."""
    while element.tag in ("msub", "msup", "msubsup", "munder") and len(element):
        element = element[0]
    return element.text if element.tag in ("mi", "mo") else None


def _space(row: Element, place: int) -> None:
    row.insert(place, Element("mspace", width="0.167em"))


def _tidy(element: Element) -> None:
    """Join upright letters to words, set thin spaces around functions, align columns.

    Browsers follow MathML Core, which aligns the cells of a table by style only.
    """
    for child in element:
        _tidy(child)
    if element.tag == "mrow" and len(element) > 1 and all(map(_is_letter, element)):
        word = "".join(child.text for child in element)
        element.clear()
        SubElement(element, "mi").text = word
    if element.tag in ("mrow", "mtd", "math"):
        for place in range(len(element) - 1, -1, -1):
            if _base(element[place]) not in _FUNCTIONS:
                continue
            after = element[place + 1] if place + 1 < len(element) else None
            if after is not None and after.tag != "mspace" and not _is_mark(after):
                _space(element, place + 1)
            if place and element[place - 1].tag != "mspace" and not _is_mark(element[place - 1]):
                _space(element, place)
    if element.tag == "mover" and element[1].text in BARS and _is_wide(element[0]):
        element[1].text = "\u203e"  # browsers stretch this one over what it covers
        element[1].set("stretchy", "true")
    if element.tag == "mtd" and "columnalign" in element.attrib:
        align = element.attrib.pop("columnalign")
        padding = {"right": ";padding-right:0", "left": ";padding-left:0.15em"}.get(align, "")
        element.set("style", f"text-align:{align}{padding}")


def _is_wide(element: Element) -> bool:
    return element.tag not in ("mi", "mn", "mo")


def _is_mark(element: Element) -> bool:
    """Brackets and operators, which bring their own space."""
    return element.tag == "mo" and _base(element) not in _FUNCTIONS


def to_mathml(tex: str, *, display: bool = False) -> str:
    r"""Return one formula as a ``<math>`` element.

    Parameters
    ----------
    tex : str
        TeX without delimiters. Lines broken by ``\\`` or by an empty line are aligned at ``&``.
    display : bool
        On a line of its own rather than inside a sentence.

    Raises
    ------
    MathError
        If the braces don't match, or a command or environment isn't known: the message names it.
    """
    _check_braces(tex)
    try:
        tree = Converter(display="block" if display else "inline").convert_to_element(
            _prepare(tex, display)
        )
    except MathError as error:
        raise MathError(f"{error} in the formula {tex.strip()!r}") from None
    except Exception as error:  # the converter raises many types, some without words
        problem = str(error) or type(error).__name__
        raise MathError(f"cannot read the formula {tex.strip()!r}: {problem}") from error
    for element in tree.iter():
        element.text = html.unescape(element.text) if element.text else element.text
        word = (element.text or "").strip()
        if element.tag != "mtext" and (word == "&" or re.match(r"\\[A-Za-z]", word)):
            raise MathError(f"unknown command {word} in the formula {tex.strip()!r}")
        if len(element) != _PARTS.get(element.tag, len(element)):
            raise MathError(f"a part is missing in the formula {tex.strip()!r}")
    _tidy(tree)
    tree.set("alttext", " ".join(tex.split()))
    return tostring(tree, encoding="unicode", short_empty_elements=False)


def _convert(node, *, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display=display)
    except MathError as error:
        logger.warning("%s", error, location=node, type="paraspine", subtype="math")
        return f"<code>{html.escape(node.astext())}</code>"


def visit_math(self, node: nodes.math) -> None:
    """Write a formula inside a sentence (Sphinx HTML math renderer)."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_convert(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_displaymath(self, node: nodes.math_block) -> None:
    """Write a formula on its own line with its number and link (Sphinx HTML math renderer)."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(_convert(node, display=True))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode
