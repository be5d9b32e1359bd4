"""Calibration of probabilities (roshanzamir2022, Appendix A)."""
