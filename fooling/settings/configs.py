"""The files of `configs/`: the defaults of each command, and what each choice of a group sets."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from fooling.errors import UserError
from fooling.settings.files import format_value, read_yaml
from fooling.settings.tree import Tree, merge

GROUPS = ("search", "engine", "classifier", "prior")  # folders of configs/ whose files choose a part of the job
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


def check_choice(group: str, name: Any) -> None:
    """Raises UserError for a choice that has no file, with the nearest that has."""
    known = choices(group)
    if name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{group}: expected one of {', '.join(known)}, got {format_value(name)}{hint}")
