"""Pure functions on arrays: `reference` is the definition, `numba` and `jax` are its fast twins; no settings, no files."""

# What every engine has under one name, beside the table PENALTIES.
# Arguments follow the engine: numba takes lists of candidates, jax one run to be mapped.
COMMON = (
    "PENALTIES",
    "breed",
    "dense_scores",
    "histogram_counts",
    "network_sums",
    "regional_parts",
    "start",
    "target_term",
    "truncation_selection",
    "variogram_sums",
    "variogram_sums_lag1",
    "weighted_sum",
)
