"""What the arrays of a statistics file must be: sizes, types, ranges, and how they agree with each other."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.data.matching import RESIZED
from fooling.kernels.reference.penalties import region_count
from fooling.kernels.tables import LEVELS, bin_of_level
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE


class Rule(NamedTuple):
    """What one array must be."""

    size: tuple[str | int, ...]  # letters as beside the fields of `Statistics`, S = 1 + 2·reach
    dtype: type[Any]
    low: float
    high: float


SMALLEST, LARGEST = float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).max)
MAX_COUNT = 2**31 - 1
RULES = {
    "count": Rule(("K",), np.int64, 1, LARGEST),
    "levels": Rule(("K", "C", LEVELS), np.float64, 0, 1),
    "histogram": Rule(("K", "C", "B"), np.float64, 0, 1),
    "variogram_x": Rule(("K", "C", "L"), np.float64, 0, 1),
    "variogram_y": Rule(("K", "C", "L"), np.float64, 0, 1),
    "mean": Rule(("K", "P"), np.int32, 0, 255 * MEAN_ONE),
    "eigen": Rule(("K", "M", "P"), np.int16, -EIGEN_ONE, EIGEN_ONE),
    "variance": Rule(("K", "M"), np.float64, SMALLEST, LARGEST),
    "residual": Rule(("K",), np.float64, SMALLEST, LARGEST),
    "grid": Rule((), np.int64, 1, MAX_COUNT),
    "regional": Rule(("K", "C", "regions", "S"), np.float64, 0, 1),
    "exemplar_levels": Rule(("K", "E", "C", LEVELS), np.int32, 0, MAX_COUNT),
    "exemplar_sums": Rule(("K", "E", "C", 2, "L"), np.int32, 0, MAX_COUNT),
    "exemplar_regional": Rule(("K", "E"), np.float64, 0, LARGEST),
    "exemplar_eigen": Rule(("K", "E", 2), np.float64, 0, LARGEST),
}


def find_problem(values: dict[str, npt.NDArray[Any]]) -> str:
    """What is wrong with arrays that should be statistics, or '' if nothing is."""
    shape, levels = values["shape"], values["levels"]
    if shape.shape != (3,) or shape.dtype.kind != "i" or shape.min() < 1:
        return f"shape: expected (H, W, C), got {shape.tolist()}"
    if levels.ndim != 3 or min(levels.shape) < 1:
        return f"levels: expected [K, C, {LEVELS}], got {list(levels.shape)}"
    grid = int(values["grid"]) if values["grid"].shape == () and values["grid"].dtype.kind == "i" else 1
    sizes = {"K": len(levels), "C": int(shape[2]), "P": int(np.prod(shape)), "regions": region_count(shape.tolist(), grid)}
    for letter, (name, axis) in SIZED.items():
        sizes[letter] = values[name].shape[axis] if values[name].ndim > axis else 0
    for name, rule in RULES.items():
        size = [sizes[side] if isinstance(side, str) else side for side in rule.size]
        if list(values[name].shape) != size:
            return f"{name}: expected {size}, got {list(values[name].shape)}"
        problem = find_bad_numbers(values[name], rule)
        if problem:
            return f"{name}: {problem}"
    if values["labels"].shape != (sizes["K"],) or values["labels"].dtype.kind != "U":
        return "labels: expected a name for each class"
    return find_disagreement(values) or find_odd_origin(values)


SIZED = {  # free sizes: the array and the axis that define each
    "B": ("histogram", 2),
    "L": ("variogram_x", 2),
    "M": ("eigen", 1),
    "S": ("regional", 3),
    "E": ("exemplar_levels", 1),
}


def find_bad_numbers(value: npt.NDArray[Any], rule: Rule) -> str:
    """What is wrong with the numbers of an array of the right size, or '' if nothing is."""
    whole = rule.dtype is not np.float64
    high = f"to {rule.high:g}" if rule.high < MAX_COUNT else "on"
    expected = f"expected {'integers' if whole else 'numbers'} from {rule.low:g} {high}"
    if rule.low == SMALLEST:
        expected = "expected numbers above 0"
    if not value.size:
        return "" if "M" in rule.size else expected
    if value.dtype != rule.dtype or not np.isfinite(value).all() or value.min() < rule.low or value.max() > rule.high:
        return expected
    return ""


def find_disagreement(values: dict[str, npt.NDArray[Any]]) -> str:
    """Which arrays contradict each other, or '' if none do."""
    histogram, levels, exemplars = values["histogram"], values["levels"], values["exemplar_levels"]
    for name in ("levels", "histogram"):
        if not np.allclose(values[name].sum(axis=2), 1):
            return f"{name}: shares do not add up to 1"
    if histogram.shape[2] > LEVELS:
        return f"histogram: expected at most {LEVELS} bins, got {histogram.shape[2]}"
    bins = np.zeros_like(histogram)
    np.add.at(np.moveaxis(bins, 2, 0), bin_of_level(bins.shape[2]), np.moveaxis(levels, 2, 0))
    if not np.allclose(bins, histogram):
        return "histogram: does not agree with levels"
    norms = (values["eigen"].astype(np.float64) ** 2).sum(axis=2) / EIGEN_ONE**2
    if not np.allclose(norms, 1, atol=0.05):  # the kernels' 32-bit sums rely on it
        return "eigen: expected principal components of length 1"
    numbers = values["regional"].shape[3]
    if numbers % 2 == 0:
        return f"regional: expected a mean and as many lags in both directions for each region, got {numbers} numbers"
    if (exemplars.sum(axis=3) != values["shape"][0] * values["shape"][1]).any():
        return "exemplar_levels: do not add up to the pixels of an image"
    return ""


def find_odd_origin(values: dict[str, npt.NDArray[Any]]) -> str:
    """What is wrong with how the images came about, on which older files have nothing, or '' if nothing is."""
    count, sample, resize = values["count"], values.get("sample", values["count"]), values.get("resize", np.array(""))
    if sample.shape != count.shape or sample.dtype.kind != "i" or sample.min() < 1 or (sample > count).any():
        return "sample: expected from 1 to all images of each class"
    if resize.shape != () or str(resize) not in ("", *RESIZED):
        return f"resize: expected {', '.join(RESIZED)} or ''"
    return ""
