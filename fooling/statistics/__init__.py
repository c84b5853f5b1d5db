"""What a class's training images look like: grey levels, variograms, regions, eigen-images; fitted once and saved."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fooling.data.npz import read_arrays
from fooling.errors import UserError
from fooling.kernels.reference.penalties import region_count
from fooling.kernels.tables import LEVELS, Doubles, bin_of_level
from fooling.statistics.pca import EIGEN_ONE, MEAN_ONE, PrincipalComponents

BUNDLED = Path(__file__).parent / "mnist.npz"


@dataclass(frozen=True)
class Statistics:
    """Means over the training images of each class; pixels scaled to [0, 1], x = along rows (horizontal)."""

    labels: npt.NDArray[np.str_]  # [K], names of the classes
    shape: npt.NDArray[np.int64]  # [3], H, W, C
    count: npt.NDArray[np.int64]  # [K], training images
    levels: Doubles  # [K, C, 256], shares of the grey levels
    histogram: Doubles  # [K, C, B], shares of the bins (0, 1/B], (1/B, 2/B], …, the first with 0
    variogram_x: Doubles  # [K, C, L], mean |I(r, c) − I(r, c + k)| for k = 1…L
    variogram_y: Doubles  # [K, C, L], mean |I(r, c) − I(r + k, c)| for k = 1…L
    mean: npt.NDArray[np.int32]  # [K, P], mean images, in units of 1/256 grey level
    eigen: npt.NDArray[np.int16]  # [K, M, P], eigen-images, in units of 2⁻¹²
    variance: Doubles  # [K, M], of the images along the eigen-images
    residual: Doubles  # [K], mean energy outside of them
    grid: npt.NDArray[np.int64]  # [], regions a side
    regional: Doubles  # [K, C, regions, 1 + 2·reach], mean level, then mean differences of lags 1…reach, see `regional_term`
    exemplar_levels: npt.NDArray[np.int32]  # [K, E, C, 256], pixels of each grey level of E of the images, the exemplars
    exemplar_sums: npt.NDArray[np.int32]  # [K, E, C, 2, L], their sums of |I(p) − I(p + k)|
    exemplar_regional: Doubles  # [K, E], their regional term …
    exemplar_eigen: Doubles  # [K, E, 2], … and the two parts of their eigen term

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            digest.update(repr((field.name, value.shape, value.dtype.str)).encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    @property
    def lags(self) -> int:
        """L, the largest lag."""
        return int(self.variogram_x.shape[2])

    @property
    def exemplars(self) -> int:
        """E, training images of each class whose own statistics are kept."""
        return int(self.exemplar_levels.shape[1])

    def bins(self, digit: int, bins: int) -> Doubles:
        """Shares [C, bins] of any number of bins, from the grey levels."""
        shares = np.zeros((self.levels.shape[1], bins))
        np.add.at(shares.T, bin_of_level(bins), self.levels[digit].T)
        return shares

    def variogram(self, digit: int, lags: int) -> Doubles:
        """Both directions, [C, 2, lags]."""
        return np.stack([self.variogram_x[digit, :, :lags], self.variogram_y[digit, :, :lags]], axis=1)

    def eigen_images(self, digit: int) -> PrincipalComponents:
        """Mean and eigen-images of a class."""
        return PrincipalComponents(self.mean[digit], self.eigen[digit], self.variance[digit], float(self.residual[digit]))

    def save(self, path: Path) -> None:
        """Writes an .npz file of plain arrays under the names of the fields; the same bytes for the same statistics."""
        with path.open("wb") as file:
            np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @staticmethod
    def load(path: Path) -> "Statistics":
        """Reads what `save` wrote; a file that is none, or whose numbers cannot be statistics, is refused."""
        if not path.is_file():
            raise UserError(f"prior.statistics={path}: no such file; expected one written by `fooling stats`")
        arrays = read_arrays(path)
        missing = [field.name for field in fields(Statistics) if field.name not in arrays]
        if missing:
            raise UserError(f"prior.statistics={path}: lacks {', '.join(missing)}; expected a file of `fooling stats`")
        values = {field.name: arrays[field.name] for field in fields(Statistics)}
        problem = find_problem(values)
        if problem:
            raise UserError(f"prior.statistics={path}: {problem}; fit it anew with `fooling stats`")
        return Statistics(**values)


class Rule(NamedTuple):
    """What an array of a file of statistics must be."""

    size: tuple[str | int, ...]  # letters as beside the fields of `Statistics`, S = 1 + 2·reach
    dtype: type[Any]
    low: float
    high: float


SMALLEST, LARGEST = float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).max)
MOST = 2**31 - 1
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
    "grid": Rule((), np.int64, 1, MOST),
    "regional": Rule(("K", "C", "regions", "S"), np.float64, 0, 1),
    "exemplar_levels": Rule(("K", "E", "C", LEVELS), np.int32, 0, MOST),
    "exemplar_sums": Rule(("K", "E", "C", 2, "L"), np.int32, 0, MOST),
    "exemplar_regional": Rule(("K", "E"), np.float64, 0, LARGEST),
    "exemplar_eigen": Rule(("K", "E", 2), np.float64, 0, LARGEST),
}


def find_problem(values: dict[str, npt.NDArray[Any]]) -> str:
    """What is wrong with arrays that should be statistics, or ''."""
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
    return find_disagreement(values)


SIZED = {  # sizes that are free, and where they are read
    "B": ("histogram", 2),
    "L": ("variogram_x", 2),
    "M": ("eigen", 1),
    "S": ("regional", 3),
    "E": ("exemplar_levels", 1),
}


def find_bad_numbers(value: npt.NDArray[Any], rule: Rule) -> str:
    """What is wrong with the numbers of an array of the right size, or ''."""
    whole = rule.dtype is not np.float64
    high = f"to {rule.high:g}" if rule.high < MOST else "on"
    expected = f"expected {'integers' if whole else 'numbers'} from {rule.low:g} {high}"
    if rule.low == SMALLEST:
        expected = "expected numbers above 0"
    if not value.size:
        return "" if "M" in rule.size else expected
    if value.dtype != rule.dtype or not np.isfinite(value).all() or value.min() < rule.low or value.max() > rule.high:
        return expected
    return ""


def find_disagreement(values: dict[str, npt.NDArray[Any]]) -> str:
    """Which arrays contradict each other, or ''."""
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
        return "eigen: expected eigen-images of length 1"
    numbers = values["regional"].shape[3]
    if numbers % 2 == 0:
        return f"regional: expected of each region a mean and as many lags in both directions, got {numbers} numbers"
    if (exemplars.sum(axis=3) != values["shape"][0] * values["shape"][1]).any():
        return "exemplar_levels: do not add up to the pixels of an image"
    return ""
