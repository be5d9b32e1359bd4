"""Names of the networks: what each is called, where it stands, and what it goes with.

A network is added by its own file and a line here. Nothing is imported until it is built.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NETWORKS", "Architecture", "multitask_of"]


@dataclass(frozen=True)
class Architecture:
    """A network that can be built by name.

    Attributes
    ----------
    name : str
        As parameters and files have it.
    label : str
        As tables and sentences have it.
    place : str
        Module of this room and class, ``"unet.UNet"``.
    single : str
        Of a multi-task network, the one that segments alone; else empty.
    pretrained : bool
        Whether it can start from a file of TransUNet weights.
    """

    name: str
    label: str
    place: str
    single: str = ""
    pretrained: bool = False


#: Every network by name, in the order of tables.
NETWORKS = {
    known.name: known
    for known in (
        Architecture("unet", "U-Net", "unet.UNet"),
        Architecture("transunet", "TransUNet", "transunet.TransUNet", pretrained=True),
        Architecture(
            "multitask_unet", "multi-task U-Net", "multitask.MultiTaskUNet", single="unet"
        ),
        Architecture(
            "multitask_transunet",
            "multi-task TransUNet",
            "multitask.MultiTaskTransUNet",
            single="transunet",
            pretrained=True,
        ),
    )
}


def multitask_of(name: str) -> str | None:
    """Name of the multi-task network of an architecture; None where there is none."""
    return next((known.name for known in NETWORKS.values() if known.single == name), None)
