"""Settings of `fooling audit`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.experiments import ExperimentSettings, check_priors
from fooling.settings.fields import Bool, Float, Int, Judges, NamedDigits, Names, Seed
from fooling.settings.schema import DataSettings


class AuditSettings(ExperimentSettings):
    """Settings of `fooling audit`."""

    seed: Seed = Field(description="random seed of the attacks and of every sample; the same seed gives the same images")
    digit: NamedDigits = Field(description="classes that are attacked, indices or names: a list such as 0,1,2, or all")
    sample: Int | None = Field(
        ge=1, description="attack so many of these classes, drawn by the seed; null = all of up to 20 classes, else 20"
    )
    runs: Int | None = Field(
        ge=1, le=10_000, description="attacks on each class, each from its own noise; null = 10, or 1 for large models"
    )
    budget: Int | None = Field(
        ge=100, description="images of an attack, at most; null = 40200, or 2500 for large models (above 64×64 or 20 classes)"
    )
    minutes: Float = Field(gt=0, le=100_000, description="time for all attacks; what it does not allow is left out, and named")
    images: Int = Field(ge=10, le=1_000_000, description="real images that are compared with, at most")
    rungs: Annotated[Names, AfterValidator(check_priors)] = Field(
        description="priors of part 4, or all; left out where no statistics fit, and for large models unless given"
    )
    copies: Int = Field(ge=1, le=10_000, description="images for each class under each prior")
    mismatch: Bool = Field(description="also attack every pair of classes with images that held-out classifiers read otherwise")
    judges: Judges = Field(description="held-out classifiers that read the images; as in `fooling run`")
    classifier: AnyClassifierSettings
    data: DataSettings
