"""Shared by several studies: conditions, contrasts, verdicts, tables and words."""
