"""Settings of `fooling transfer`."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from fooling.settings.experiments import DIGIT, SEED, ExperimentSettings, check_prior
from fooling.settings.fields import Float, Int, Judges, NamedDigits, Names, Seed, Text


class TransferSettings(ExperimentSettings):
    """Settings of `fooling transfer`."""

    classifiers: Judges = Field(
        description="classifiers that look at the images, two or more: names, files or URLs, [a,b], or settings, "
        "[{name: onnx, path: a.onnx, title: A}]; members of an ensemble are added"
    )
    records: Names = Field(
        description="record folders whose images are shown; also as words without records=; [] = each classifier is attacked"
    )
    threshold: Float = Field(
        gt=0, le=1, description="an image is believed at this score for its class or more, if that is also the largest score"
    )
    seed: Seed = Field(description=SEED)
    digit: NamedDigits = Field(description=f"target {DIGIT}; of the attacks that the command makes, as all below")
    runs: Int = Field(ge=1, le=10_000, description="attacks on each class of each classifier")
    prior: Annotated[Text, AfterValidator(check_prior)] = Field(description="prior of the attacks")
    budget: Int | None = Field(
        ge=100, description="images of an attack, at most; null = 40200 with prior=none, else as the prior's search has it"
    )

    @model_validator(mode="after")
    def check_classifiers(self) -> Self:
        """Transfer is between classifiers."""
        if len(self.classifiers) < 2:
            got = self.classifiers[0] if self.classifiers else "none"
            raise ValueError(f"classifiers: expected two or more, [mnist_mlp,mnist_cnn], got {got}")
        return self
