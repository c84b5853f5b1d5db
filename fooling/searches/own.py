"""What a kind of search knows of its images besides their scores and costs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.searches.feedback import weight_correlation

Array = npt.NDArray[Any]


def measure(search: str, images: Array, classes: Array, classifier: object, evaluations: Array) -> dict[str, Array]:
    """Numbers of images [R, H, W, C] of wanted classes [R] that took so many evaluations [R]: {name: [R]}."""
    if search in ("ascent", "dream"):
        return {"gradients": evaluations - 1}  # one for each image after the first
    if search == "feedback":
        return {"weight_correlation": weight_correlation(images, classes, classifier)}
    return {}


def totals(own: Mapping[str, Array]) -> dict[str, float | int]:
    """Of all images together: the sum of counts, the median of others."""
    return {name: sum_or_median(values) for name, values in own.items()}


def sum_or_median(values: Array) -> float | int:
    """The sum of whole numbers, the median of others."""
    return int(values.sum()) if values.dtype.kind in "iu" else float(np.median(values))
