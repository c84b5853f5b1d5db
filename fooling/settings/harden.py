"""Settings of `fooling harden`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.commands import parse_channels, parse_hidden
from fooling.settings.experiments import ExperimentSettings
from fooling.settings.fields import Float, Int, NamedDigits, Names, Text
from fooling.settings.schema import DataSettings

OWN = ("mlp", "cnn")  # networks that are trained here
# Attacks by name → the words of `fooling run` that they are, besides target, seed, runs and budget.
SMALL_STEPS = ("search.rate=1", "search.blur_sd=0", "search.generations=300", "threshold=0.9999", "stop=threshold")
ATTACKS: dict[str, tuple[str, ...]] = {
    "none": ("prior=none",),
    "histogram": ("prior=histogram", "threshold=0.9999"),
    "variogram": ("prior=variogram", "threshold=0.9999"),
    "exemplar": ("prior=exemplar", "threshold=0.9999"),
    "mismatched": ("prior=eigen", "threshold=0.9999"),
    "grid": ("search=es", "search.genome=grid", "threshold=0.9999"),
    "dct": ("search=es", "search.genome=dct", "threshold=0.9999"),
    "cppn": ("search=es", "search.genome=cppn", "threshold=0.9999"),
    "gradient": ("search=ascent", "threshold=0.9999"),
    # Around noise a hardened network is flat: of 20 attacks from there none succeeds, from the mean image all do
    "gradient_mean": ("search=ascent", "search.start=mean", *SMALL_STEPS),
    "hybrid": ("search=ascent", "search.black_box=2000", *SMALL_STEPS),
}
CLIMBING = ("gradient", "gradient_mean", "hybrid")  # attacks that end by themselves
BUDGETS = {"grid": 2_500, "dct": 2_500, "cppn": 2_500}  # images of an attack at most, where it is less than PRIOR_BUDGET
PRIOR_BUDGET = 20_000
SHIFTED = (
    "mismatched",
)  # attacks whose prior is that of the class before: images of one class that are believed to be the next
READABLE = ("exemplar", "mismatched", "gradient_mean")  # whose images can be read as a class: no outliers
DESCENT = ("epochs", "batch", "learning_rate", "decay", "hidden")  # what every training has; null where none is trained


def check_attacks(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of attacks, each once, or all. Raises ValueError for others."""
    if not set(names) <= {*ATTACKS, "all"} or (len(names) > 1 and "all" in names):
        raise ValueError(f"all, or a list of {', '.join(ATTACKS)}")
    return tuple(name for name in ATTACKS if name in names or "all" in names)


def check_outliers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of attacks whose images show nothing. Raises ValueError for others."""
    usable = [name for name in ATTACKS if name not in READABLE]
    if not names or not set(names) <= set(usable):
        raise ValueError(f"a list of {', '.join(usable)}")
    return tuple(name for name in usable if name in names)


class HardenSettings(ExperimentSettings):
    """Settings of `fooling harden`."""

    classifier: AnyClassifierSettings
    data: DataSettings
    seed: Int = Field(
        ge=0,
        lt=2**31,
        description="random seed; training takes seed, seed + 1, … and measuring seed + 1000000, which is none of them",
    )
    method: Literal["none_class", "uniform", "margin"] = Field(
        description="none_class = outliers get a class of their own, the last; uniform = the same score for every class "
        "(outlier exposure); margin = no class has a high score (ACET)"
    )
    outliers: Literal["noise", "evolved", "both"] = Field(
        description="images that show nothing: noise = even and smoothed noise, and shuffled and phase-scrambled training "
        "images; evolved = images that are evolved against the network of the round before; both = as many of either"
    )
    start: Literal["warm", "scratch"] = Field(
        description="weights at the start of a round: those of the round before, or random"
    )
    rounds: Int = Field(ge=1, le=1000, description="rounds of evolving, training and measuring; round 0 is the network before")
    epochs: Int | None = Field(ge=1, le=100_000, description="passes over the training images in each round")
    batch: Int | None = Field(ge=1, le=1_000_000, description="real images of a step, and as many outliers")
    learning_rate: Float | None = Field(gt=0, description="learning rate at the start of a round, with cosine decay to 0")
    decay: Float | None = Field(ge=0, description="L2 weight decay")
    hidden: Annotated[int | tuple[int, ...] | None, BeforeValidator(parse_hidden)] = Field(
        description="units of the hidden layer (1 … 4096); mlp: of each layer, 100,50; classifier.path has its own"
    )
    activation: Literal["sigmoid", "relu"] | None = Field(description="mlp: activation of the hidden layers; null for others")
    channels: Annotated[tuple[int, int] | None, BeforeValidator(parse_channels)] = Field(
        description="cnn: channels of the two convolutions; null for others"
    )
    kernel: Int | None = Field(ge=1, le=31, description="cnn: kernel size of the convolutions, pixels; null for others")
    shift: Int = Field(ge=0, le=64, description="augmentation: largest random translation of a training image, pixels")
    weight: Float = Field(ge=0, description="weight of the outliers' loss; that of the real images has 1")
    radius: Float = Field(
        ge=0,
        le=255,
        description="grey levels by which each pixel of every other outlier may move, at most, towards what the network "
        "believes most",
    )
    steps: Int = Field(ge=0, le=1000, description="gradient steps of that move, in every step of the training; 0 = none")
    noise: Int = Field(ge=2, le=100_000, description="outliers of each kind of noise")
    evolve: Annotated[Names, AfterValidator(check_outliers)] = Field(
        description=f"attacks whose images are trained on, of {', '.join(name for name in ATTACKS if name not in READABLE)}"
    )
    evolve_runs: Int = Field(ge=1, le=10_000, description="images that each of them evolves for each class in each round")
    evolve_budget: Int = Field(ge=100, description="evaluations of such an image, at most")
    digit: NamedDigits = Field(description="classes that are attacked, indices or names: a list such as 0,1,2, or all")
    runs: Int = Field(ge=1, le=10_000, description="measured attacks on each class without a prior, from which Q is")
    budget: Int = Field(ge=100, description="evaluations of each of them, at most")
    attacks: Annotated[Names, AfterValidator(check_attacks)] = Field(
        description=f"further attacks that are measured, all or of {', '.join(ATTACKS)}; [] = none"
    )
    copies: Int = Field(ge=1, le=10_000, description="images that each of these evolves for each class")
    images: Int = Field(ge=10, le=1_000_000, description="real test images that detectors compare with, at most")
    export: Text | None = Field(
        description="new folder for outliers and a short recipe of training for torch and Keras, of any classifier; nothing "
        "is trained then; null = train"
    )

    @model_validator(mode="after")
    def check_kind(self) -> Self:
        """Only own networks are trained, and a training has all that it needs."""
        name = self.classifier.name
        if self.export:
            return self
        if name not in OWN:
            advice = "export=FOLDER writes outliers and a recipe for others"
            raise ValueError(f"classifier: expected one that is trained here, {' or '.join(OWN)}, got {name}; {advice}")
        needed = (*DESCENT, *(("activation",) if name == "mlp" else ("channels", "kernel")))
        missing = [setting for setting in needed if getattr(self, setting) is None]
        if missing:
            raise ValueError(f"{missing[0]}: expected a value for classifier={name}, got null; leave it out for the default")
        if name == "cnn" and not isinstance(self.hidden, int):
            raise ValueError(f"hidden: classifier=cnn has one hidden layer, expected one number, got {self.hidden}")
        return self
