"""The folder `configs/`: the choices of each group, and what their files set."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from fooling.errors import ClosedFileError, UserError
from fooling.settings.files import Tree, format_value, merge, nearest, read_yaml

GROUPS = ("search", "engine", "classifier", "prior", "launcher")  # folders of configs/ whose files choose a part of the job
CLOSED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")  # files that may run code
KIND_OF_FILE = {  # classifier= by the end of a file's name
    ".onnx": "onnx",
    ".skops": "sklearn",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".tflite": "tflite",
    ".pt2": "torch",
    ".safetensors": "mlp",  # reads every file of `fooling train`
}
READ = ", ".join(KIND_OF_FILE)  # in messages
PRESET = "preset"  # a folder whose files set any part of it


@cache
def configs_folder() -> Path:
    """Where configs/ is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "run.yaml").is_file():
            return folder
    raise UserError(f"{package / 'configs'}: expected the files of defaults, got none; install fooling again")


def choices(group: str) -> list[str]:
    """The names of a group's files."""
    return sorted(path.stem for path in (configs_folder() / group).glob("*.yaml"))


def summary(group: str, name: str) -> str:
    """What a choice is: the first comment of its file."""
    first = (configs_folder() / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    return first.lstrip("# ")


@cache
def defaults(name: str) -> Tree:
    """What configs/{name}.yaml sets, over the file that it `extends`, or `only` over some of that file's keys.

    Each file is read once; nobody changes the tree.
    """
    tree = read_yaml(configs_folder() / f"{name}.yaml")
    extended, only = tree.pop("extends", None), tree.pop("only", None)
    below = defaults(extended) if extended else {}
    return merge({key: value for key, value in below.items() if only is None or key in only}, tree)


def command_choice(root: str, name: Any) -> Tree:
    """What a command adds to a choice: configs/train/mnist_cnn.yaml; {} if there is no file."""
    return defaults(f"{root}/{name}") if (configs_folder() / root / f"{name}.yaml").is_file() else {}


def kind_of_file(text: str) -> str | None:
    """The classifier= that reads a file or URL, by its name; None where that says nothing."""
    if text.lower().startswith(("http://", "https://")):
        return "http"
    if re.search(r"\.py:\w+$", text):
        return "python"
    return KIND_OF_FILE.get(Path(text).suffix.lower())


def check_choice(group: str, name: Any) -> None:
    """Raises UserError for a choice that has no file, with the nearest that has."""
    known = choices(group)
    if str(name).startswith("object "):  # as a record of `fooling.evolve` names it
        raise UserError(f"{group}: {format_value(name)} is a Python object, which no file holds; give it in a Python program")
    if name not in known:
        near = nearest(str(name), known)
        hint = f"; did you mean {near[0]}?" if near else ""
        if group == "classifier" and Path(str(name)).suffix.lower() in CLOSED:
            expected = f"expected a name, or a file that runs no code ({READ})"
            raise ClosedFileError(f"classifier: {expected}, got {format_value(name)}", str(name))
        if group == "classifier" and (kind := kind_of_file(str(name))):
            hint = f"; for a file or URL give its kind too: classifier={kind} classifier.path={format_value(name)}"
        raise UserError(f"{group}: expected one of {', '.join(known)}, got {format_value(name)}{hint}")
