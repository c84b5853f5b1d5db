"""What a class's training images look like: grey levels, variograms, regions, principal components, fitted once and saved."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fooling.data import ImageSet, ImageStream
from fooling.data.npz import read_arrays
from fooling.errors import UserError
from fooling.kernels.tables import Doubles, bin_of_level
from fooling.statistics.fit import Watch, fit_arrays
from fooling.statistics.pca import PrincipalComponents
from fooling.statistics.validation import find_problem

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
        return Statistics(**fit_arrays(data, bins, lags, components, grid, reach, exemplars, watch))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all arrays."""
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

    def save(self, path: Path) -> None:
        """Writes an .npz file of plain arrays under the names of the fields; the same bytes for the same statistics."""
        with path.open("wb") as file:
            np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @staticmethod
    def load(path: Path) -> "Statistics":
        """Reads what `save` wrote. Raises UserError for another file, and for numbers that cannot be statistics."""
        if not path.is_file():
            raise UserError(f"prior.statistics={path}: no such file; expected one written by `fooling stats`")
        arrays = read_arrays(path)
        missing = [field.name for field in fields(Statistics) if field.name not in arrays]
        if missing:
            raise UserError(f"prior.statistics={path}: lacks {', '.join(missing)}; expected a file of `fooling stats`")
        values = {field.name: arrays[field.name] for field in fields(Statistics)}
        problem = find_problem(values)
        if problem:
            raise UserError(f"prior.statistics={path}: {problem}; fit them again with `fooling stats`")
        return Statistics(**values)
