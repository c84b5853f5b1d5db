"""Settings of the main job: what can be set, with meaning, unit and range; every default stands in `configs/`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fooling.settings.fields import (
    Bool,
    Channels,
    Each,
    Float,
    Fraction,
    Int,
    Positive,
    Side,
    Text,
    a_batch_size,
    as_names,
    one_or_none,
    split_commas,
)
from fooling.settings.rules import any_errors, classifier_errors, search_errors


class SettingsModel(BaseModel):
    """Settings are frozen; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TermName = Literal["histogram", "variogram", "regional", "eigen"]

# Foreign classifiers: what classifier.path is of each kind.
FOREIGN = {"onnx": "FILE.onnx", "sklearn": "FILE.skops", "torch": "module:function", "python": "module:function", "http": "URL"}


class ClassifierSettings(SettingsModel):
    """What is to be fooled. From `layout` on: of foreign classifiers (onnx, sklearn, torch, python, http)."""

    name: Text = Field(description="which classifier")
    path: Text | None = Field(
        description="where it is: a file of `fooling train` (null = the bundled weights), of onnx or sklearn (.skops); "
        "torch, python: module:function, your function that returns a module, or a callable; http: its URL"
    )
    weights: Text | None = Field(
        description="torch: file of the module's weights, .safetensors; null = as the function returns it"
    )
    shape: tuple[Side, Side, Channels] | None = Field(
        description="height, width, channels of its images; null = what the model says, or the statistics' (the data's)"
    )
    layout: Literal["auto", "NHWC", "NCHW", "NHW", "flat"] = Field(
        description="order of what it is shown; auto = what the model says; where it does not: NCHW for torch, flat for "
        "sklearn, else NHWC"
    )
    scale: Fraction = Field(description="grey levels 0…255 are multiplied by it, then mean and std; 1/255 may be written so")
    mean: Annotated[tuple[Fraction, ...], Each] = Field(description="is subtracted; one number, or one for each channel")
    std: Annotated[tuple[Positive, ...], Each] = Field(description="divides; one number, or one for each channel")
    output: Literal["auto", "probability", "logit", "sigmoid", "label"] = Field(
        description="what it gives: probabilities, logits (a softmax follows; or sigmoid), labels only (nothing can be "
        "searched for); auto looks at its answers"
    )
    output_name: Text | None = Field(description="onnx: which of its outputs; null = the only one of scores")
    labels: Annotated[tuple[Text, ...], BeforeValidator(as_names)] = Field(
        description="names of its classes, [a,b]; [] = its own"
    )
    batch_size: Annotated[str, BeforeValidator(a_batch_size)] = Field(
        description="images a call: 64 at most, fixed:64 exactly, auto as many as it can, halved when memory runs out"
    )
    timeout: Float = Field(gt=0, le=3600, description="http: seconds that an answer may take")
    retries: Int = Field(ge=0, le=100, description="http: how often a call is repeated, after 0.2 s, 0.4 s, 0.8 s, …")


class TermWeights(SettingsModel):
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


class PriorSettings(SettingsModel):
    """How much the images must look like the training set."""

    name: Text = Field(description="which prior")
    weights: TermWeights
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
    hinge: Annotated[tuple[TermName, ...], BeforeValidator(split_commas)] = Field(
        description="terms that cost nothing below what the class's images have in the mean; [eigen,regional]"
    )
    quirk_lag1: Bool = Field(description="2015's quirk 1: candidates' lag-1 differences are compared with every lag")
    quirk_axes: Bool = Field(description="2015's quirk 3: the wanted variograms have their axes exchanged")


