"""The targets of a prior's terms: the arguments of their kernels, from a class's statistics."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.errors import Doubt, UserError
from fooling.kernels.reference import PENALTIES
from fooling.kernels.reference.penalties import pair_counts, regional_target, weighted_l1
from fooling.kernels.tables import LEVELS, Bytes, Doubles, TermTarget, bin_of_level, levels_within_bins
from fooling.settings.schema import PriorSettings, RunSettings
from fooling.statistics import Statistics
from fooling.statistics.pca import kernel_arguments as eigen_arguments

LEAST_SPREAD = 1 / 255  # a standard deviation below one grey level is taken as one


@dataclass(frozen=True)
class TermTargets:
    """Which statistics of a class the terms are measured against."""

    digit: int  # the class; once it is known to which statistics they belong, its row in them
    lags: int = 14
    bins: int = 10
    hinge: tuple[str, ...] = ()  # terms that cost nothing below the mean of the class's images
    exemplar: bool = False  # the statistics of one training image for each run, instead of the class's means
    lag_weights: str = "equal"  # or spread: each lag's distance ÷ its standard deviation over the training images
    quirk_lag1: bool = False  # quirk 1 of the 2015 program: lag-1 differences at every lag
    quirk_axes: bool = False  # quirk 3: targets with exchanged axes

    @staticmethod
    def from_settings(prior: PriorSettings, digit: int | str | tuple[int | str, ...]) -> "TermTargets | None":
        """Those of `prior.digit`, by default of the target class; None with digit=any and without prior.digit."""
        of_class = digit if prior.digit is None else prior.digit
        if not isinstance(of_class, int):
            return None
        return TermTargets(
            digit=of_class,
            lags=prior.lags,
            bins=prior.bins,
            hinge=tuple(prior.hinge),
            exemplar=prior.exemplar,
            lag_weights=prior.lag_weights,
            quirk_lag1=prior.quirk_lag1,
            quirk_axes=prior.quirk_axes,
        )


def arguments(statistics: Statistics, prior: TermTargets) -> dict[str, tuple[Any, ...]]:
    """The arguments of each penalty's kernel after (images, which). Raises UserError where the statistics hold too few lags."""
    check_targets(statistics, prior)
    histogram, variogram = histograms(statistics, prior), variograms(statistics, prior)
    found: dict[str, tuple[Any, ...]] = {
        "histogram": (bin_of_level(prior.bins), TermTarget(histogram, np.ones(histogram.shape[1:]), 0.0)),
        "variogram": (TermTarget(variogram, lag_weights(statistics, prior), 0.0), prior.quirk_lag1),
        "regional": (int(statistics.grid), regional_target(statistics.regional[prior.digit])),
        "eigen": eigen_arguments(statistics.eigen_images(prior.digit), float("eigen" in prior.hinge)),
    }
    for name in set(prior.hinge) & {"histogram", "variogram", "regional"}:
        free = float(real_terms(statistics, prior.digit, found)[name].mean())
        found[name] = tuple(part._replace(margin=free) if isinstance(part, TermTarget) else part for part in found[name])
    return found


def eigen_notes(settings: RunSettings, statistics: Statistics | None, digit: int | str | None) -> list[str]:
    """A note where a class has too few images for its components, as the eigen term says nothing then.

    Raises UserError where the term has a weight.
    """
    if statistics is None or not isinstance(digit, int) or digit not in statistics.classes:
        return []
    if not statistics.leaves_no_residual(row := statistics.row(digit)):
        return []
    number, components = int(statistics.count[row]), statistics.eigen.shape[1]
    what = f"{number} images of class {digit} have only {components} components, which leave no residual to measure others by"
    fewer = f"`fooling stats components={max(1, number // 2)} …` and prior.statistics=FILE, or 80 images and more"
    if settings.prior.weights.eigen:
        raise UserError(f"prior={settings.prior.name}: {what}; give {fewer}, or prior=regional")
    return [Doubt(f"statistics: {what}; the eigen term of run.json says nothing")]


def check_targets(statistics: Statistics, prior: TermTargets) -> None:
    """Refuses more lags than the statistics hold, and settings that exclude each other."""
    if prior.lags > statistics.lags:
        raise UserError(
            f"prior.lags={prior.lags}: the statistics hold lags 1…{statistics.lags}; fit them with lags={prior.lags}"
        )
    clash = [name for name in prior.hinge if prior.exemplar and name in ("histogram", "variogram")]
    if clash:
        raise UserError(
            f"prior.hinge=[{','.join(clash)}] with prior.exemplar=true: a hinge needs the statistics of the class, not of one "
            "image; leave one of them out"
        )
    if prior.quirk_lag1 and "variogram" in prior.hinge:
        raise UserError(
            "prior.hinge=[variogram] with prior.quirk_lag1=true: the hinge is known for true lags only; leave one of them out"
        )


def histograms(statistics: Statistics, prior: TermTargets) -> Doubles:
    """Shares of the bins, [T, C, B]."""
    if not prior.exemplar:
        return statistics.bins(prior.digit, prior.bins)[None]
    counts = binned(statistics, prior)
    return np.asarray(counts / counts.sum(axis=2, keepdims=True), dtype=np.float64)


