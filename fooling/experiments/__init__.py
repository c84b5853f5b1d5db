"""Experiments on pictures and networks: one file each that computes, one that draws; `commands/` gives them a face."""
