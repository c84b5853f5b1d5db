"""Settings of the other commands: ladder, matrix, gallery, plausibility, compare, report, view, examine, doctor, train, …"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.fields import Bool, Float, Int, NamedDigits, Names, SettingsModel, Text
from fooling.settings.rules import run_errors
from fooling.settings.schema import DataSettings, RunSettings

DIGIT = "target classes, indices or names: one, a list such as 0,1,2, or all"
QUIET = "print errors only"
LARGEST_WIDTH, MOST_LAYERS = 4096, 16


class ByClassSettings(RunSettings):
    """Settings of `fooling run` for a job for each of several classes."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """The rules of `fooling run`; a search for all classes at once is one job."""
        if self.search.joint:
            name = f"search={self.search.name}"
            advice = f"`fooling run {name}` is one job for all classes"
            raise ValueError(f"search: expected a search for one class at a time, got {name}; {advice}")
        problems = run_errors(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self


class LadderSettings(ByClassSettings):
    """Settings of `fooling ladder`: those of `fooling run`, for every job, and which priors and conditions."""

    digit: NamedDigits = Field(description=DIGIT)
    rungs: Names = Field(description="priors, in the order of their strength, or all")
    arms: Names = Field(description="conditions: with the classifier, control, mismatched, or all")


class MatrixSettings(ByClassSettings):
    """Settings of `fooling matrix`: those of `fooling run`, for every pair of classes."""

    digit: NamedDigits = Field(description="classes to pair: two or more such as 3,4, or all")


class GallerySettings(ByClassSettings):
    """Settings of `fooling gallery`: those of `fooling run`, for every class."""

    digit: NamedDigits = Field(description=DIGIT)


class StatsSettings(SettingsModel):
    """Settings of `fooling stats`."""

    data: DataSettings
    bins: Int = Field(ge=1, le=256, description="histogram bins")
    lags: Int = Field(ge=1, le=4095, description="variogram lags 1…lags, pixels; at most the shorter side − 1")
    components: Int = Field(ge=0, le=4096, description="principal components per class; at most its images − 1")
    grid: Int = Field(ge=1, le=64, description="regions per side of the regional term")
    reach: Int = Field(ge=0, le=64, description="variogram lags 1…reach within a region")
    exemplars: Int = Field(
        ge=1, le=100_000, description="images per class whose own statistics are kept; at most those of the smallest class"
    )
    out: Text = Field(description="file to write, .npz")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description=QUIET)


class PlausibilitySettings(SettingsModel):
    """Settings of `fooling plausibility`; `classifier.path` names that of the record again, where it is code or a URL."""

    folder: Text | None = Field(description="record folder or sweep whose images are compared; also as a word without folder=")
    classifier: AnyClassifierSettings
    data: DataSettings
    split: Literal["train", "test", "all"] = Field(description="real images to compare with")
    out: Text | None = Field(description="folder to write to; null = the record folder itself")
    overwrite: Bool = Field(description="replace plausibility.json and plausibility.png")
    quiet: Bool = Field(description=QUIET)


class RenderSettings(SettingsModel):
    """Settings of `fooling render`."""

    folder: Text | None = Field(description="record folder whose images are drawn; also as a word without folder=")
    size: Int = Field(ge=1, le=16384, description="longer side of the images, pixels")
    out: Text | None = Field(description="folder to write to; null = the record folder itself")
    overwrite: Bool = Field(description="replace the images")
    quiet: Bool = Field(description=QUIET)


class CompareSettings(SettingsModel):
    """Settings of `fooling compare`."""

    folders: Names = Field(description="record folders to compare; they can also be written without folders=")
    baseline: Text | None = Field(description="record folder that the others are compared with; null = the first of folders")
    fail_if: Literal["worse"] | None = Field(
        description="worse: exit code 1, with a line for each figure that is worse than in the baseline beyond chance"
    )
    figures: Names = Field(description="only these figures, q9999,mismatch; all unless given")
    junit: Text | None = Field(description="file to write the verdicts of fail_if to, as JUnit XML; null = none")
    out: Text | None = Field(description="folder to write compare.json to; null = none")
    overwrite: Bool = Field(description="replace the comparison in out")
    quiet: Bool = Field(description=QUIET)

    @model_validator(mode="after")
    def check(self) -> Self:
        """A gate has a baseline, and only a gate has verdicts."""
        if self.fail_if and not self.baseline:
            raise ValueError("fail_if: expected a baseline to compare with, baseline=runs/NAME, got none")
        if self.junit and not self.fail_if:
            raise ValueError("junit: holds the verdicts of a gate; give baseline=runs/NAME fail_if=worse too")
        return self


class ReportSettings(SettingsModel):
    """Settings of `fooling report`."""

    folder: Text | None = Field(description="record folder whose page is drawn; also as a word without folder=")
    out: Text | None = Field(description="folder to write to; null = the record folder itself")
    overwrite: Bool = Field(description="replace files of the same names that are no report")
    quiet: Bool = Field(description=QUIET)


LETTERS = r"^[A-Za-z0-9_-]{16,200}$"


class ViewSettings(SettingsModel):
    """Settings of `fooling view`."""

    folder: Text = Field(description="folder whose records are shown; also as a word without folder=")
    port: Int = Field(ge=0, le=65535, description="port to listen on; 0 = any free one")
    host: Text = Field(min_length=1, description="name or address to listen on; others than this machine's own need a token")
    token: Text | None = Field(
        pattern=LETTERS,
        description="secret of the address, 16 letters or more; null = none on 127.0.0.1, else a random one",
    )
    open: Bool = Field(description="open the list in a browser")
    quiet: Bool = Field(description="do not print the address")


class ExamineSettings(SettingsModel):
    """Settings of `fooling examine`."""

    classifier: AnyClassifierSettings
    data: DataSettings
    layers: Bool = Field(description="also list the layers that search=dream can maximise")
    out: Text | None = Field(description="file to write the results to, .json; null = none")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description=QUIET)


class DoctorSettings(SettingsModel):
    """Settings of `fooling doctor`."""

    folder: Text = Field(description="folder of the records, whose disk and rights are looked at")
    test: Bool = Field(description="also evolve a small image by two engines, which takes a few seconds, after installation 20")
    quiet: Bool = Field(description="print what is broken only")


# --- training ---------------------------------------------------------------------------------------------------------
def is_width(value: Any) -> bool:
    """Whether a value is a number of units."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_WIDTH


