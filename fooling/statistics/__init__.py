"""What a class's training images look like: grey levels, variograms, regions, principal components, fitted once and saved."""

import hashlib
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, ImageStream, with_images
from fooling.data.matching import class_number, has_numbers, rule_in, without_none
from fooling.data.npz import read_arrays
from fooling.errors import UserError, counted, printable
from fooling.kernels.tables import Doubles, bin_of_level
from fooling.settings.fields import user_path
from fooling.statistics.fit import Watch, fit_arrays
from fooling.statistics.pca import PrincipalComponents, max_components, sampling_stride
from fooling.statistics.rules import find_problem

BUNDLED = Path(__file__).parent / "mnist.npz"


@dataclass(frozen=True)
class Statistics:
    """Means over the training images of each of K classes. Pixels are scaled to [0, 1]; x is along rows (horizontal)."""

    labels: npt.NDArray[np.str_]  # [K], names of the classes
    shape: npt.NDArray[np.int64]  # [3], H, W, C
    count: npt.NDArray[np.int64]  # [K], training images
    levels: Doubles  # [K, C, 256], shares of the grey levels
    histogram: Doubles  # [K, C, B], shares of the bins (0, 1/B], (1/B, 2/B], …, the first with 0
    variogram_x: Doubles  # [K, C, L], mean |I(r, c) − I(r, c + k)| for k = 1…L
    variogram_y: Doubles  # [K, C, L], mean |I(r, c) − I(r + k, c)| for k = 1…L
    mean: npt.NDArray[np.int32]  # [K, P], mean images, in units of 1/256 grey level
    eigen: npt.NDArray[np.int16]  # [K, M, P], principal components, in units of 2⁻¹²
    variance: Doubles  # [K, M], variance along each component
    residual: Doubles  # [K], mean energy outside of the components
    grid: npt.NDArray[np.int64]  # [], regions per side
    regional: Doubles  # [K, C, regions, 1 + 2·reach], mean level, then mean differences of lags 1…reach, see `regional_term`
    exemplar_levels: npt.NDArray[np.int32]  # [K, E, C, 256], pixels of each grey level in E single images, the exemplars
    exemplar_sums: npt.NDArray[np.int32]  # [K, E, C, 2, L], their sums of |I(p) − I(p + k)|
    exemplar_regional: Doubles  # [K, E], their regional term …
    exemplar_eigen: Doubles  # [K, E, 2], … and the two parts of their eigen term
    numbers: tuple[int, ...] = ()  # of the K classes, where they are some of a classifier's classes; (): 0 … K − 1
    sample: npt.NDArray[np.int64] | None = None  # [K], images that the principal components come from; None: an older file
    resize: str = ""  # how the pictures got their size, crop, fit or stretch; '': none was resized, or an older file

    @staticmethod
    def fit(
        data: ImageSet | ImageStream,
        bins: int = 10,
        lags: int = 14,
        components: int = 40,
        grid: int = 4,
        reach: int = 4,
        exemplars: int = 300,
        watch: Watch = lambda what, done, total: None,
    ) -> "Statistics":
        """Statistics of every class of `data`, an `ImageSet` (`fooling.load_data`) or a stream, which is read once.

        1 ≤ bins ≤ 256. `lags`, `components` and `exemplars` are upper limits: there are no more lags than the shorter side − 1,
        no more principal components than the smallest class has, no more exemplars than it has images. Regions are
        grid × grid, with lags 1 … reach. `watch(what, done, total)` reports progress.

        Memory does not grow with the number of images. Up to 2048 pixels the covariance is summed over all images, if those of
        all classes fit in 1 GiB. Otherwise the components (not the mean) come from a sample of each class, evenly spaced: at
        most 2048 images, and no more than 1 GiB holds. Raises UserError for damaged data and for a class without images.
        """
        if not isinstance(data, ImageSet | ImageStream):
            advice = "Statistics.fit(fooling.load_data(PATH)); a file of statistics is read by Statistics.load(FILE)"
            raise UserError(f"Statistics.fit: expected a fooling.ImageSet, got {type(data).__name__}; give {advice}")
        arrays: dict[str, Any] = fit_arrays(data, bins, lags, components, grid, reach, exemplars, watch)
        pixels, classes = int(arrays["shape"].prod()), len(arrays["count"])
        sample = [-(-number // sampling_stride(number, pixels, classes)) for number in arrays["count"].tolist()]
        return Statistics(**arrays, sample=np.array(sample, dtype=np.int64), resize=rule_in(data.notes))

    def __repr__(self) -> str:
        """In brief: Statistics(10 classes of images 28×28×1, 60,000 images)."""
        size = "×".join(str(side) for side in self.shape)
        return f"Statistics({len(self.count)} classes of images {size}, {counted(int(self.count.sum()), 'image')})"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all arrays, and of the classes that they are of where these are only some."""
        digest = hashlib.sha256()
        for name in ARRAYS:
            value = getattr(self, name)
            digest.update(repr((name, value.shape, value.dtype.str)).encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        digest.update(repr(self.numbers).encode() if self.numbers else b"")  # which class each row is of
        return digest.hexdigest()

    @property
    def classes(self) -> tuple[int, ...]:
        """The classifier's numbers of the K classes."""
        return self.numbers or tuple(range(len(self.count)))

    def row(self, digit: int, name: str = "digit") -> int:
        """The place of a class in the arrays. Raises UserError, with the setting `name`, for a class without statistics."""
        if digit in self.classes:
            return self.classes.index(digit)
        if not self.numbers:
            expected = f"expected a class from 0 to {len(self.count) - 1} of the statistics"
        else:
            known = [f"{k} ({label})" for k, label in zip(self.numbers, self.labels, strict=True)]
            expected = f"expected a class of the statistics, which are {', '.join(known[:5])}{', …' if known[5:] else ''}"
        raise UserError(f"{name}={digit}: {expected}, got {digit}")

    def of_classes(self, labels: Sequence[str]) -> "Statistics":
        """The same, with the numbers of its classes among those of a classifier where they are some of them by their labels.

        Labels that are the numbers 0 … K − 1 may be those of any set; they are left as they are.
        """
        names = [str(name) for name in self.labels]
        if len(names) < len(labels) and tuple(names) == without_none(labels):
            return replace(self, numbers=tuple(range(len(names))))
        if self.numbers or len(names) >= len(labels) or has_numbers(names):
            return self
        found = [class_number(name, labels, "statistics") for name in names]
        numbers = tuple(number for number in found if number is not None)
        return replace(self, numbers=numbers) if len(set(numbers)) == len(names) else self

    @property
    def lags(self) -> int:
        """L, the largest lag."""
        return int(self.variogram_x.shape[2])

    @property
    def exemplars(self) -> int:
        """E, single training images per class whose statistics are stored."""
        return int(self.exemplar_levels.shape[1])

    def bins(self, digit: int, bins: int) -> Doubles:
        """Histogram [C, bins] of a class with any number of bins."""
        shares = np.zeros((self.levels.shape[1], bins))
        np.add.at(shares.T, bin_of_level(bins), self.levels[digit].T)
        return shares

    def variogram(self, digit: int, lags: int) -> Doubles:
        """Variogram [C, 2, lags] of a class, along rows and along columns."""
        return np.stack([self.variogram_x[digit, :, :lags], self.variogram_y[digit, :, :lags]], axis=1)

    def eigen_images(self, digit: int) -> PrincipalComponents:
        """Mean and principal components of a class."""
        return PrincipalComponents(self.mean[digit], self.eigen[digit], self.variance[digit], float(self.residual[digit]))

    def leaves_no_residual(self, digit: int) -> bool:
        """Whether a class's components explain all that its images vary: then nothing says how far others may lie from them."""
        pixels, components = int(self.shape.prod()), self.eigen.shape[1]
        determined = max_components(int(self.count[digit]), pixels, len(self.count))
        return bool(determined <= components < pixels)

    def arrays(self) -> dict[str, Any]:
        """The arrays of a file, by name."""
        found: dict[str, Any] = {name: getattr(self, name) for name in ARRAYS}
        if self.sample is not None:
            found |= {"sample": self.sample, "resize": np.array(self.resize)}
        return found

    def save(self, path: Path | str) -> None:
        """Writes an .npz file of plain arrays under the names of the fields; the same bytes for the same statistics."""
        try:
            with user_path(path).open("wb") as file:
                np.savez_compressed(file, **self.arrays())
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}; give another name") from error

    @staticmethod
    def load(path: Path | str) -> "Statistics":
        """Reads what `save` wrote. Raises UserError for another file, and for numbers that cannot be statistics."""
        if not isinstance(path, str | Path):
            raise UserError(f"Statistics.load: expected the name of a file of `fooling stats`, got {type(path).__name__}")
        path = user_path(path)
        if not path.is_file():
            raise UserError(f"prior.statistics={path}: no such file; expected one written by `fooling stats`")
        arrays = read_arrays(path)
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise UserError(f"prior.statistics={path}: lacks {', '.join(missing)}; expected a file of `fooling stats`")
        values: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
        problem = find_problem(arrays)
        if problem:
            raise UserError(f"prior.statistics={path}: {problem}; fit them again with `fooling stats`")
        if not all(map(str.isprintable, values["labels"].tolist())):
            values["labels"] = np.array([printable(label) for label in values["labels"].tolist()])
        return Statistics(**values, sample=arrays.get("sample"), resize=str(arrays.get("resize", "")))


ARRAYS = [field.name for field in fields(Statistics) if field.default is MISSING]  # those of every file


def fit_present(data: ImageStream, **sizes: Any) -> Statistics:
    """The statistics of the classes that have images; `sizes` are arguments of `Statistics.fit`."""
    kept = with_images(data)
    fitted = Statistics.fit(kept, **sizes)
    is_part = len(kept.classes) < len(data.classes)
    return replace(fitted, numbers=tuple(int(k) for k in np.unique(data.labels))) if is_part else fitted
