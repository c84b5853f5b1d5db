"""Settings of the main job: meaning, unit and range of each; the defaults are in `configs/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fooling.settings.classifiers import AnyClassifierSettings
from fooling.settings.fields import (
    Bool,
    Digits,
    Float,
    Int,
    Judges,
    Positive,
    Resize,
    Seed,
    SettingsModel,
    Text,
    labels_to_list,
    names_to_list,
    parse_size,
)
from fooling.settings.launchers import AnyLauncherSettings
from fooling.settings.rules import run_errors
from fooling.settings.searches import AnySearchSettings

VIEW = "show the record in a browser while the job runs, at an address of this machine that is printed"
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
        description="size of the images, as 224, 28,20 (height,width) or 28,28,1 (and channels), see data.resize; "
        "null = the classifier's size for folders of pictures, otherwise as they are"
    )
    resize: Resize | None = Field(
        description="how pictures of other sizes get it, see classifier.resize; null = as for the classifier, or crop"
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
        return self.model_dump(include={"scale", "size", "resize", "classes", "first_label"})

    @model_validator(mode="after")
    def check_given(self) -> Self:
        """What says how a set is read needs a set."""
        for name, value in self.options.items():
            if value and not self.given:
                raise ValueError(f"data.{name}: expected data.path=FOLDER or data.kind=sklearn with it, got neither")
        return self


def data_options(settings: Any) -> dict[str, Any]:
    """How a command's set is read: pictures become images as for its classifier, unless `data.resize` says otherwise."""
    options: dict[str, Any] = settings.data.options
    return options | {"resize": options["resize"] or settings.classifier.resize}


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
    view: Bool = Field(description=VIEW)
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
    launcher: AnyLauncherSettings

    @model_validator(mode="after")
    def check(self) -> Self:
        """Rules between settings."""
        problems = run_errors(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def sweeps(self) -> bool:
        """Whether there is a job for each of several classes, instead of one for all."""
        return (isinstance(self.digit, tuple) or self.digit == "all") and not self.search.joint