def parse_hidden(value: Any) -> Any:
    """One width, or one for each of several layers."""
    widths = value if isinstance(value, list | tuple) else [value]
    if value is not None and not (1 <= len(widths) <= MOST_LAYERS and all(map(is_width, widths))):
        raise ValueError(f"a whole number from 1 to {LARGEST_WIDTH}, or at most {MOST_LAYERS} of them such as 100,50")
    return value


def parse_channels(value: Any) -> Any:
    """The widths of two convolutions."""
    if value is not None and not (isinstance(value, list | tuple) and len(value) == 2 and all(map(is_width, value))):
        raise ValueError(f"two whole numbers from 1 to {LARGEST_WIDTH}, such as 16,32, or null")
    return value


class TrainedClassifier(SettingsModel):
    """The network to train."""

    name: Text = Field(description="network to train")


class TrainSettings(SettingsModel):
    """Settings of `fooling train`."""

    classifier: TrainedClassifier
    data: DataSettings
    seed: Int = Field(ge=0, lt=2**63, description="random seed of the initial weights and the order of the images")
    epochs: Int = Field(ge=1, le=100_000, description="passes over the training images")
    batch: Int | None = Field(ge=1, le=1_000_000, description="batch size; null for perceptron, which takes single images")
    learning_rate: Float = Field(gt=0, description="initial learning rate, with cosine decay to 0; constant for perceptron")
    decay: Float | None = Field(ge=0, description="L2 weight decay; null for perceptron, which has none")
    hidden: Annotated[int | tuple[int, ...] | None, BeforeValidator(parse_hidden)] = Field(
        description="units of the hidden layer (1 … 4096); mlp: of each layer, 100,50; null for softmax and perceptron"
    )
    activation: Literal["sigmoid", "relu"] | None = Field(description="mlp: activation of the hidden layers; null for others")
    average: Bool | None = Field(description="perceptron: average of the weights after every image instead of the last ones")
    channels: Annotated[tuple[int, int] | None, BeforeValidator(parse_channels)] = Field(
        description="cnn: channels of the two convolutions; null for others"
    )
    kernel: Int | None = Field(ge=1, le=31, description="cnn: kernel size of the convolutions, pixels; null for others")
    shift: Int = Field(ge=0, le=64, description="augmentation: largest random translation of a training image, pixels")
    out: Text = Field(description="file to write, .safetensors; NAME.json and NAME_confusion.png are written beside it")
    overwrite: Bool = Field(description="replace the files")
    quiet: Bool = Field(description=QUIET)
