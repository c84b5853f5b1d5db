"""Typed settings: what can be set, with meaning, unit and range. Every default stands in `configs/`, once."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fooling.errors import UserError
from fooling.overrides import choices, collect, leaves, read_yaml

__all__ = [
    "LadderSettings",
    "MatrixSettings",
    "PlausibilitySettings",
    "RunSettings",
    "StatsSettings",
    "TrainSettings",
    "dump",
    "load",
    "read_yaml",
]


def not_a_boolean(value: Any) -> Any:
    """true is no number."""
    if isinstance(value, bool):
        raise ValueError("a number")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def a_boolean(value: Any) -> Any:
    """1, yes and on are no booleans."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def on_one_line(value: str) -> str:
    """No control characters in names and paths."""
    if not value.isprintable():
        raise ValueError("text without control characters")
    return value


def as_list(value: Any) -> Any:
    """One name is a list of one; null is none."""
    return [] if value is None else [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(on_one_line)]
Bool = Annotated[bool, BeforeValidator(a_boolean)]
Int = Annotated[int, BeforeValidator(not_a_boolean)]
Float = Annotated[float, BeforeValidator(not_a_boolean), Field(allow_inf_nan=False)]


class Model(BaseModel):
    """Settings are frozen; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TermName = Literal["histogram", "variogram", "regional", "eigen"]


class Classifier(Model):
    """What is to be fooled."""

    name: Text = Field(description="which classifier")
    path: Text | None = Field(description="file of weights that `fooling train` wrote; null = the bundled ones")


class Weights(Model):
    """Weight of each term of the cost; 0 leaves a term out."""

    target: Float = Field(ge=0, description="weight of Σ|score − wanted score| over the classes")
    histogram: Float = Field(ge=0, description="weight of the histogram term: mean |share − wanted share| of the bins")
    variogram: Float = Field(
        ge=0, description="weight of the variogram term: |g − wanted g| of pixels 1…lags apart, both directions, ÷ lags"
    )
    regional: Float = Field(
        ge=0, description="weight of the regional term: mean and variogram of each region of a grid, mean of their distances"
    )
    eigen: Float = Field(
        ge=0, description="weight of the eigen term: Mahalanobis distance² ÷ eigen-images + residual energy ÷ the class's mean"
    )


class Prior(Model):
    """How much the images must look like the training set."""

    name: Text = Field(description="which prior")
    weights: Weights
    lags: Int = Field(ge=1, le=4095, description="pixel distances 1…lags; on small images at most the shorter side − 1")
    bins: Int = Field(ge=1, le=256, description="bins of the histogram")
    statistics: Text | None = Field(description="file that `fooling stats` wrote; null = the bundled ones of MNIST")
    digit: Int | None = Field(ge=0, description="class whose statistics are wanted; null = the same as digit")
    target_free: Float = Field(ge=0, description="the target term costs nothing below this: the classifier is sure enough")
    exemplar: Bool = Field(
        description="towards the histogram and variogram of one training image, drawn for each run, not of the class's mean"
    )
    lag_weights: Literal["equal", "spread"] = Field(
        description="each lag's distance as it is, or ÷ its spread over real images"
    )
    hinge: Annotated[tuple[TermName, ...], BeforeValidator(as_list)] = Field(
        description="terms that cost nothing below what the class's images have in the mean; [eigen,regional]"
    )
    quirk_lag1: Bool = Field(description="2015's quirk 1: candidates' lag-1 differences are compared with every lag")
    quirk_axes: Bool = Field(description="2015's quirk 3: the wanted variograms have their axes exchanged")


class Search(Model):
    """How candidates are bred and kept."""

    name: Text = Field(description="which search")
    population: Int = Field(
        ge=2, le=1_000_000, description="ga, pareto: children a generation, images; pareto also keeps so many"
    )
    selected: Int = Field(ge=1, le=1_000_000, description="ga: parents kept of each generation, images; at most population")
    generations: Int = Field(ge=1, le=100_000_000, description="generations after the first")
    draw: Literal["levels", "bins"] = Field(
        description="pixels are drawn from the class's 256 grey levels, or evenly within its histogram's bins"
    )
    crossover: Literal["uniform", "rectangle", "none"] = Field(
        description="each pixel from either of two parents, or a rectangle from the second of them, or a copy of one"
    )
    rectangles: Float = Field(ge=0, le=1, description="crossover=uniform: share of the children that take a rectangle instead")
    mutate_factor: Float = Field(ge=0, description="a pixel is redrawn at the rate min(0.5, 0.01·|best cost|·mutate_factor)")
    min_rate: Float = Field(ge=0, le=0.5, description="that rate is not below this")
    gaussians: Float = Field(ge=0, description="mean number of pixels that get rounded normal noise in a child")
    gaussian_sd: Float = Field(gt=0, le=255, description="its standard deviation, grey levels; sums stay within 0…255")
    polynomials: Float = Field(ge=0, description="mean number of pixels that are moved by polynomial mutation in a child")
    polynomial_eta: Int = Field(ge=0, le=1000, description="its distribution index: the larger, the smaller the moves")
    blurs: Float = Field(ge=0, description="mean number of places that become the mean of their 3×3 neighbourhood in a child")
    swaps: Float = Field(ge=0, description="mean number of pairs of pixels that are swapped in a child")
    elitism: Bool = Field(description="ga: parents compete with their children; in a pareto search they always do")
    proposals: Int = Field(ge=1, le=1_000_000, description="anneal: proposals of each chain a generation")
    temperature: Float = Field(ge=0, description="anneal: at the start, in units of the cost")
    cooling: Float = Field(ge=0, description="anneal: temperature = start·(1 − share of the chain that is over)^cooling")
    swap_share: Float = Field(ge=0, le=1, description="anneal: share of the proposals that swap two pixels; others redraw one")
    returns: Literal["best", "worst"] = Field(description="what a run that reaches its end returns of its last parents")


class Engine(Model):
    """What computes breed, score and select."""

    name: Text = Field(description="which engine")
    threads: Int | None = Field(ge=1, le=4096, description="threads; null = all cores. No result depends on it")
    scoring: Literal["difference", "dense"] = Field(
        description="children from their parents' statistics and their changed pixels, or in full. No result depends on it"
    )


class Data(Model):
    """A labelled image set; in the main job it is what the statistics are fitted to instead of being read."""

    path: Text | None = Field(description="folder of IDX files, .npz file, or folder with a folder of pictures per class")
    kind: Literal["auto", "idx", "npz", "folder", "sklearn"] = Field(
        description="auto looks at the path; sklearn is scikit-learn's 8×8 digits and needs none"
    )


class RunSettings(Model):
    """Settings of the main job."""

    digit: Int | tuple[Int, ...] | Literal["all"] = Field(description="wanted class, by index; 0,1,2 and all are a sweep")
    control: Bool = Field(description="give the classifier the weight 0: what does the prior alone make?")
    runs: Int = Field(ge=1, le=1_000_000, description="populations side by side, an image each")
    seed: Int = Field(ge=0, lt=2**64, description="the same seed gives the same images")
    budget: Int | None = Field(ge=2, description="evaluations a run, at most; null = as many as the generations need")
    threshold: Float = Field(gt=0, le=1, description="confidence from which on a run is a success (and the largest score)")
    tol: Float | None = Field(gt=0, description="a run has converged if its cost is below; null = if it is a success")
    stop: Literal["end", "threshold", "tol"] = Field(description="a run ends with its generations, or once it is there")
    out: Text | None = Field(description="record folder, of a sweep the parent; null = a fresh one under runs/")
    resume: Bool = Field(description="go on where the same command was interrupted")
    overwrite: Bool = Field(description="replace the record in out")
    quiet: Bool = Field(description="print nothing but errors")
    judges: Annotated[tuple[Text, ...], BeforeValidator(as_list)] = Field(
        description="classifiers that are asked about the finished images; names or files, [a,b]"
    )
    preset: Text | None = Field(description="a file that sets several of these")
    classifier: Classifier
    prior: Prior
    data: Data
    search: Search
    engine: Engine

    @model_validator(mode="after")
    def check(self) -> Self:
        """What pydantic cannot see in one field."""
        search, problems = self.search, []
        if search.name == "pareto":
            problems += self.check_pareto()
        elif search.selected > search.population:
            problems.append(f"search.selected must be at most search.population ({search.population}), got {search.selected}")
        least = search.proposals + 1 if search.name == "anneal" else search.population
        if self.budget is not None and self.budget < least:
            what = "1 + search.proposals" if search.name == "anneal" else "search.population"
            problems.append(f"budget must be at least {what} ({least}), got {self.budget}")
        if self.stop == "tol" and self.tol is None:
            problems.append("stop=tol needs tol, for example tol=0.055")
        if self.resume and self.overwrite:
            problems.append("resume=true and overwrite=true exclude each other")
        if self.prior.statistics and (self.data.path or self.data.kind != "auto"):
            problems.append("prior.statistics and data exclude each other: statistics are read, or fitted to data")
        if not any(self.prior.weights.model_dump().values()):
            problems.append("prior.weights are all 0: at least one must be above")
        if isinstance(self.digit, tuple) and len(set(self.digit)) < max(1, len(self.digit)):
            problems.append(f"digit must name different classes, got {list(self.digit)}")
        smallest = min(self.digit, default=0) if isinstance(self.digit, tuple) else 0 if self.digit == "all" else self.digit
        if smallest < 0:
            problems.append(f"digit must be a class from 0 on, got {smallest}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def check_pareto(self) -> list[str]:
        """What speaks against a front of target against prior."""
        target, *others = self.prior.weights.model_dump().values()
        problems = []
        if self.search.population < 4:
            problems.append(f"search=pareto needs search.population=4 or more, got {self.search.population}")
        if not any(others):
            near = ", ".join(name for name in choices("prior") if name != "none")
            problems.append(
                f"search=pareto weighs the classifier against a prior, and prior={self.prior.name} has no term "
                f"besides the target; take one of prior={near}"
            )
        if self.control or not target:
            what = "control=true" if self.control else "prior.weights.target=0"
            problems.append(f"search=pareto weighs the classifier against a prior; {what} leaves the classifier out")
        if self.search.returns == "worst":
            problems.append("search.returns=worst is of search=ga; search=pareto needs search.returns=best")
        return problems


Names = Annotated[tuple[Text, ...], BeforeValidator(as_list)]


class LadderSettings(RunSettings):
    """Settings of `fooling ladder`: those of the main job, for every rung, and which rungs and arms."""

    rungs: Names = Field(description="priors, from the weakest on; all = every one")
    arms: Names = Field(description="with the classifier, control, mismatched; all = every one")


class MatrixSettings(RunSettings):
    """Settings of `fooling matrix`: those of the main job, for every pair."""


class StatsSettings(Model):
    """Settings of `fooling stats`."""

    data: Data
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


class PlausibilitySettings(Model):
    """Settings of `fooling plausibility`."""

    data: Data
    split: Literal["train", "test", "all"] = Field(description="which of the real images the evolved ones are compared with")
    out: Text | None = Field(description="folder to write to; null = the record folder itself")
    overwrite: Bool = Field(description="replace plausibility.json and plausibility.png")
    quiet: Bool = Field(description="print nothing but errors")


Width = Annotated[Int, Field(ge=1, le=4096)]


class TrainedClassifier(Model):
    """What is to be trained."""

    name: Text = Field(description="which network")


class TrainSettings(Model):
    """Settings of `fooling train`."""

    classifier: TrainedClassifier
    data: Data
    seed: Int = Field(ge=0, lt=2**63, description="of the first weights and the order of the images")
    epochs: Int = Field(ge=1, le=100_000, description="passes over the training images")
    batch: Int = Field(ge=1, le=1_000_000, description="images a step")
    learning_rate: Float = Field(gt=0, description="at the start; falls to 0 along a cosine")
    decay: Float = Field(ge=0, description="L2 weight decay")
    hidden: Int = Field(ge=1, le=4096, description="units of the hidden layer")
    channels: tuple[Width, Width] | None = Field(description="of the two convolutions before it; null = none: sigmoid units")
    kernel: Int = Field(ge=1, le=31, description="side of the convolutions, pixels")
    shift: Int = Field(ge=0, le=64, description="training images are moved at random by up to so many pixels")
    out: Text = Field(description="file to write, .safetensors")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description="print nothing but errors")


M = TypeVar("M", bound=BaseModel)

# What pydantic found, in our words; braces name entries of its context.
EXPECTED = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "literal_error": "must be one of {expected}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "model_type": "must be a group of settings",
    "tuple_type": "must be a list, such as a,b",
    "missing": "is missing",
}


def load(arguments: Sequence[str], model: type[M] = RunSettings, root: str = "run") -> M:  # type: ignore[assignment]
    """Settings from the words of a command: an optional YAML file, then key=value. Raises UserError with all problems.

    Layers, later ones win: configs/{root}.yaml, the files of the chosen groups, preset, the YAML file, the words.
    """
    try:
        return model.model_validate(collect(arguments, model, root))
    except ValidationError as error:
        entries = [entry for entry in error.errors() if len(entry["loc"]) < 3 or entry["loc"][0] != "digit"]  # the whole value
        raise UserError("; ".join(dict.fromkeys(map(problem, entries)))) from None


def problem(entry: Any) -> str:
    """One of pydantic's findings as a sentence: the setting, what was expected, what was got."""
    path = [str(part) for part in entry["loc"]]
    got = entry["input"]
    if path[:1] == ["digit"]:
        return f"digit must be a class index from 0 on, a list of them such as 0,1,2, or all; got {shown(got)}"
    if path[:1] == ["channels"]:
        return "channels must be two whole numbers from 1 to 4096, such as 16,32, or null"
    if path[:2] == ["prior", "hinge"]:
        return f"prior.hinge must be a list of {', '.join(get_args(TermName))}, such as [eigen,regional]; got {shown(got)}"
    if not path:
        return str(entry["ctx"]["error"])
    if entry["type"] == "value_error":
        return f"{'.'.join(path)} must be {entry['ctx']['error']}, got {shown(got)}"
    expected = EXPECTED.get(entry["type"], "must be something else").format(**entry.get("ctx", {}))
    return f"{'.'.join(path)} {expected}" + ("" if entry["type"] == "missing" else f", got {shown(got)}")


def shown(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else on_line(str(value))


def on_line(text: str) -> str:
    """Text with its control characters written out."""
    return text if text.isprintable() else repr(text)


def dump(settings: RunSettings, command: str = "python -m fooling.run") -> str:
    """The settings as YAML, without those that say where and how to run; `load` reads it back to the same job.

    `command` is what they are the settings of.
    """
    tree = settings.model_dump(mode="json", exclude={"out", "resume", "overwrite"})
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return f"# Repeat this job: {command} config.yaml\n{text}"


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """Every setting of a model by its full name, with pydantic's description of it."""
    return leaves(model)
