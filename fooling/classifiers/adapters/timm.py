"""classifier=timm: an architecture of timm with weights from safetensors; preprocessing and labels from its configuration."""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import timm
from safetensors import SafetensorError, safe_open

from fooling.classifiers.adapters.files import advice, digest_of_files, is_file, json_of, labels_of, weight_files
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.torch import layer_of, load_weights, placed
from fooling.classifiers.serialization import check_safetensors, conversion
from fooling.errors import UserError
from fooling.settings.classifiers import TimmSettings
from fooling.settings.fields import described, user_path
from fooling.settings.files import nearest

EXPECTED = "expected a folder with config.json and model.safetensors, or the name of an architecture of timm"

OF_CREATION = frozenset(inspect.signature(timm.create_model).parameters) - {"kwargs"}  # they load files, or compile


def open_timm(settings: TimmSettings, threads: int) -> Model:
    """The architecture in a folder or by its name, with its weights. Raises UserError."""
    name = settings.path or ""
    folder, where = user_path(name), f"classifier.path={name}"
    about: Mapping[str, Any] = {}
    if folder.is_dir():
        about = json_of(folder / "config.json")
        if not isinstance(about.get("architecture"), str):
            raise UserError(f"{where}: {EXPECTED}, got no config.json with an architecture{advice(folder, 'timm')}")
        architecture, weights = about["architecture"], weights_in(folder, settings.weights, where)
    else:
        if is_file(folder):
            raise UserError(f"{where}: {EXPECTED}, got a file{advice(folder, 'timm')}; weights go into classifier.weights")
        if not settings.weights:
            raise UserError(f"{where}: expected classifier.weights=FILE.safetensors; nothing is fetched")
        architecture, weights = name, user_path(settings.weights)
    check_architecture(architecture, where)
    sizes = sizes_in(architecture, weights)
    model = made(architecture, about, sizes, where)
    load_weights(model, str(weights))
    data = timm.data.resolve_model_data_config(model)
    channels, height, width = data["input_size"]
    channels = sizes.get("in_chans", channels)
    predict, pull, device = placed(model, where, threads)
    of_config = about.get("pretrained_cfg") or {}
    labels = labels_of(about.get("label_names") or of_config.get("label_names"))
    return Model(
        predict,
        where,
        digest_of_files([*([folder / "config.json"] if about else []), weights]),
        "NCHW",
        (channels, height, width),
        labels=labels,
        notes=(f"classifier: {architecture} of timm, on {device}",),
        scale=1 / 255,
        mean=for_channels(data["mean"], channels),
        std=for_channels(data["std"], channels),
        layer=partial(layer_of, model, predict),
        pull=pull,
    )


def weights_in(folder: Path, text: str | None, where: str) -> Path:
    """The file of the weights: that of the settings, or the only one in the folder. Raises UserError for several parts."""
    if text:
        return user_path(text)
    files = weight_files(folder, where)
    if len(files) > 1:
        raise UserError(f"{where}: expected one file of weights, got {len(files)} parts; join them in model.safetensors")
    return files[0]


def check_architecture(architecture: str, where: str) -> None:
    """Raises UserError for a name that timm does not know."""
    known = timm.list_models()
    if architecture.partition(".")[0] not in known:
        near = nearest(architecture, known)
        raise UserError(f"{where}: {EXPECTED}, got {architecture!r}{f'; did you mean {near[0]}?' if near else ''}")


def for_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """A mean or std as it is for so many channels, else the average, as timm has it for grey images."""
    return tuple(map(float, values)) if len(values) in (1, channels) else (sum(values) / len(values),)


def made(architecture: str, about: Mapping[str, Any], sizes: Mapping[str, int], where: str) -> Any:
    """The architecture, with as many classes and channels as the weights have. Raises UserError."""
    known_sizes = {"num_classes": about["num_classes"]} if isinstance(about.get("num_classes"), int) else {}
    own = dict(about.get("model_args") or {})
    refused = sorted(OF_CREATION & own.keys())
    if refused:
        raise UserError(f"{where}: config.json: model_args: expected arguments of the architecture alone, got {refused[0]}")
    arguments = {**known_sizes, **sizes, **own}
    config = dict(about.get("pretrained_cfg") or {})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return timm.create_model(architecture, pretrained=False, pretrained_cfg=config or None, **arguments)
    except Exception as error:
        raise UserError(f"{where}: timm {timm.__version__} cannot make {architecture} ({described(error)})") from error


def sizes_in(architecture: str, weights: Path) -> dict[str, int]:
    """How many classes and channels a file of weights is for, by the tensors of the last and the first layer."""
    where = f"classifier.weights={weights}"
    if not is_file(weights):
        raise UserError(f"{where}: no such file; expected the architecture's weights, .safetensors")
    check_safetensors(weights)
    config = timm.models.get_pretrained_cfg(architecture)
    found = {}
    try:
        with safe_open(weights, framework="numpy") as file:
            for argument, layer, place in (("num_classes", config.classifier, 0), ("in_chans", config.first_conv, 1)):
                name = f"{layer[0] if isinstance(layer, list | tuple) else layer}.weight"
                if name in file.keys():  # noqa: SIM118
                    found[argument] = file.get_slice(name).get_shape()[place]
    except (SafetensorError, OSError, ValueError) as error:
        reason = f"it cannot be read ({described(error)}){conversion(weights)}"
        raise UserError(f"{where}: expected a .safetensors file, {reason}") from error
    return found
