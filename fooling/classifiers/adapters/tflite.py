"""classifier=tflite: a TensorFlow Lite model for LiteRT. A model file brings no code.

Quantised numbers q stand for scale·(q − zero point) (Jacob et al. 2018, eq. 1). An input of bytes takes the grey levels
themselves: level 0 is the smallest byte, 255 the largest.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from fooling.classifiers.adapters.files import advice, choose_named, digest_of_files, kind_of_content, model_file, one_input
from fooling.classifiers.adapters.model import Model
from fooling.errors import UserError
from fooling.settings.classifiers import TfliteSettings
from fooling.settings.fields import described
from fooling.settings.files import check_size

EXPECTED = "expected a TensorFlow Lite model (.tflite)"
SHARE = 1 / 256  # the scale of a quantised softmax or sigmoid, by the specification of LiteRT's operators


class Tensor(NamedTuple):
    """An input or output of a model."""

    place: int  # in the interpreter
    name: str
    shape: tuple[int | None, ...]  # None: any size
    dtype: np.dtype[Any]
    scale: float  # 0: its numbers are not quantised
    zero_point: int

    @property
    def is_quantised(self) -> bool:
        """Whether its numbers are whole and stand for others."""
        return self.scale > 0 and self.dtype.kind in "iu"

    def quantised(self, numbers: Any) -> Any:
        """Numbers as the model takes them."""
        if not self.is_quantised:
            return numbers.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(numbers / self.scale) + self.zero_point, limits.min, limits.max).astype(self.dtype)

    def real(self, numbers: Any) -> Any:
        """What the model's numbers stand for."""
        if not self.is_quantised:
            return numbers
        return ((numbers.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)


def open_tflite(settings: TfliteSettings, threads: int) -> Model:
    """The model in a file, with what it declares about its input and outputs. Raises UserError."""
    path, where = model_file(settings.path, "tflite", EXPECTED)
    if kind_of_content(path) != "tflite":
        raise UserError(f"{where}: {EXPECTED}, got another kind of file, or a damaged one{advice(path, 'tflite')}")
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
        inputs = [tensor(one) for one in interpreter.get_input_details()]
        outputs = [tensor(one) for one in interpreter.get_output_details()]
    except Exception as error:  # of a foreign library
        raise UserError(f"{where}: {EXPECTED}, LiteRT cannot read it ({described(error)})") from error
    one_input([(one.name, one.shape) for one in inputs], where)
    images, scores = inputs[0], outputs[choose_named([(one.name, one.shape) for one in outputs], settings.output_name, where)]
    batch, *dims = images.shape
    scale, mean = byte_preprocessing(images)
    return Model(
        running(interpreter, images, scores, where),
        where,
        digest_of_files([path]),
        "NHWC",
        tuple(dims),
        batch,
        np.float32 if images.is_quantised else images.dtype,
        output="probability" if scores.is_quantised and scores.scale == SHARE else None,
        labels=labels_in(path, scores),
        notes=notes_on(images, scores),
        scale=scale,
        mean=mean,
    )


def tensor(details: dict[str, Any]) -> Tensor:
    """An input or output, as the interpreter describes it."""
    scale, zero_point = details["quantization"]
    signature = details.get("shape_signature", details["shape"])
    shape = tuple(int(side) if side > 0 else None for side in (signature if len(signature) else details["shape"]))
    return Tensor(details["index"], str(details["name"]), shape, np.dtype(details["dtype"]), float(scale), int(zero_point))


def byte_preprocessing(images: Tensor) -> tuple[float | None, tuple[float, ...] | None]:
    """Scale and mean by which grey levels become the bytes of an input; None, None for an input of other numbers."""
    if images.dtype not in (np.uint8, np.int8):
        return None, None
    low = float(np.iinfo(images.dtype).min)  # the byte of level 0
    if not images.is_quantised:
        return 1.0, (abs(low),)
    return images.scale, (images.scale * (images.zero_point - low),)


def notes_on(images: Tensor, scores: Tensor) -> tuple[str, ...]:
    """Notes on quantised inputs and outputs."""
    parts = [
        f"{what} {one.dtype}, {one.scale:.6g}·(q − {one.zero_point})"
        for what, one in (("input", images), ("output", scores))
        if one.is_quantised
    ]
    return (f"classifier: quantised: {'; '.join(parts)}",) if parts else ()


def running(interpreter: Any, images: Tensor, scores: Tensor, where: str) -> Callable[[Any], Any]:
    """The function inputs → numbers; the batch is resized where the model declares it open."""
    state = {"size": images.shape[0] or 0}

    def predict(inputs: Any) -> Any:
        try:
            if images.shape[0] is None and (state["size"] != len(inputs)):
                interpreter.resize_tensor_input(images.place, inputs.shape)
                interpreter.allocate_tensors()
                state["size"] = len(inputs)
            interpreter.set_tensor(images.place, images.quantised(inputs))
            interpreter.invoke()
            answer = np.asarray(interpreter.get_tensor(scores.place))
        except Exception as error:
            state["size"] = 0
            raise UserError(f"{where}: LiteRT failed on inputs {list(inputs.shape)} ({described(error)})") from error
        return scores.real(answer)

    return predict


# --- metadata -----------------------------------------------------------------------------------------------------------
def labels_in(path: Path, scores: Tensor) -> tuple[str, ...] | None:
    """The class names in a text file that is packed behind the model, one a line; None without one of as many names."""
    classes = scores.shape[-1] if len(scores.shape) > 1 else None
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(".txt")]
            for member in sorted(members, key=lambda one: "label" not in one.filename.lower()):
                check_size(f"{path}: {member.filename}", "names", member.file_size)
                names = [line.strip() for line in archive.read(member).decode("utf-8-sig").rstrip().split("\n")]
                if len(names) == classes and all(names):
                    return tuple(names)
    except (zipfile.BadZipFile, OSError, UnicodeError, NotImplementedError, RuntimeError):
        return None  # a file without metadata
    return None
