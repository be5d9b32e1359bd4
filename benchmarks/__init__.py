"""What is fast, measured against what a user would write: ``python -m benchmarks``.

One module per theme makes cases; a case holds rows that share a rival, and a check that both sides
give the same result. `timing` runs them side by side, `report` prints and writes the table.
"""