class SearchSettings(SettingsModel):
    """How candidates are bred and kept."""

    name: Text = Field(description="which search")
    population: Int = Field(
        ge=2, le=1_000_000, description="ga, pareto: children a generation, images; pareto also keeps so many"
    )
    selected: Int = Field(ge=1, le=1_000_000, description="ga: parents kept of each generation, images; at most population")
    generations: Int = Field(
        ge=1,
        le=100_000_000,
        description="generations after the first; ascent, feedback: steps; dream: steps of a round, shared among its octaves",
    )
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
    climb: Literal["log", "target"] = Field(
        description="ascent: what it climbs besides the prior: the logarithm of the scores, whose slope does not vanish, or "
        "the target term itself"
    )
    start: Literal["noise", "levels", "mean", "grey"] = Field(
        description="ascent, dream, feedback: from even noise, noise of the class's grey levels, the training set's mean "
        "image, mid-grey"
    )
    image: Text | None = Field(description="ascent, dream, feedback: a picture's file to start from instead")
    noise: Float = Field(
        ge=0, le=255, description="standard deviation of the noise that a mean, grey or picture start gets, grey levels"
    )
    size: Side | None = Field(
        description="dream: longer side of the picture that is dreamt, pixels, scaled to it; null = the file's own, or the "
        "classifier's input"
    )
    rate: Float | None = Field(
        gt=0,
        le=255,
        description="ascent, dream, feedback: how far pixels move in a step, root mean square, grey levels; null = 20 in "
        "ascent; 10 in dream, from a picture 6; 2 in feedback",
    )
    blur_sd: Float | None = Field(
        ge=0,
        le=64,
        description="ascent, dream: Gaussian blur before a step, its standard deviation in pixels; 0 = none; null = 0.5, from "
        "a picture none",
    )
    blur_every: Int = Field(ge=1, le=1_000_000, description="ascent, dream: steps between two blurs")
    decay: Float = Field(
        ge=0, lt=1, description="ascent, dream, feedback: share of its distance from `ground` that a pixel loses in a step (L2)"
    )
    ground: Float = Field(ge=0, le=255, description="the grey level that decay pulls to")
    total_variation: Float = Field(
        ge=0, description="ascent, dream: weight of the mean difference of neighbours, which is then kept small"
    )
    jitter: Int | None = Field(
        ge=0,
        le=4095,
        description="ascent, dream: each step sees the picture shifted by up to so many pixels; null = half a window where a "
        "dream is seen through windows, else none",
    )
    layer: Text | None = Field(
        description="dream: the layer that is raised (`fooling examine layers=true` lists them); null = the output of the digit"
    )
    channel: Int | None = Field(ge=0, description="dream: of the layer only this channel, everywhere")
    neuron: Annotated[tuple[Annotated[Int, Field(ge=0)], ...] | None, BeforeValidator(one_or_none)] = Field(
        description="dream: of the layer only this unit: 17, or row,column,channel"
    )
    octaves: Int = Field(ge=1, le=32, description="dream: scales, from small to large, as far as the classifier's input allows")
    octave_scale: Float = Field(gt=1, le=8, description="dream: each octave's sides are so many times those of the one before")
    again: Int = Field(
        ge=0, le=10_000, description="dream: how often the finished picture is fed back and dreamt on; a frame each"
    )
    zoom: Float = Field(ge=0, lt=1, description="dream: share by which it is enlarged about its middle before")
    losers: Float = Field(ge=0, le=1, description="feedback: share of the other neurons' weights that is subtracted")
    returns: Literal["best", "worst"] = Field(description="what a run that reaches its end returns of its last parents")


class EngineSettings(SettingsModel):
    """What computes breed, score and select."""

    name: Text = Field(description="which engine")
    threads: Int | None = Field(ge=1, le=4096, description="threads; null = all cores. No result depends on it")
    toolbox: Text | None = Field(
        description="engine=deap: module:function, your function that puts other operators into DEAP's toolbox; null = ours"
    )
    scoring: Literal["difference", "dense"] = Field(
        description="children from their parents' statistics and their changed pixels, or in full. No result depends on it"
    )


class DataSettings(SettingsModel):
    """A labelled image set; in the main job it is what the statistics are fitted to instead of being read."""

    path: Text | None = Field(description="folder of IDX files, .npz file, or folder with a folder of pictures per class")
    kind: Literal["auto", "idx", "npz", "folder", "sklearn"] = Field(
        description="auto looks at the path; sklearn is scikit-learn's 8×8 digits and needs none"
    )


class RunSettings(SettingsModel):
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
    judges: Annotated[tuple[Text, ...], BeforeValidator(split_commas)] = Field(
        description="classifiers that are asked about the finished images; names or files, [a,b]"
    )
    preset: Text | None = Field(description="a file that sets several of these")
    classifier: ClassifierSettings
    prior: PriorSettings
    data: DataSettings
    search: SearchSettings
    engine: EngineSettings

    @model_validator(mode="after")
    def check(self) -> Self:
        """What pydantic cannot see in one field."""
        problems = classifier_errors(self.classifier) + search_errors(self)
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
        return any_errors(self)
