"""classifier=huggingface: an image classifier of transformers, from a folder or a hub. No code of a model is ever run.

Weights are read from safetensors alone. How pictures become inputs is read from the processor's file, not from its code.
"""

import logging
import os
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch
import transformers
from huggingface_hub import snapshot_download

from fooling.classifiers.adapters.files import advice, digest_of_files, is_file, json_of, labels_of, weight_files
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.torch import layer_of, placed
from fooling.errors import Doubt, UserError, printable
from fooling.settings.classifiers import HuggingfaceSettings
from fooling.settings.fields import described, user_path

EXPECTED = "expected a folder with config.json and model.safetensors, or owner/name of a model on the hub"
FILES = ("*.json", "*.safetensors")  # that are fetched from a hub
ENDS = (".safetensors", ".bin", ".json")  # of files, whose folder is meant
PROCESSORS = ("preprocessor_config.json", "processor_config.json")


class Logits(torch.nn.Module):
    """A model of transformers as a function of images [N, C, H, W] alone, which returns its logits [N, K].

    `flips`: the model was trained on channels in the other order (do_flip_channel_order).
    """

    def __init__(self, inner: Any, flips: bool = False) -> None:
        super().__init__()
        self.inner, self.flips = inner, flips

    def forward(self, images: Any) -> Any:
        """The logits of a batch."""
        return self.inner(pixel_values=images.flip(1) if self.flips else images).logits


def open_huggingface(settings: HuggingfaceSettings, threads: int) -> Model:
    """The model in a folder or on a hub, with the preprocessing that its processor declares. Raises UserError."""
    folder, where = folder_of(settings)
    about = json_of(folder / "config.json")
    if "model_type" not in about:
        raise UserError(f"{where}: {EXPECTED}, got no config.json with a model_type{advice(folder, 'huggingface')}")
    files = weight_files(folder, where)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inner, report = transformers.AutoModelForImageClassification.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
            )
    except Exception as error:
        reason = f"transformers {transformers.__version__} cannot read it as an image classifier ({described(error)})"
        own = "; its own code (auto_map) is never run" if "auto_map" in about else ""
        raise UserError(f"{where}: {reason}{own}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        few = ", ".join(map(str, missing[:3]))
        raise UserError(
            f"{where}: its weights lack {few}; expected a trained image classifier, not the network below one alone"
        )
    processor = processor_of(folder)
    scale, mean, std, notes = preprocessing(processor)
    predict, pull, device = placed(Logits(inner, bool(processor.get("do_flip_channel_order"))), where, threads)
    dims = sides(processor, about, inner.config)
    source = [folder / "config.json", *files, *(folder / name for name in PROCESSORS if is_file(folder / name))]
    notes = (f"classifier: {type(inner).__name__} of transformers, on {device}", *notes)
    labels = labels_of(about.get("id2label"))
    return Model(
        predict,
        where,
        digest_of_files(source),
        "NCHW",
        dims,
        labels=labels,
        notes=notes,
        scale=scale,
        mean=mean,
        std=std,
        layer=partial(layer_of, inner, predict),
        pull=pull,
    )


def folder_of(settings: HuggingfaceSettings) -> tuple[Path, str]:
    """The folder with the model, fetched from the hub if it is none here, and how messages begin. Raises UserError."""
    name = settings.path or ""
    folder, where = user_path(name), f"classifier.path={name}"
    if folder.is_dir():
        return folder, where
    if is_file(folder):
        raise UserError(f"{where}: {EXPECTED}, got a file{advice(folder, 'huggingface')}")
    if name.count("/") != 1 or not all(name.split("/")) or name[0] in ".~" or folder.suffix in ENDS:
        raise UserError(f"{where}: no such folder; {EXPECTED}")
    hub = os.environ.get("HF_ENDPOINT") or "the hub"
    logging.getLogger("fooling").warning("contacts %s for %s", printable(hub), printable(name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = snapshot_download(
                name, revision=settings.revision, allow_patterns=list(FILES), endpoint=os.environ.get("HF_ENDPOINT")
            )
    except Exception as error:
        ways = "no such folder, and the hub does not deliver it"
        raise UserError(f"{where}: {EXPECTED}; {ways} ({described(error)})") from error
    return Path(found), where


# --- preprocessing ------------------------------------------------------------------------------------------------------
def processor_of(folder: Path) -> Mapping[str, Any]:
    """The settings of the processor of images in a folder; {} if there are none."""
    for name in PROCESSORS:
        found = json_of(folder / name)
        found = found.get("image_processor", found)
        if isinstance(found, dict) and found:
            return found
    return {}


def preprocessing(processor: Mapping[str, Any]) -> tuple[float, tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Scale, mean and std of a processor's settings, and notes for the user."""
    if not processor:
        doubt = "no preprocessor_config.json: grey levels become 0…1; give classifier.mean and std if the model needs others"
        return 1 / 255, (0.0,), (1.0,), (Doubt(f"classifier: {doubt}"),)
    scale = float(processor.get("rescale_factor") or 1 / 255) if processor.get("do_rescale", True) else 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    notes: list[str] = []
    if processor.get("do_normalize", "image_mean" in processor):
        mean, std = numbers(processor.get("image_mean")), numbers(processor.get("image_std"))
        if not mean or not std or min(std) <= 0:
            notes.append(Doubt("classifier: its processor normalises by a mean and std that its file does not give"))
            mean, std = mean or (0.0,), std if std and min(std) > 0 else (1.0,)
    if processor.get("do_rescale", True) and processor.get("rescale_offset"):  # EfficientNet: grey levels become −1…1
        mean = tuple(one + 1 for one in mean)
    if processor.get("include_top"):  # EfficientNet divides by the std once more
        again = numbers(processor.get("image_std"))
        if again and min(again) > 0:
            std = tuple(one * two for one, two in zip(std if len(std) > 1 else std * len(again), again, strict=False))
        else:
            notes.append(Doubt("classifier: its processor divides by a std that its file does not give (include_top)"))
    size, cropped = processor.get("size"), processor.get("do_center_crop")
    if isinstance(size, dict) and "height" in size and not cropped:
        notes.append("classifier: its processor stretches pictures to its size, as classifier.resize=stretch does")
    return scale, mean, std, tuple(notes)


def numbers(values: Any) -> tuple[float, ...]:
    """A list of numbers, or one, as a tuple; () for anything else."""
    listed = values if isinstance(values, list) else [values]
    good = all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed)
    return tuple(map(float, listed)) if good else ()


def sides(processor: Mapping[str, Any], about: Mapping[str, Any], config: Any) -> tuple[int | None, ...]:
    """Channels, height and width of the inputs: of the crop, else the size, else the network; None where they are open."""
    channels = about.get("num_channels", getattr(config, "num_channels", 3))
    is_last = not str(processor.get("image_processor_type")).startswith("Perceiver")  # that one crops before it resizes
    crop = processor.get("crop_size") if processor.get("do_center_crop") and is_last else None
    for size in (crop, processor.get("size"), about.get("image_size", getattr(config, "image_size", None))):
        if isinstance(size, int):
            return channels, size, size
        if isinstance(size, list) and len(size) == 2:
            return channels, int(size[0]), int(size[1])
        if isinstance(size, dict) and isinstance(size.get("height"), int) and isinstance(size.get("width"), int):
            return channels, size["height"], size["width"]
        if isinstance(size, dict) and isinstance(size.get("shortest_edge"), int):
            return channels, size["shortest_edge"], size["shortest_edge"]
    return channels, None, None
