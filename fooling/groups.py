"""Groups of settings and the types of their values: what can be set, with meaning, unit and range."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


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


def as_names(value: Any) -> Any:
    """Names may be numbers."""
    found = as_list(value)
    return [
        str(one) if isinstance(one, int | float) else one for one in (found if isinstance(found, list | tuple) else [found])
    ]


def a_fraction(value: Any) -> Any:
    """1/255 is a number too."""
    if isinstance(value, str) and value.count("/") == 1:
        try:
            over, under = (float(part) for part in value.split("/"))
            return over / under
        except (ValueError, ZeroDivisionError):
            return value
    return value


def one_or_more(value: Any) -> Any:
    """One number is a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def one_or_none(value: Any) -> Any:
    """The same; null is none."""
    return value if value is None else one_or_more(value)


def a_batch_size(value: Any) -> Any:
    """auto, 64 or fixed:64."""
    text = str(value)
    number = text.removeprefix("fixed:")
    if isinstance(value, bool) or (
        text != "auto" and not (number.isascii() and number.isdigit() and 1 <= int(number) <= 2**20)
    ):
        raise ValueError("auto, a whole number from 1 on (at most so many images a call), or fixed:N (exactly so many)")
    return text


Fraction = Annotated[float, BeforeValidator(not_a_boolean), BeforeValidator(a_fraction), Field(allow_inf_nan=False)]
Positive = Annotated[Fraction, Field(gt=0)]
Side = Annotated[Int, Field(ge=2, le=4096)]
Channels = Literal[1, 3]
Each = BeforeValidator(one_or_more)  # one number, or one a channel


# Foreign classifiers: what classifier.path is of each kind.
FOREIGN = {"onnx": "FILE.onnx", "sklearn": "FILE.skops", "torch": "module:function", "python": "module:function", "http": "URL"}


class Classifier(Model):
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


class Engine(Model):
    """What computes breed, score and select."""

    name: Text = Field(description="which engine")
    threads: Int | None = Field(ge=1, le=4096, description="threads; null = all cores. No result depends on it")
    toolbox: Text | None = Field(
        description="engine=deap: module:function, your function that puts other operators into DEAP's toolbox; null = ours"
    )
    scoring: Literal["difference", "dense"] = Field(
        description="children from their parents' statistics and their changed pixels, or in full. No result depends on it"
    )


class Data(Model):
    """A labelled image set; in the main job it is what the statistics are fitted to instead of being read."""

    path: Text | None = Field(description="folder of IDX files, .npz file, or folder with a folder of pictures per class")
    kind: Literal["auto", "idx", "npz", "folder", "sklearn"] = Field(
        description="auto looks at the path; sklearn is scikit-learn's 8×8 digits and needs none"
    )
