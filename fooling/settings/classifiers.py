"""Settings of the classifiers: one class for each kind of model; `classifier=NAME` chooses it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fooling.settings.fields import (
    BatchSize,
    Bool,
    Channels,
    Each,
    Float,
    Fraction,
    Int,
    Positive,
    RateText,
    Resize,
    SettingsModel,
    Side,
    Text,
    labels_to_list,
    value_to_list,
)

NAME = "classifier"
IN_RECORD = "true"  # classifier.cache: the answers are kept in the job's record


def truth_to_text(value: Any) -> Any:
    """true is a text, as files are; false is null."""
    return {True: IN_RECORD, False: None, "false": None}.get(value, value) if isinstance(value, bool | str) else value


class ClassifierSettings(SettingsModel):
    """What every classifier has."""

    name: str = Field(description=NAME)
    path: Text | None = Field(description="where the classifier is")
    labels: Annotated[tuple[Text, ...], BeforeValidator(labels_to_list)] = Field(
        description="class names, [a,b], or one file of them: a name a line, or JSON; [] = those of the model"
    )
    resize: Resize = Field(
        description="how pictures of other sizes become images of the classifier's: crop = scaled until they cover it, then "
        "cropped in the centre; fit = the whole picture, padded with black; stretch = height and width scaled apart"
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
    output: Literal["auto", "probability", "logit", "sigmoid", "label", "top"] = Field(
        description="type of the model's output; label = the class alone; top = the best classes, best first, with or without "
        "their scores; auto = inferred from sample outputs"
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

    votes: Annotated[Int, Field(ge=1, le=10_000)] | None = Field(
        description="noisy copies of an image that are shown in its place; the score of a class is its share of their votes; "
        "null = 25 for label and top, 1 (the image itself) for scores"
    )
    vote_noise: Fraction = Field(gt=0, le=1, description="share of a copy's pixels that are replaced, in the noisiest copy")
    samples: Int = Field(
        ge=1, le=10_000, description="calls whose scores are averaged, for models that answer differently each time"
    )
    rate: RateText | None = Field(
        description="most calls such as 5/s, 100/min or 1000/h, or most images, 50images/s; null = no limit"
    )
    price: Float | None = Field(ge=0, description="price of an image that the model is shown, for the running total")
    cache: Annotated[Text | None, BeforeValidator(truth_to_text)] = Field(
        description="keep the answers, so that no image is paid twice, also after resume=true: true = in answers.csv of the "
        "record; FILE.csv, which several jobs may share; null = they are not kept"
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
