"""Uncertainty methods by name: what each is called, what it measures and what it needs.

A method is added by its own function and a line here. Nothing is imported until it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALEATORIC", "ENSEMBLE", "EPISTEMIC", "METHODS", "Method"]


@dataclass(frozen=True)
class Method:
    """A way to sample the prediction of a network.

    Attributes
    ----------
    name : str
        As parameters have it.
    label : str
        As tables and sentences have it.
    kind : str
        Of the uncertainty that its predictive entropy measures: ``"epistemic"``, ``"aleatoric"``,
        or ``"total"`` for one pass.
    place : str
        Module of this room and function, ``"methods.predict"``.
    takes : tuple of str
        Settings of `sample` that the function takes.
    several : bool
        Whether it takes several trainings instead of one.
    """

    name: str
    label: str
    kind: str
    place: str
    takes: tuple[str, ...] = ()
    several: bool = False


#: Every method by name, in the order of tables.
METHODS = {
    known.name: known
    for known in (
        Method("single", "one pass", "total", "methods.predict"),
        Method(
            "dropout",
            "test-time dropout",
            "epistemic",
            "stochastic.predict_dropout",
            ("samples", "seed"),
        ),
        Method(
            "tta",
            "test-time augmentation",
            "aleatoric",
            "methods.predict_tta",
            ("samples", "seed", "augmentation", "mirror_classes", "spacing"),
        ),
        Method("ensemble", "ensemble", "epistemic", "methods.predict_ensemble", several=True),
    )
}
#: The methods whose predictive entropy is taken as epistemic, and as aleatoric.
EPISTEMIC, ALEATORIC = (
    tuple(m.name for m in METHODS.values() if m.kind == kind) for kind in ("epistemic", "aleatoric")
)
#: The method that takes several trainings.
(ENSEMBLE,) = (m.name for m in METHODS.values() if m.several)
