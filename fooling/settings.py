"""Typed settings: what can be set, with meaning, unit and range. Every default stands in `configs/`, once."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from fooling.clashes import against_any, against_classifier, against_search
from fooling.errors import UserError
from fooling.groups import (
    Bool,
    Classifier,
    Data,
    Engine,
    Float,
    Int,
    Model,
    Prior,
    Search,
    TermName,
    Text,
    as_list,
)
from fooling.overrides import collect, flat, leaves, put

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


class RunSettings(Model):
    """Settings of the main job."""

    digit: Int | tuple[Int, ...] | Literal["all", "any"] = Field(
        description="wanted class, by index; 0,1,2 and all are a sweep; any takes whichever class an image gets to"
    )
    control: Bool = Field(description="give the classifier the weight 0: what does the prior alone make?")
    runs: Int = Field(ge=1, le=1_000_000, description="populations side by side, an image each")
    seed: Int = Field(ge=0, lt=2**64, description="the same seed gives the same images")
    budget: Int | None = Field(
        ge=2,
        description="evaluations a run, at most: images that the search shows the classifier; null = as the generations need",
    )
    threshold: Float = Field(gt=0, le=1, description="confidence from which on a run is a success (and the largest score)")
    tol: Float | None = Field(gt=0, description="a run has converged if its cost is below; null = if it is a success")
    stop: Literal["end", "threshold", "tol", "settled"] = Field(
        description="a run ends with its generations, or once it is there; settled (ascent, dream, feedback): or once its "
        "image stays as it is"
    )
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
        problems = against_classifier(self.classifier) + against_search(self)
        if self.engine.toolbox and self.engine.name != "deap":
            problems.append(f"engine.toolbox is of engine=deap, got engine={self.engine.name}")
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
        indices = self.digit if isinstance(self.digit, tuple) else (self.digit,)
        smallest = min((index for index in indices if isinstance(index, int)), default=0)
        if smallest < 0:
            problems.append(f"digit must be a class from 0 on, got {smallest}")
        if self.digit == "any":
            problems += self.check_any()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def sweeps(self) -> bool:
        """Whether the digit is a list, or all: a job for each class."""
        return isinstance(self.digit, tuple) or self.digit == "all"

    def check_any(self) -> list[str]:
        """What speaks against whichever class an image gets to."""
        return against_any(self)


Names = Annotated[tuple[Text, ...], BeforeValidator(as_list)]


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


class ExamineSettings(Model):
    """Settings of `fooling examine`."""

    classifier: Classifier
    data: Data
    layers: Bool = Field(description="list the layers too, which search=dream raises")
    out: Text | None = Field(description="file to write what was found to, .json; null = none")
    overwrite: Bool = Field(description="replace the file")
    quiet: Bool = Field(description="print nothing but errors")

    @model_validator(mode="after")
    def check(self) -> Self:
        """What pydantic cannot see in one field."""
        problems = against_classifier(self.classifier)
        if problems:
            raise ValueError("; ".join(problems))
        return self


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
    "too_short": "must have at least one entry",
    "missing": "is missing",
}


def load(arguments: Sequence[str], model: type[M] = RunSettings, root: str = "run") -> M:  # type: ignore[assignment]
    """Settings from the words of a command: an optional YAML file, then key=value. Raises UserError with all problems.

    Layers, later ones win: configs/{root}.yaml, the files of the chosen groups, preset, the YAML file, the words.
    """
    return validate(collect(arguments, model, root), model)


def validate(tree: dict[str, Any], model: type[M]) -> M:
    """A tree as settings. Raises UserError with all problems."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        whole = ("digit", "hidden")  # told as a whole, not each of a list
        entries = [entry for entry in error.errors() if len(entry["loc"]) < 3 or entry["loc"][0] not in whole]
        raise UserError("; ".join(dict.fromkeys(map(problem, entries)))) from None


def problem(entry: Any) -> str:
    """One of pydantic's findings as a sentence: the setting, what was expected, what was got."""
    path = [str(part) for part in entry["loc"]]
    got = entry["input"]
    if path[:1] == ["digit"]:
        return f"digit must be a class index from 0 on, a list of them such as 0,1,2, all or any; got {shown(got)}"
    if path[:1] == ["channels"]:
        return "channels must be two whole numbers from 1 to 4096, such as 16,32, or null"
    if path[:1] == ["hidden"]:
        return f"hidden must be a whole number from 1 to 4096, or at most 16 of them such as 100,50; got {shown(got)}"
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


def dump(settings: BaseModel, command: str = "python -m fooling.run", only: Collection[str] | None = None) -> str:
    """The settings as YAML, without those that say where and how to run; `load` reads it back to the same job.

    `command` is what they are the settings of; `only` are the full names of those that are written, None: all.
    """
    tree = settings.model_dump(mode="json", exclude={"out", "resume", "overwrite"})
    if only is not None:
        values, tree = dict(flat(tree)), {}
        for name in [name for name in values if name in only]:
            put(tree, name, values[name])
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return f"# Repeat this job: {command} config.yaml\n{text}"


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """Every setting of a model by its full name, with pydantic's description of it."""
    return leaves(model)
