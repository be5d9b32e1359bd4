"""One folder per chapter: what to run, its tables, words and views."""
