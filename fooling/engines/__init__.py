"""Engines by name, and which searches each has. A new engine is one file in this folder and one row here."""

ENGINES = {
    "reference": ("fooling.engines.reference", "ReferenceEngine", ("ga",)),
    "numba": ("fooling.engines.numba_", "NumbaEngine", ("ga",)),
}
