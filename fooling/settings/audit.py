"""Settings of `fooling audit`."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.experiments import ExperimentSettings, check_priors
from fooling.settings.fields import Bool, Float, Int, Judges, NamedDigits, Names, Seed, Text
from fooling.settings.gate import Rules
from fooling.settings.launchers import AnyLauncherSettings
from fooling.settings.schema import VIEW, DataSettings


def check_rungs(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Names of priors, each once, all, or none; None stays."""
    return check_priors(names) if names else names


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
        ge=2, description="images of an attack, at most; null = 40200, or 2500 for large models (above 64×64 or 20 classes)"
    )
    minutes: Float = Field(
        gt=0,
        le=100_000,
        description="time from the first measurement to the last attack; what it does not allow is left out, and named; "
        "resume=true may raise it",
    )
    images: Int = Field(ge=10, le=1_000_000, description="real images that are compared with, at most")
    rungs: Annotated[Names | None, AfterValidator(check_rungs)] = Field(
        description="priors whose images are evolved, with and without the classifier, or all; [] = none, null = variogram "
        "and, where single pixels are scored, eigen"
    )
    copies: Int | None = Field(
        ge=1,
        le=10_000,
        description="images for each class under each prior; null = 3 for a dense network, 1 for other classifiers",
    )
    pairs: Int = Field(
        ge=0,
        le=1_000_000,
        description="pairs of classes, drawn by the seed, at most: images that held-out classifiers read as the one and the "
        "classifier believes to be the other; 0 = none",
    )
    fail_under: Rules = Field(
        description="rules on figures, q9999=5000,mismatch<10%,noise99<1%: exit code 1 and a line for each that does not hold"
    )
    junit: Text | None = Field(description="file to write the verdicts of fail_under to, as JUnit XML; null = none")
    view: Bool = Field(description=VIEW)
    judges: Judges = Field(description="held-out classifiers that read the images; as in `fooling run`")
    classifier: AnyClassifierSettings
    data: DataSettings
    launcher: AnyLauncherSettings

    @model_validator(mode="after")
    def check_gate(self) -> Self:
        """Only a gate has verdicts."""
        if self.junit and not self.fail_under:
            raise ValueError("junit: expected rules whose verdicts it holds, fail_under=q9999=5000, got none")
        return self
