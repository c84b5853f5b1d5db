"""Settings of the classifiers: one class for each kind of model; `classifier=NAME` chooses it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from fooling.settings.choices import kind_of_file
from fooling.settings.fields import (
    BatchSize,
    Bool,
    Channels,
    Float,
    Fraction,
    Int,
    Judges,
    OptionalEach,
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
EFFECTS = {  # of opening a kind of model
    "torch": "runs code",
    "python": "runs code",
    "http": "contacts a server",
    "huggingface": "may contact a server",
}
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

    @property
    def effect(self) -> str:
        """What opening it does besides reading files: a record alone is no reason to do that."""
        return EFFECTS.get(self.name, "")


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
    scale: Fraction | None = Field(
        description="factor for grey levels 0…255, applied before mean and std; may be written 1/255; null = as declared by "
        "the model, otherwise 1/255"
    )
    mean: Annotated[tuple[Fraction, ...] | None, OptionalEach] = Field(
        description="subtracted from the input; one number, or one per channel; null = as declared by the model, otherwise 0"
    )
    std: Annotated[tuple[Positive, ...] | None, OptionalEach] = Field(
        description="divides the input; one number, or one per channel; null = as declared by the model, otherwise 1"
    )
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


class SeveralOutputsSettings(ExternalSettings):
    """Models that may have several outputs, by name."""

    output_name: Text | None = Field(description="name of the output to use; null = the only one that holds scores")


class OnnxSettings(SeveralOutputsSettings):
    """An ONNX model."""

    path_form = "FILE.onnx"
    name: Literal["onnx"] = Field(description=NAME)
    path: Text | None = Field(description="model file, .onnx")


class KerasSettings(SeveralOutputsSettings):
    """A Keras model."""

    path_form = "FILE.keras, FILE.h5 or a folder of a SavedModel"
    name: Literal["keras"] = Field(description=NAME)
    path: Text | None = Field(description="model file, .keras or .h5, or the folder of a SavedModel, which needs TensorFlow")


class TfliteSettings(SeveralOutputsSettings):
    """A TensorFlow Lite model."""

    path_form = "FILE.tflite"
    name: Literal["tflite"] = Field(description=NAME)
    path: Text | None = Field(description="model file, .tflite")


class OpenvinoSettings(SeveralOutputsSettings):
    """An OpenVINO model."""

    path_form = "FILE.xml"
    name: Literal["openvino"] = Field(description=NAME)
    path: Text | None = Field(description="model file, .xml, with its weights beside it, .bin")


class HuggingfaceSettings(ExternalSettings):
    """An image classifier of transformers."""

    path_form = "a folder with config.json, or owner/name on a hub"
    name: Literal["huggingface"] = Field(description=NAME)
    path: Text | None = Field(description="folder with config.json and model.safetensors, or owner/name of a model on the hub")
    revision: Text | None = Field(description="branch, tag or commit of a model on the hub; null = its main branch")


class TimmSettings(ExternalSettings):
    """An image classifier of timm."""

    path_form = "a folder with config.json, or the name of an architecture"
    name: Literal["timm"] = Field(description=NAME)
    path: Text | None = Field(
        description="folder with config.json and model.safetensors, or the name of an architecture such as resnet18"
    )
    weights: Text | None = Field(description="file of the architecture's weights, .safetensors; null = that in the folder")


class SklearnSettings(ExternalSettings):
    """A scikit-learn model or pipeline."""

    path_form = "FILE.skops"
    name: Literal["sklearn"] = Field(description=NAME)
    path: Text | None = Field(description="model file saved by skops, .skops")


class TorchSettings(ExternalSettings):
    """A PyTorch module."""

    path_form = "module:function, FILE.py:function, or a file of TorchScript (.pt) or torch.export (.pt2)"
    name: Literal["torch"] = Field(description=NAME)
    path: Text | None = Field(
        description="module:function or FILE.py:function, your function that returns a torch.nn.Module; or a file of "
        "TorchScript (.pt) or torch.export (.pt2)"
    )
    weights: Text | None = Field(description="file of the module's weights, .safetensors; null = as the function returns it")


class PythonSettings(ExternalSettings):
    """A Python callable."""

    name: Literal["python"] = Field(description=NAME)
    path: Text | None = Field(
        description="module:function or FILE.py:function, your function that returns a callable: inputs [N, …] → scores [N, K]"
    )


class HttpSettings(ExternalSettings):
    """A server."""

    path_form = "URL"
    name: Literal["http"] = Field(description=NAME)
    path: Text | None = Field(description="URL that batches are POSTed to as JSON")
    timeout: Float = Field(gt=0, le=3600, description="longest time of a whole call, seconds")
    retries: Int = Field(ge=0, le=100, description="repetitions of a failed call, after 0.2 s, 0.4 s, 0.8 s, …")
    auth_env: Text | None = Field(
        description="name of the environment variable with the credentials: a token, or user:password; null = none are sent"
    )


def effect_of(entry: str | dict[str, Any]) -> str:
    """What opening an entry of a list of classifiers does besides reading files."""
    if isinstance(entry, str):
        return EFFECTS.get(kind_of_file(entry) or "", "")
    found = [EFFECTS.get(entry["name"], ""), *map(effect_of, entry.get("members", ()))]
    return next(filter(None, found), "")


class EnsembleSettings(ClassifierSettings):
    """Several classifiers as one."""

    name: Literal["ensemble"] = Field(description=NAME)
    path: Text | None = Field(description="null: the members have their paths")
    members: Judges = Field(
        description="two classifiers or more that take the same images: names, files or URLs, [a,b], or settings, "
        "[{name: onnx, path: a.onnx, title: A}]"
    )
    combine: Literal["mean", "minimum"] = Field(
        description="score of a class: mean of the members' scores, or the smallest of them; the smallest do not sum to 1"
    )

    @property
    def effect(self) -> str:
        """What opening its members does besides reading files."""
        return next(filter(None, map(effect_of, self.members)), "")

    @model_validator(mode="after")
    def check_members(self) -> Self:
        """An ensemble has members, and no file."""
        if len(self.members) < 2:
            got = self.members[0] if self.members else "none"
            raise ValueError(f"classifier.members: expected two classifiers or more, [mnist_mlp,mnist_cnn], got {got}")
        if self.path:
            raise ValueError(
                f"classifier.path: expected null for classifier=ensemble, got {self.path}; members have their paths"
            )
        return self


AnyClassifierSettings = Annotated[
    BuiltinClassifierSettings
    | OnnxSettings
    | SklearnSettings
    | TorchSettings
    | KerasSettings
    | TfliteSettings
    | HuggingfaceSettings
    | TimmSettings
    | OpenvinoSettings
    | PythonSettings
    | HttpSettings
    | EnsembleSettings,
    Field(discriminator="name"),
]