def binned(statistics: Statistics, prior: TermTargets) -> npt.NDArray[np.int64]:
    """Pixels of each exemplar in each bin, [E, C, B]."""
    levels = statistics.exemplar_levels[prior.digit]
    counts = np.zeros((*levels.shape[:2], prior.bins), dtype=np.int64)
    np.add.at(np.moveaxis(counts, 2, 0), bin_of_level(prior.bins), np.moveaxis(levels, 2, 0))
    return counts


def variograms(statistics: Statistics, prior: TermTargets) -> Doubles:
    """Mean differences, along rows, then along columns: [T, C, 2·L]."""
    found = exemplar_variograms(statistics, prior) if prior.exemplar else statistics.variogram(prior.digit, prior.lags)[None]
    exchanged = found[:, :, ::-1] if prior.quirk_axes else found
    return np.ascontiguousarray(exchanged.reshape(*found.shape[:2], 2 * prior.lags))


def exemplar_variograms(statistics: Statistics, prior: TermTargets) -> Doubles:
    """Of each exemplar, [E, C, 2, L]."""
    sums = statistics.exemplar_sums[prior.digit][..., : prior.lags]
    return np.asarray(sums / pair_counts(tuple(statistics.shape), prior.lags), dtype=np.float64)


def lag_weights(statistics: Statistics, prior: TermTargets) -> Doubles:
    """The weight of each lag's distance, [C, 2·L]: 1, or 1 in the mean and inverse to its spread over real images."""
    shape = (int(statistics.shape[2]), 2 * prior.lags)
    if prior.lag_weights == "equal":
        return np.ones(shape)
    spread = np.maximum(exemplar_variograms(statistics, prior).std(axis=0), LEAST_SPREAD)
    weights = 1 / spread[:, ::-1] if prior.quirk_axes else 1 / spread
    return np.asarray((weights / weights.mean()).reshape(shape), dtype=np.float64)


def real_terms(statistics: Statistics, digit: int, found: dict[str, tuple[Any, ...]]) -> dict[str, Doubles]:
    """Every penalty of the class's exemplars, [E] each; `found` are arguments of the class's means."""
    prior = TermTargets(digit, bins=found["histogram"][1].targets.shape[2], lags=found["variogram"][0].targets.shape[2] // 2)
    which, places = np.zeros(statistics.exemplars, dtype=np.int64), float(statistics.shape[0] * statistics.shape[1])
    sums = statistics.exemplar_sums[digit][..., : prior.lags].reshape(len(which), -1, 2 * prior.lags)
    pairs = pair_counts(tuple(statistics.shape), prior.lags).reshape(-1)
    return {
        "histogram": weighted_l1(
            binned(statistics, prior), np.full(prior.bins, places), which, found["histogram"][1], prior.bins
        ),
        "variogram": weighted_l1(sums, pairs, which, found["variogram"][0], prior.lags),
        "regional": statistics.exemplar_regional[digit],
        "eigen": statistics.exemplar_eigen[digit].sum(axis=1),
    }


def level_distribution(settings: RunSettings, statistics: Statistics | None, channels: int) -> Doubles:
    """How often pixels are drawn from each grey level, [T, C, 256]: as often as in the class, or in each of its exemplars.

    Without a class, as often as in the mean of all classes; without statistics, all levels equally.
    """
    search: Any = settings.search
    within_bins = search.draw == "bins"
    if statistics is None:
        return np.full((1, channels, LEVELS), 1 / LEVELS)
    found = TermTargets.from_settings(settings.prior, settings.digit)
    targets = found and replace(found, digit=statistics.row(found.digit))
    if targets is None:
        bins = settings.prior.bins
        classes = range(len(statistics.count))
        each = [levels_within_bins(statistics.bins(k, bins)) if within_bins else statistics.levels[k] for k in classes]
        return np.asarray(np.mean(each, axis=0)[None])
    if within_bins:
        return levels_within_bins(histograms(statistics, targets))
    levels = (
        statistics.exemplar_levels[targets.digit].astype(float) if targets.exemplar else statistics.levels[None, targets.digit]
    )
    return np.asarray(levels)


def percentiles(statistics: Statistics, digit: int, images: Bytes, lags: int = 14, bins: int = 10) -> dict[str, Doubles]:
    """The percentile of images [N, H, W, C] among the class's training images: {penalty: share of these with less of it, [N]}.

    All are measured against the class's means, without a hinge; 0.5 is the median, 1 worse than all of them.
    """
    lags = min(lags, statistics.lags, min(images.shape[1:3]) - 1)
    row = statistics.row(digit)
    found = arguments(statistics, TermTargets(row, lags=lags, bins=bins))
    which, real = np.zeros(len(images), dtype=np.int64), real_terms(statistics, row, found)
    shares = {}
    for name, penalty in PENALTIES.items():
        ordered = np.sort(np.asarray(real[name], dtype=np.float32))
        shares[name] = np.searchsorted(ordered, penalty(images, which, *found[name])) / len(ordered)
    return shares
