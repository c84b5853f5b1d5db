"""How `fooling export` writes a data set for other programs: one function for each layout, one row in the table.

OpenOOD (Zhang et al. 2023, arXiv 2306.09301) reads lists of `PATH LABEL` lines, with label −1 for images of no class;
pytorch-ood (Kirchheim et al. 2022) takes labels below 0 for them.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import yaml

from fooling.errors import UserError, printable
from fooling.kernels.tables import Bytes
from fooling.records.collection import SavedJob

IMAGES, MANIFEST = "images", "manifest.json"
LIST, OPENOOD, CLASS, ARRAYS, TABLE = "imglist.txt", "dataset.yml", "dataset.py", "images.npz", "train.parquet"
NAME = "fooling"  # of the data set in OpenOOD
OOD = -1
About = Mapping[str, Any]


@dataclass(frozen=True)
class Exported:
    """An image of a data set."""

    file: str  # its name in the data set
    png: bytes
    pixels: Bytes  # [H, W, C]
    job: SavedJob
    entry: dict[str, Any]  # of run.json
    succeeded: bool

    @property
    def digit(self) -> int:
        """The target class."""
        return int(self.entry["digit"])

    @property
    def class_name(self) -> str:
        """The name of the target class."""
        return printable(self.entry.get("label") or self.digit)

    @property
    def row(self) -> dict[str, Any]:
        """What the manifest says of it."""
        folder = self.job.folder.resolve()
        parent = f"{folder.parent.name}/" if "/" in self.job.name and "=" in folder.name else ""
        return {
            "file": self.file,
            "target": self.digit,
            "target_name": self.class_name,
            "classifier": self.job.fingerprint,
            "prior": self.job.prior,
            "genome": self.job.genome,
            "search": self.job.search,
            "seed": int(self.job.run["seed"]),
            "confidence": float(self.entry["confidence"]),
            "evaluations": int(self.entry["evaluations"]),
            "succeeded": self.succeeded,
            "record": printable(f"{parent}{folder.name}"),
            "source": self.entry["file"],
        }


Images = Sequence[Exported]


def pictures(images: Images) -> dict[str, bytes]:
    """The PNGs, as they were scored."""
    return {image.file: image.png for image in images}


def folder(images: Images, _about: About) -> dict[str, bytes]:
    """images/CLASS/00000.png, which torchvision's ImageFolder and Keras' image_dataset_from_directory read."""
    return pictures(images)


def openood(images: Images, about: About) -> dict[str, bytes]:
    """The same with imglist.txt, a line `PATH -1` each, and dataset.yml, a data set of OpenOOD whose far-OOD part it is."""
    lines = "".join(f"{image.file} {OOD}\n" for image in images)
    of = {"data_dir": "./", "imglist_pth": f"./{LIST}"}
    settings = {
        "ood_dataset": {
            "name": f"{NAME}_ood",
            "num_classes": about["num_classes"],
            "num_workers": "@{num_workers}",
            "num_gpus": "@{num_gpus}",
            "num_machines": "@{num_machines}",
            "dataset_class": "ImglistDataset",
            "batch_size": 128,
            "shuffle": False,
            "split_names": ["farood"],
            "farood": {"datasets": [NAME], NAME: of},
        }
    }
    head = "# Paths are relative to this folder: start OpenOOD here, or write where it is.\n"
    return {**pictures(images), LIST: lines.encode(), OPENOOD: (head + yaml.safe_dump(settings, sort_keys=False)).encode()}


MODULE = '''"""Images that a classifier is confident about, as a data set for pytorch-ood: every label is -1.

from dataset import FoolingImages
loader = torch.utils.data.DataLoader(FoolingImages(transform=ToTensor()), batch_size=64)

