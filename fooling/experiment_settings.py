"""Settings of the experiments on pictures and networks: what can be set, with meaning, unit and range."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fooling.clashes import against_classifier
from fooling.groups import Bool, Classifier, Data, Each, Float, Int, Model, Text, as_list
from fooling.overrides import choices


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
Names = Annotated[tuple[Text, ...], BeforeValidator(as_list)]
Digits = Int | tuple[Int, ...] | Literal["all"]
Noise = Literal["uniform", "histogram", "other"]

DIGITS = "classes of the images, by index: one, 0,1,2 or all"
SEED = "of the draw of images and whatever else is drawn; the same seed gives the same result"


class ExperimentSettings(Model):
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
        chosen: Classifier = vars(self)["classifier"]  # every experiment has one, after its own settings
        problems = [*against_classifier(chosen), *against_digits(getattr(self, "digit", 0))]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def against_digits(digit: Digits) -> list[str]:
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
    classifier: Classifier
    data: Data


class MeanSettings(ExperimentSettings):
    """Settings of `fooling mean`."""

    seed: Int = Field(ge=0, lt=2**64, description="of the evolved images")
    digit: Digits = Field(description="wanted classes, by index: one, 0,1,2 or all")
    runs: Int = Field(ge=2, le=100_000, description="N: images of each class and prior")
    priors: Annotated[Names, AfterValidator(known_priors)] = Field(
        description="priors to evolve with, [none,eigen]; all = every one"
    )
    generations: Int | None = Field(ge=1, description="of each search, at most; null = as many as each prior's own")
    classifier: Classifier
    data: Data


class ClassifySettings(ExperimentSettings):
    """Settings of `fooling classify`."""

    files: Names = Field(description="pictures; they may also stand as words of their own, without files=")
    centre: Bool = Field(description="fit the ink into MNIST's box, its centre of mass in the centre; false leaves that out")
    threshold: Float | None = Field(
        gt=0, le=1, description="a picture is rejected if its largest score is below; null = 0.5, 0.9 where scores sum to 1"
    )
    classifier: Classifier


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
    classifier: Classifier
    data: Data

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
    noises: Annotated[tuple[Noise, ...], BeforeValidator(as_list), Field(min_length=1)] = Field(
        description="what replaces them: uniform = any grey level, histogram = drawn from the class's grey levels, "
        "other = what an image of another class has in the same place"
    )
    classifier: Classifier
    data: Data

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
    classifier: Classifier
    data: Data

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
