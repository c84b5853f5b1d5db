"""Settings of `fooling detect`, and the names of the detectors."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.experiments import ExperimentSettings
from fooling.settings.fields import Int, Names, Seed, Text
from fooling.settings.files import nearest
from fooling.settings.schema import DataSettings

DETECTORS = (
    "largest_score",
    "entropy",
    "energy",
    "largest_logit",
    "simple_statistics",
    "temperature",
    "kl_matching",
    "mahalanobis",
    "relative_mahalanobis",
    "knn_features",
    "vim",
    "knn_pixels",
    "pixel_density",
    "statistics_distance",
)


def check_detectors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of detectors, each once, or all. Raises ValueError for others."""
    for name in names:
        if name not in (*DETECTORS, "all"):
            near = nearest(name, DETECTORS)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"all, or a list of {', '.join(DETECTORS)}; {name} is none of them{hint}")
    if not names or ("all" in names and len(names) > 1):
        raise ValueError(f"all, or a list of {', '.join(DETECTORS)}")
    return tuple(dict.fromkeys(names))


class DetectSettings(ExperimentSettings):
    """Settings of `fooling detect`; `classifier.path` names that of the records again, where it is code or a URL."""

    folders: Names = Field(description="record folders whose images are compared; they can also be written without folders=")
    detectors: Annotated[Names, AfterValidator(check_detectors)] = Field(
        description="detectors to compare, energy,mahalanobis, or all"
    )
    layer: Text | None = Field(
        description="layer whose outputs are the features: of built-in networks see `fooling examine layers=true`, of torch a "
        "module's name, of ONNX an inner output; null = what the last layer takes"
    )
    images: Int = Field(ge=10, le=1_000_000, description="maximum number of evolved images of a kind, and of real test images")
    seed: Seed = Field(description="random seed of which images are drawn where there are more")
    classifier: AnyClassifierSettings
    data: DataSettings