It needs Pillow alone. With torchvision the same is
ImageFolder("images", transform=ToTensor(), target_transform=pytorch_ood.utils.ToUnknown()).
"""

import json
from pathlib import Path

from PIL import Image


class FoolingImages:
    """Pairs (image, -1); `images` holds what manifest.json says of each image, in the same order."""

    def __init__(self, root=Path(__file__).parent, transform=None, target_transform=None):
        self.root, self.transform, self.target_transform = Path(root), transform, target_transform
        self.images = json.loads((self.root / "manifest.json").read_text(encoding="utf-8"))["images"]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        with Image.open(self.root / self.images[index]["file"]) as picture:
            image = picture.copy()
        label = -1 if self.target_transform is None else self.target_transform(-1)
        return (image if self.transform is None else self.transform(image)), label
'''


def pytorch_ood(images: Images, _about: About) -> dict[str, bytes]:
    """The same with dataset.py, a map-style data set whose labels are −1."""
    return {**pictures(images), CLASS: MODULE.encode()}


def npz(images: Images, _about: About) -> dict[str, bytes]:
    """images.npz: images uint8 [N, H, W, C], labels int64 [N], all −1, and a column of the manifest each, without pickle."""
    rows = [image.row for image in images]
    columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in columns_of(rows)}
    columns["seed"] = columns["seed"].astype(np.uint64)
    buffer = io.BytesIO()
    stacked = np.stack([image.pixels for image in images])
    np.savez_compressed(buffer, images=stacked, labels=np.full(len(images), OOD, np.int64), **columns)
    return {ARRAYS: buffer.getvalue()}


def columns_of(rows: Sequence[About]) -> list[str]:
    """The columns of the manifest, besides `file`, which names PNGs."""
    return [name for name in rows[0] if name != "file"]


TYPES = {int: "int64", float: "float64", bool: "bool", str: "string"}


def parquet(images: Images, _about: About) -> dict[str, bytes]:
    """train.parquet: image {bytes, path}, label −1, a column of the manifest each, features of `datasets` in its schema."""
    arrow, tables = import_module("pyarrow"), import_module("pyarrow.parquet")
    rows = [image.row for image in images]
    columns: dict[str, Any] = {
        "image": [{"bytes": image.png, "path": image.file} for image in images],
        "label": [OOD] * len(images),
        **{name: [row[name] for row in rows] for name in columns_of(rows)},
    }
    kinds = {
        "label": "int64",
        **{name: "uint64" if name == "seed" else TYPES[type(rows[0][name])] for name in columns_of(rows)},
    }
    of = {"string": arrow.string(), "bool": arrow.bool_(), "int64": arrow.int64(), "float64": arrow.float64()}
    of["uint64"] = arrow.uint64()
    fields = [arrow.field("image", arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))]
    fields += [arrow.field(name, of[kind]) for name, kind in kinds.items()]
    features = {"image": {"_type": "Image"}, **{name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    buffer = io.BytesIO()
    tables.write_table(arrow.table(columns, schema=arrow.schema(fields, metadata=about)), buffer)
    return {TABLE: buffer.getvalue()}


def needs_nothing() -> None:
    """NumPy and Pillow are there."""


def needs_pyarrow() -> None:
    """Raises UserError where pyarrow is missing."""
    if find_spec("pyarrow") is None:
        raise UserError("layout=parquet needs pyarrow: pip install '.[parquet]' in a clone of fooling; or layout=npz")


class Layout(NamedTuple):
    """A row of the table."""

    write: Callable[[Images, About], dict[str, bytes]]
    named: str  # in the last line
    check: Callable[[], None] = needs_nothing


LAYOUTS = {
    "folder": Layout(folder, f"{IMAGES}/CLASS/"),
    "openood": Layout(openood, f"{IMAGES}/, {LIST}, {OPENOOD}"),
    "pytorch-ood": Layout(pytorch_ood, f"{IMAGES}/, {CLASS}"),
    "npz": Layout(npz, ARRAYS),
    "parquet": Layout(parquet, TABLE, needs_pyarrow),
}
