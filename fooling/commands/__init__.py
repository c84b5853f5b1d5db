"""One short file per command of the console script."""
