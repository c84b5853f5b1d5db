"""Typed settings: what can be set, with meaning, unit and range. Every default stands in `configs/`, once."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fooling.settings import dump, load
from fooling.settings.fields import Bool, Each, Float, Int, Text, split_commas
from fooling.settings.overrides import choices
from fooling.settings.rules import classifier_errors
from fooling.settings.schema import (
    ClassifierSettings,
    DataSettings,
    RunSettings,
    SettingsModel,
)


def rising(values: tuple[float, ...]) -> tuple[float, ...]:
    """Each value once, the smallest first."""
    return tuple(sorted(set(values)))


def known_priors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of priors, each once; all is every one."""
    known = choices("prior")
    if not names or not set(names) <= {*known, "all"} or (len(names) > 1 and "all" in names):
        raise ValueError(f"all, or a list of {', '.join(known)}")
    return tuple(dict.fromkeys(names))


Several = Annotated[tuple[Int, ...], Each, Field(min_length=1), AfterValidator(rising)]
Numbers = Annotated[tuple[Float, ...], Each, Field(min_length=1), AfterValidator(rising)]
Names = Annotated[tuple[Text, ...], BeforeValidator(split_commas)]
Digits = Int | tuple[Int, ...] | Literal["all"]
Noise = Literal["uniform", "histogram", "other"]
DIGITS = "classes of the images, by index: one, 0,1,2 or all"
SEED = "of the draw of images and whatever else is drawn; the same seed gives the same result"


class ExperimentSettings(SettingsModel):
    """What every experiment has."""

    out: Text | None = Field(description="folder to write to; null = a fresh one under runs/")
    overwrite: Bool = Field(description="replace the same experiment's record in out")
    quiet: Bool = Field(description="print nothing but errors")

    @model_validator(mode="before")
    @classmethod
    def check_any(cls, tree: Any) -> Any:
        """What is of the main job alone."""
        if isinstance(tree, dict) and tree.get("digit") == "any":
            raise ValueError("digit=any: is of `fooling run`; name classes, for example digit=0,1,2 or digit=all")
        return tree

    @model_validator(mode="after")
    def check(self) -> Self:
        """What pydantic cannot see in one field."""
        chosen: ClassifierSettings = vars(self)["classifier"]  # every experiment has one, after its own settings
        problems = [*classifier_errors(chosen), *digit_errors(getattr(self, "digit", 0))]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def digit_errors(digit: Digits) -> list[str]:
    """What speaks against the wanted classes."""
    several = () if digit == "all" else (digit,) if isinstance(digit, int) else digit
    if digit != "all" and (not several or min(several) < 0 or len(set(several)) < len(several)):
        return [f"digit must be different classes from 0 on, such as 0,1,2, or all; got {list(several)}"]
    return []


class EigenSettings(ExperimentSettings):
    """Settings of `fooling eigen`."""

    seed: Int = Field(ge=0, lt=2**64, description="of the draw of the images that are reconstructed")
    components: Int = Field(ge=1, le=4096, description="k: eigen-images of the PCA classifiers that are written")
    steps: Several = Field(description="other k (1 … 4096) at which images are reconstructed and accuracies measured")
    digit: Digits = Field(description="classes whose own eigen-images are shown too, by index: one, 0,1,2 or all")
    shown: Int = Field(ge=1, le=20, description="eigen-images in each row of the picture")
    judges: Names = Field(description="networks whose accuracy is told beside the classifier's; names or files, [a,b]")
    classifier: ClassifierSettings
    data: DataSettings


class MeanSettings(ExperimentSettings):
    """Settings of `fooling mean`."""

    seed: Int = Field(ge=0, lt=2**64, description="of the evolved images")
    digit: Digits = Field(description="wanted classes, by index: one, 0,1,2 or all")
    runs: Int = Field(ge=2, le=100_000, description="N: images of each class and prior")
    priors: Annotated[Names, AfterValidator(known_priors)] = Field(
        description="priors to evolve with, [none,eigen]; all = every one"
    )
    generations: Int | None = Field(ge=1, description="of each search, at most; null = as many as each prior's own")
    classifier: ClassifierSettings
    data: DataSettings


class ClassifySettings(ExperimentSettings):
    """Settings of `fooling classify`."""

    files: Names = Field(description="pictures; they may also stand as words of their own, without files=")
    centre: Bool = Field(description="fit the ink into MNIST's box, its centre of mass in the centre; false leaves that out")
    threshold: Float | None = Field(
        gt=0, le=1, description="a picture is rejected if its largest score is below; null = 0.5, 0.9 where scores sum to 1"
    )
    classifier: ClassifierSettings


