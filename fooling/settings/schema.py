"""Settings of the main job: meaning, unit and range of each; the defaults are in `configs/`."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fooling.settings.fields import (
    BatchSize,
    Bool,
    Channels,
    Digits,
    Each,
    Float,
    Fraction,
    Int,
    Judges,
    Positive,
    Seed,
    SettingsModel,
    Side,
    Text,
    labels_to_list,
    names_to_list,
    parse_size,
    value_to_list,
)
from fooling.settings.rules import run_errors
from fooling.settings.searches import AnySearchSettings

NAME = "classifier"


class ClassifierSettings(SettingsModel):
    """What every classifier has."""

    name: str = Field(description=NAME)
    path: Text | None = Field(description="where the classifier is")
    labels: Annotated[tuple[Text, ...], BeforeValidator(labels_to_list)] = Field(
        description="class names, [a,b], or one file of them: a name a line, or JSON; [] = those of the model"
    )
    effect: ClassVar[str] = ""  # what opening it does besides reading files: a record alone is no reason to do that


class BuiltinClassifierSettings(ClassifierSettings):
    """Networks of this package: bundled ones, and those that `fooling train` and `fooling eigen` write."""

    name: Literal[
        "mnist_mlp",
        "mnist_mlp2",
        "mnist_cnn",
        "mnist_cnn2",
        "digits_perceptron",
        "softmax",
        "perceptron",
        "mlp",
        "cnn",
        "pca",
    ] = Field(description=NAME)
    path: Text | None = Field(description="file written by `fooling train` or `fooling eigen`; null = the bundled weights")


class ExternalSettings(ClassifierSettings):
    """Models of other libraries: how images are passed to them and how their output is read."""

    path_form: ClassVar[str] = "module:function or FILE.py:function"  # what classifier.path looks like

    shape: tuple[Side, Side, Channels] | None = Field(
        description="height, width and channels of the input; null = as declared by the model, otherwise those of the data"
    )
    layout: Literal["auto", "NHWC", "NCHW", "NHW", "flat"] = Field(
        description="memory layout of the model's input; auto = as declared by the model, otherwise NCHW for torch, flat for "
        "sklearn, else NHWC"
    )
    scale: Fraction = Field(description="factor for grey levels 0…255, applied before mean and std; may be written 1/255")
    mean: Annotated[tuple[Fraction, ...], Each] = Field(description="subtracted from the input; one number, or one per channel")
    std: Annotated[tuple[Positive, ...], Each] = Field(description="divides the input; one number, or one per channel")
    output: Literal["auto", "probability", "logit", "sigmoid", "label"] = Field(
        description="type of the model's output; labels cannot be attacked; auto = inferred from sample outputs"
    )
    batch_size: BatchSize = Field(
        description="images per call: 64 = at most 64, fixed:64 = exactly 64, auto = as many as possible, halved after a "
        "failed call (http: after status 413)"
    )
    channels: Literal["RGB", "BGR"] = Field(description="order of the model's channels; mean and std are in the same order")
    transpose: Bool = Field(description="exchange rows and columns, for models of transposed images")
    order: Annotated[tuple[Int, ...], BeforeValidator(value_to_list)] = Field(
        description="which of the model's outputs is class 0, 1, …, for models whose classes are numbered otherwise; "
        "[] = as they come"
    )

    @model_validator(mode="after")
    def check_path(self) -> Self:
        """External models have no default path."""
        if not self.path:
            raise ValueError(f"classifier.path: expected {self.path_form} for classifier={self.name}, got null")
        return self


class OnnxSettings(ExternalSettings):
    """An ONNX model."""

    path_form = "FILE.onnx"
    name: Literal["onnx"] = Field(description=NAME)
    path: Text | None = Field(description="model file, .onnx")
    output_name: Text | None = Field(description="name of the output to use; null = the only one that holds scores")


class SklearnSettings(ExternalSettings):
    """A scikit-learn model or pipeline."""

    path_form = "FILE.skops"
    name: Literal["sklearn"] = Field(description=NAME)
    path: Text | None = Field(description="model file saved by skops, .skops")


class TorchSettings(ExternalSettings):
    """A PyTorch module."""

    effect = "runs code"
    name: Literal["torch"] = Field(description=NAME)
    path: Text | None = Field(description="module:function or FILE.py:function, your function that returns a torch.nn.Module")
    weights: Text | None = Field(description="file of the module's weights, .safetensors; null = as the function returns it")


class PythonSettings(ExternalSettings):
    """A Python callable."""

    effect = "runs code"
    name: Literal["python"] = Field(description=NAME)
    path: Text | None = Field(
        description="module:function or FILE.py:function, your function that returns a callable: inputs [N, …] → scores [N, K]"
    )


class HttpSettings(ExternalSettings):
    """A server."""

    path_form, effect = "URL", "contacts a server"
    name: Literal["http"] = Field(description=NAME)
    path: Text | None = Field(description="URL that batches are POSTed to as JSON")
    timeout: Float = Field(gt=0, le=3600, description="longest time of a whole call, seconds")
    retries: Int = Field(ge=0, le=100, description="repetitions of a failed call, after 0.2 s, 0.4 s, 0.8 s, …")
    auth_env: Text | None = Field(
        description="name of the environment variable with the credentials: a token, or user:password; null = none are sent"
    )


AnyClassifierSettings = Annotated[
    BuiltinClassifierSettings | OnnxSettings | SklearnSettings | TorchSettings | PythonSettings | HttpSettings,
    Field(discriminator="name"),
]


TermName = Literal["histogram", "variogram", "regional", "eigen"]


class TermWeights(SettingsModel):
    """Weight of each term of the cost; 0 leaves a term out."""

    target: Float = Field(ge=0, description="weight of the target term: Σ|score − target score| over the classes")
    histogram: Float = Field(ge=0, description="weight of the histogram term: mean |share − target share| over the bins")
    variogram: Float = Field(
        ge=0, description="weight of the variogram term: mean |γ − target γ| over lags 1…lags in both directions"
    )
    regional: Float = Field(
        ge=0, description="weight of the regional term: distance of mean and variogram, averaged over the regions of a grid"
    )
    eigen: Float = Field(
        ge=0,
        description="weight of the principal-component term: Mahalanobis distance² ÷ components + residual energy ÷ its "
        "mean in the class",
    )


class PriorSettings(SettingsModel):
    """How much the images must resemble the training set."""

    name: Text = Field(description="prior")
    weights: TermWeights
    lags: Int = Field(ge=1, le=4095, description="variogram lags 1…lags, pixels; at most the shorter side − 1")
    bins: Int = Field(ge=1, le=256, description="histogram bins")
    statistics: Text | None = Field(description="file written by `fooling stats`; null = the bundled statistics of MNIST")
    digit: Int | None = Field(ge=0, description="class whose statistics are used; null = the target class")
    target_free: Float = Field(ge=0, description="the target term is 0 below this value: the confidence is high enough")
    exemplar: Bool = Field(description="match one randomly drawn training image per run instead of the class mean")
    lag_weights: Literal["equal", "spread"] = Field(
        description="equal: every lag counts the same; spread: each lag ÷ its standard deviation over training images"
    )
    hinge: Annotated[tuple[TermName, ...], BeforeValidator(names_to_list)] = Field(
        description="terms that are 0 below the class's mean value of that term, [eigen,regional]"
    )
    quirk_lag1: Bool = Field(description="quirk 1 of 2015: lag-1 differences of a candidate are compared with every lag")
    quirk_axes: Bool = Field(description="quirk 3 of 2015: the axes of the target variograms are swapped")


class EngineSettings(SettingsModel):
    """What computes variation, scoring and selection."""

    name: Text = Field(description="engine")
    threads: Int | None = Field(ge=1, le=4096, description="threads; null = all cores; results do not depend on it")
    toolbox: Text | None = Field(
        description="engine=deap: module:function, your function that replaces operators of the DEAP toolbox; null = ours"
    )
    scoring: Literal["difference", "dense"] = Field(
        description="difference: delta evaluation from the changed pixels; dense: full evaluation; results do not depend on it"
    )


class DataSettings(SettingsModel):
    """A labelled image set; `fooling run` fits the statistics to it."""

    path: Text | None = Field(description="folder of IDX files, .npz file, or folder with one folder of images per class")
    kind: Literal["auto", "idx", "npz", "folder", "sklearn"] = Field(
        description="file format; auto = by the path; sklearn = scikit-learn's 8×8 digits, without a path"
    )
    scale: Positive | None = Field(
        description="factor to grey levels 0…255, such as 255/16; null = 255 for booleans and fractions, 1 for whole numbers"
    )
    size: Annotated[tuple[int, ...] | None, BeforeValidator(parse_size)] = Field(
        description="size of the images, as 224, 28,20 (height,width) or 28,28,1 (and channels): scaled until they cover it, "
        "then cropped in the centre; null = the classifier's size for folders of pictures, otherwise as they are"
    )
    classes: Annotated[tuple[Text, ...], BeforeValidator(labels_to_list)] = Field(
        description="the model's class of each class of the set, by number or label, 285,967; or names of some; [] = by label"
    )
    first_label: Int = Field(ge=0, le=999, description="the label of class 0 in a set whose labels are numbers: 1 for 1 … K")

    @property
    def given(self) -> bool:
        """Whether there is a data set."""
        return self.path is not None or self.kind != "auto"

    @property
    def options(self) -> dict[str, Any]:
        """How the set is read, as arguments of `fooling.load_data`."""
        return self.model_dump(include={"scale", "size", "classes", "first_label"})

    @model_validator(mode="after")
    def check_given(self) -> Self:
        """What says how a set is read needs a set."""
        for name, value in self.options.items():
            if value and not self.given:
                raise ValueError(f"data.{name}: expected data.path=FOLDER or data.kind=sklearn with it, got neither")
        return self


class RunSettings(SettingsModel):
    """Settings of `fooling run`."""

    digit: Digits = Field(
        description="target class, an index or a name; several or `all`: a sweep; `any`: whichever is reached; or target="
    )
    control: Bool = Field(description="disable the classifier (weight 0): what the prior alone produces")
    runs: Int = Field(ge=1, le=1_000_000, description="number of independent runs, one image each")
    seed: Seed = Field(description="random seed; the same seed gives the same images")
    budget: Int | None = Field(ge=2, description="maximum classifier evaluations per run; null = no limit")
    seconds: Float | None = Field(
        gt=0,
        description="maximum seconds of search per job, interruptions left out: its runs end with the generation that passes "
        "them; null = no limit",
    )
    threshold: Float = Field(
        gt=0, le=1, description="a run succeeds at this confidence, if the target also has the largest score"
    )
    tol: Float | None = Field(gt=0, description="a run has converged below this cost; null = if it succeeds")
    stop: Literal["end", "threshold", "tol", "settled"] = Field(
        description="when a run stops: after all generations, at `threshold`, at `tol`, or (gradient searches) when the image "
        "no longer changes"
    )
    out: Text | None = Field(description="record folder, or parent folder of a sweep; null = a new one under runs/")
    resume: Bool = Field(
        description="resume an interrupted run of the same command; search.generations, budget and seconds may be larger, and "
        "a finished run goes on up to them"
    )
    overwrite: Bool = Field(description="replace the record in out")
    quiet: Bool = Field(description="print errors only")
    judges: Judges = Field(
        description="held-out classifiers that evaluate the finished images: names, files or URLs, [a,b], or settings, "
        "[{name: onnx, path: a.onnx, title: A}]"
    )
    preset: Text | None = Field(description="a file that sets several of these")
    classifier: AnyClassifierSettings
    prior: PriorSettings
    data: DataSettings
    search: AnySearchSettings
    engine: EngineSettings

    @model_validator(mode="after")
    def check(self) -> Self:
        """Rules between settings."""
        problems = run_errors(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def sweeps(self) -> bool:
        """Whether there is a job for each of several classes."""
        return isinstance(self.digit, tuple) or self.digit == "all"
