"""Label fusion and SoftSeg (lemay2022)."""