class BorderSettings(ExperimentSettings):
    """Settings of `fooling border`."""

    seed: Int = Field(ge=0, lt=2**64, description="of the draw of the images")
    digit: Digits = Field(description=DIGITS)
    images: Int = Field(ge=10, le=1_000_000, description="test images, at most; fewer where there are no more")
    offsets: Several = Field(
        description="pixels (−64 … 64) by which digits are moved, in both directions; 0 is always among them"
    )
    scales: Numbers = Field(description="factors (0.1 … 4) by which digits are enlarged; 1 is always tried")
    threshold: Float = Field(
        gt=0, le=1, description="a digit is clear if it is read rightly in its place, at this score or more"
    )
    classifier: ClassifierSettings
    data: DataSettings

    @model_validator(mode="after")
    def check_moves(self) -> Self:
        """Moves that a picture can make."""
        if min(self.offsets) < -64 or max(self.offsets) > 64:
            raise ValueError(f"offsets must be whole numbers from -64 to 64, got {list(self.offsets)}")
        if min(self.scales) < 0.1 or max(self.scales) > 4:
            raise ValueError(f"scales must be numbers from 0.1 to 4, got {list(self.scales)}")
        return self


class ScrambleSettings(ExperimentSettings):
    """Settings of `fooling scramble`."""

    seed: Int = Field(ge=0, lt=2**64, description=SEED)
    digit: Digits = Field(description=DIGITS)
    images: Int = Field(ge=10, le=1_000_000, description="test images, at most; fewer where there are no more")
    background: Int = Field(ge=0, le=254, description="pixels of this grey level or less are background")
    shares: Numbers = Field(description="per cent (0 … 100) of the background pixels that are replaced; 0 is always tried")
    noises: Annotated[tuple[Noise, ...], BeforeValidator(split_commas), Field(min_length=1)] = Field(
        description="what replaces them: uniform = any grey level, histogram = drawn from the class's grey levels, "
        "other = what an image of another class has in the same place"
    )
    classifier: ClassifierSettings
    data: DataSettings

    @model_validator(mode="after")
    def check_shares(self) -> Self:
        """Shares are of a whole."""
        if min(self.shares) < 0 or max(self.shares) > 100:
            raise ValueError(f"shares must be per cent from 0 to 100, got {list(self.shares)}")
        return self


class DamageSettings(ExperimentSettings):
    """Settings of `fooling damage`."""

    seed: Int = Field(ge=0, lt=2**64, description="of the damage, of the draw of real images and of the evolved ones")
    dosage: Numbers = Field(description="per cent (above 0 … 100) of the neurons: max(1, ⌊dosage/100·n⌋) are damaged")
    neurons: Several | None = Field(description="how many neurons are damaged, 1,2,5, instead of a dosage; null = by dosage")
    substance: Literal["random", "noise", "zero"] = Field(
        description="incoming weights of a damaged neuron: drawn evenly from the layer's range; normal noise of the layer's "
        "deviation added, within its range; 0"
    )
    repeats: Int = Field(ge=1, le=10_000, description="damaged networks of each dosage, other neurons each")
    images: Int = Field(ge=10, le=1_000_000, description="real test images, at most; fewer where there are no more")
    digit: Digits = Field(description="classes of the real and of the evolved images, by index: one, 0,1,2 or all")
    runs: Int = Field(ge=2, le=10_000, description="images of each class that are evolved against the whole network")
    prior: Text = Field(description="prior that images are evolved with")
    generations: Int = Field(ge=1, le=100_000_000, description="of each search, at most: a damaged network may never be sure")
    pictured: Int = Field(
        ge=0,
        le=10_000,
        description="images of each class that a pictured network evolves, before and after; 0 = no pictures",
    )
    classifier: ClassifierSettings
    data: DataSettings

    @model_validator(mode="after")
    def check_dosage(self) -> Self:
        """Shares of a whole, whole neurons, a prior that there is."""
        if min(self.dosage) <= 0 or max(self.dosage) > 100:
            raise ValueError(f"dosage must be per cent above 0, at most 100, got {list(self.dosage)}")
        if self.neurons and min(self.neurons) < 1:
            raise ValueError(f"neurons must be whole numbers from 1 on, got {list(self.neurons)}")
        if self.prior not in choices("prior"):
            raise ValueError(f"prior must be one of {', '.join(choices('prior'))}, got {self.prior}")
        return self


__all__ = [
    "ExamineSettings",
    "GallerySettings",
    "LadderSettings",
    "MatrixSettings",
    "PlausibilitySettings",
    "RunSettings",
    "StatsSettings",
    "TrainSettings",
    "dump",
    "load",
]


