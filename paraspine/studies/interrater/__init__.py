"""Uncertainty of networks and disagreement between raters (roshanzamir2023)."""
