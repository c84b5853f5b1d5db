"""Settings of `fooling detect`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.detectors import check_detectors
from fooling.settings.experiments import ExperimentSettings
from fooling.settings.fields import Int, Names, Seed, Text
from fooling.settings.schema import DataSettings


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
