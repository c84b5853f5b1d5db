"""Settings of the experiments: border, scramble, damage, eigen, mean, classify."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fooling.settings.choices import choices
from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.fields import (
    Bool,
    Float,
    Floats,
    Int,
    Ints,
    Judges,
    NamedDigits,
    Names,
    Seed,
    SettingsModel,
    Text,
    names_to_list,
)
from fooling.settings.launchers import AnyLauncherSettings
from fooling.settings.schema import DataSettings

DIGIT = "class indices or names: one, a list such as 0,1,2, or all"
IMAGES = "maximum number of test images"
SEED = "random seed; the same seed gives the same result"


def check_prior(name: str) -> str:
    """The name of a prior. Raises ValueError if there is none."""
    if name not in choices("prior"):
        raise ValueError(f"one of {', '.join(choices('prior'))}")
    return name


def check_priors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of priors, each once, or all. Raises ValueError for others."""
    known = choices("prior")
    if not names or not set(names) <= {*known, "all"} or (len(names) > 1 and "all" in names):
        raise ValueError(f"all, or a list of {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def check_range(values: tuple[float, ...], low: float, high: float, what: str) -> None:
    """Raises ValueError if a value is outside of low … high."""
    if min(values) < low or max(values) > high:
        raise ValueError(f"{what} from {low} to {high}")


def check_offsets(values: tuple[int, ...]) -> tuple[int, ...]:
    """Translations, pixels."""
    check_range(values, -64, 64, "whole numbers")
    return values


def check_scales(values: tuple[float, ...]) -> tuple[float, ...]:
    """Scale factors."""
    check_range(values, 0.1, 4, "numbers")
    return values


def check_shares(values: tuple[float, ...]) -> tuple[float, ...]:
    """Percentages."""
    check_range(values, 0, 100, "percentages")
    return values


def check_dosage(values: tuple[float, ...]) -> tuple[float, ...]:
    """Percentages above 0."""
    if min(values) <= 0 or max(values) > 100:
        raise ValueError("percentages above 0, at most 100")
    return values


def check_neurons(values: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Numbers of neurons."""
    if values and min(values) < 1:
        raise ValueError("whole numbers from 1 on")
    return values


class ExperimentSettings(SettingsModel):
    """What every experiment has."""

    out: Text | None = Field(description="folder to write to; null = a new one under runs/")
    resume: Bool = Field(description="resume an interrupted run of the same command")
    overwrite: Bool = Field(description="replace the record of the same experiment in out")
    quiet: Bool = Field(description="print errors only")

    @model_validator(mode="after")
    def check_folder(self) -> Self:
        """A record is resumed or replaced."""
        if self.resume and self.overwrite:
            raise ValueError("resume: expected resume=true or overwrite=true, got both")
        return self


class EigenSettings(ExperimentSettings):
    """Settings of `fooling eigen`."""

    seed: Seed = Field(description="random seed of the images that are reconstructed")
    components: Int = Field(ge=1, le=4096, description="number of principal components of the PCA classifiers")
    steps: Ints = Field(description="further numbers of components (1 … 4096), for reconstruction and accuracy")
    digit: NamedDigits = Field(description=f"classes whose own components are plotted: {DIGIT}")
    shown: Int = Field(ge=1, le=20, description="components in each row of the figure")
    judges: Judges = Field(description="classifiers whose accuracy is compared; as in `fooling run`")
    classifier: AnyClassifierSettings
    data: DataSettings


class MeanSettings(ExperimentSettings):
    """Settings of `fooling mean`."""

    seed: Seed = Field(description=SEED)
    digit: NamedDigits = Field(description=f"target {DIGIT}")
    runs: Int = Field(ge=2, le=100_000, description="images per class and prior (N)")
    priors: Annotated[Names, AfterValidator(check_priors)] = Field(description="priors to evolve with, [none,eigen], or all")
    generations: Int | None = Field(ge=1, description="maximum generations of each search; null = those of each prior")
    classifier: AnyClassifierSettings
    data: DataSettings
    launcher: AnyLauncherSettings


class ClassifySettings(ExperimentSettings):
    """Settings of `fooling classify`."""

    files: Names = Field(description="image files; they can also be written without files=")
    ink: Bool | None = Field(
        description="read pictures as drawings: grey, inverted where their ground is light; false = as they are, scaled and "
        "cropped in the centre; null = true for classifiers of one channel"
    )
    centre: Bool = Field(description="also scale and centre the ink of drawings as in MNIST; false leaves that out")
    threshold: Float | None = Field(
        gt=0, le=1, description="an image is rejected if its largest score is below; null = 0.5, or 0.9 if scores sum to 1"
    )
    classifier: AnyClassifierSettings


class BorderSettings(ExperimentSettings):
    """Settings of `fooling border`."""

    seed: Seed = Field(description=SEED)
    digit: NamedDigits = Field(description=DIGIT)
    images: Int = Field(ge=10, le=1_000_000, description=IMAGES)
    offsets: Annotated[Ints, AfterValidator(check_offsets)] = Field(
        description="translations (−64 … 64), pixels, in both directions; 0 is always included"
    )
    scales: Annotated[Floats, AfterValidator(check_scales)] = Field(description="scale factors (0.1 … 4); 1 is always included")
    threshold: Float = Field(
        gt=0, le=1, description="only images are used that are classified correctly in place, at this confidence or more"
    )
    classifier: AnyClassifierSettings
    data: DataSettings


class ScrambleSettings(ExperimentSettings):
    """Settings of `fooling scramble`."""

    seed: Seed = Field(description=SEED)
    digit: NamedDigits = Field(description=DIGIT)
    images: Int = Field(ge=10, le=1_000_000, description=IMAGES)
    background: Int = Field(ge=0, le=254, description="pixels up to this grey level are background")
    shares: Annotated[Floats, AfterValidator(check_shares)] = Field(
        description="percentages (0 … 100) of the background that are replaced; 0 is always included"
    )
    noises: Annotated[
        tuple[Literal["uniform", "histogram", "other"], ...], BeforeValidator(names_to_list), Field(min_length=1)
    ] = Field(
        description="what replaces it: uniform = any grey level; histogram = the class's grey levels; other = the same "
        "place in an image of another class"
    )
    classifier: AnyClassifierSettings
    data: DataSettings


class DamageSettings(ExperimentSettings):
    """Settings of `fooling damage`."""

    seed: Seed = Field(description=SEED)
    dosage: Annotated[Floats, AfterValidator(check_dosage)] = Field(
        description="percentages (above 0 … 100) of the n neurons that are ablated: max(1, ⌊dosage/100·n⌋)"
    )
    neurons: Annotated[Ints | None, AfterValidator(check_neurons)] = Field(
        description="numbers of ablated neurons, 1,2,5, instead of a dosage; null = by dosage"
    )
    substance: Literal["random", "noise", "zero"] = Field(
        description="ablation: incoming weights become uniform in the layer's range (random), get normal noise of the layer's "
        "standard deviation (noise), or become 0 (zero)"
    )
    repeats: Int = Field(ge=1, le=10_000, description="ablated networks per dosage, each with other neurons")
    images: Int = Field(ge=10, le=1_000_000, description=IMAGES)
    digit: NamedDigits = Field(description=f"classes of the real and the evolved images: {DIGIT}")
    runs: Int = Field(ge=2, le=10_000, description="images per class that are evolved against the intact network")
    prior: Annotated[Text, AfterValidator(check_prior)] = Field(description="prior of the evolved images")
    generations: Int = Field(
        ge=1, le=100_000_000, description="maximum generations of each search: an ablated network may never reach the threshold"
    )
    pictured: Int = Field(
        ge=0, le=10_000, description="images per class that each plotted network evolves, before and after; 0 = none"
    )
    classifier: AnyClassifierSettings
    data: DataSettings
    launcher: AnyLauncherSettings