class LadderSettings(RunSettings):
    """Settings of `fooling ladder`: those of the main job, for every rung, and which rungs and arms."""

    rungs: Names = Field(description="priors, from the weakest on; all = every one")
    arms: Names = Field(description="with the classifier, control, mismatched; all = every one")

    def check_any(self) -> list[str]:
        """Its arms are of a class each."""
        return ["digit=any: the ladder compares priors class by class; name classes, for example digit=0,1,2 or digit=all"]


class MatrixSettings(RunSettings):
    """Settings of `fooling matrix`: those of the main job, for every pair."""

    def check_any(self) -> list[str]:
        """Its columns are of a class each."""
        return ["digit=any: the matrix takes pairs of classes; name two or more, for example digit=3,4 or digit=all"]


class GallerySettings(RunSettings):
    """Settings of `fooling gallery`: those of the main job, for every class."""

    def check_any(self) -> list[str]:
        """Its columns are of a class each."""
        return ["digit=any: the gallery shows class by class; name classes, for example digit=0,1,2 or digit=all"]


class StatsSettings(SettingsModel):
    """Settings of `fooling stats`."""

    data: DataSettings
    bins: Int = Field(ge=1, le=256, description="bins of the histogram")
    lags: Int = Field(ge=1, le=4095, description="pixel distances 1…lags; on small images at most the shorter side − 1")
    components: Int = Field(ge=0, le=4096, description="eigen-images a class; at most the images of the smallest class − 1")
    grid: Int = Field(ge=1, le=64, description="regions a side, for the regional term")
    reach: Int = Field(ge=0, le=64, description="pixel distances 1…reach within a region")
    exemplars: Int = Field(
        ge=1, le=100_000, description="images a class whose own statistics are kept, at most the smallest class"
    )
    out: Text = Field(description="file to write, .npz")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description="print nothing but errors")


class PlausibilitySettings(SettingsModel):
    """Settings of `fooling plausibility`."""

    data: DataSettings
    split: Literal["train", "test", "all"] = Field(description="which of the real images the evolved ones are compared with")
    out: Text | None = Field(description="folder to write to; null = the record folder itself")
    overwrite: Bool = Field(description="replace plausibility.json and plausibility.png")
    quiet: Bool = Field(description="print nothing but errors")


class ExamineSettings(SettingsModel):
    """Settings of `fooling examine`."""

    classifier: ClassifierSettings
    data: DataSettings
    layers: Bool = Field(description="list the layers too, which search=dream raises")
    out: Text | None = Field(description="file to write what was found to, .json; null = none")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description="print nothing but errors")

    @model_validator(mode="after")
    def check(self) -> Self:
        """What pydantic cannot see in one field."""
        problems = classifier_errors(self.classifier)
        if problems:
            raise ValueError("; ".join(problems))
        return self


Width = Annotated[Int, Field(ge=1, le=4096)]


class TrainedClassifier(SettingsModel):
    """What is to be trained."""

    name: Text = Field(description="which network")


class TrainSettings(SettingsModel):
    """Settings of `fooling train`."""

    classifier: TrainedClassifier
    data: DataSettings
    seed: Int = Field(ge=0, lt=2**63, description="of the first weights and the order of the images")
    epochs: Int = Field(ge=1, le=100_000, description="passes over the training images")
    batch: Int | None = Field(ge=1, le=1_000_000, description="images a step; null for perceptron, which takes one by one")
    learning_rate: Float = Field(gt=0, description="at the start; falls to 0 along a cosine. perceptron: of every correction")
    decay: Float | None = Field(ge=0, description="L2 weight decay; null for perceptron, which has none")
    hidden: Width | Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] | None = Field(
        description="units of the hidden layer (1 … 4096); mlp: of each, such as 100,50; null for softmax and perceptron"
    )
    activation: Literal["sigmoid", "relu"] | None = Field(description="mlp: of the hidden units; null for the others")
    average: Bool | None = Field(description="perceptron: the mean of the weights after every image, not the last ones")
    channels: tuple[Width, Width] | None = Field(description="of the two convolutions of cnn; null for the others")
    kernel: Int | None = Field(ge=1, le=31, description="side of the convolutions, pixels; null for the others")
    shift: Int = Field(ge=0, le=64, description="training images are moved at random by up to so many pixels")
    out: Text = Field(description="file to write, .safetensors; beside it NAME.json and NAME_confusion.png")
    overwrite: Bool = Field(description="replace the files")
    quiet: Bool = Field(description="print nothing but errors")
