"""Every block of commands and of code in README.md and docs/ runs as it is printed, with small numbers in place of large ones.

A block runs in an empty folder. After `<!-- continue -->` it goes on in the folder of the block before. A block of Python that
begins with `# NAME.py` is also saved under this name.
"""

import json
import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from builders import ROOT, random_images
from frameworks import keras_model, means_module, write_openvino, write_tflite, write_transformers
from models import write_onnx, write_sklearn, write_torch
from pairwise import rare
from PIL import Image, ImageDraw
from servers import Server
from sklearn.linear_model import LogisticRegression

import fooling
from fooling.classifiers.adapters import ADAPTERS
from fooling.commands import dispatch
from fooling.data import idx
from fooling.errors import guarded
from fooling.settings.overrides import collect
from fooling.settings.schema import RunSettings

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SMALL = {
    "runs": "2",
    "generations": "3",
    "population": "10",
    "proposals": "10",
    "digit": "3,4",
    "rungs": "[none,eigen]",
    "epochs": "2",
    "images": "200",
    "offsets": "0,3",
    "scales": "1",
    "threshold": "0.001",
    "repeats": "2",
    "pictured": "2",
    "steps": "2",
    "components": "2",
    "priors": "[none,variogram]",
    "again": "2",
    "dosage": "1,10",
    "rounds": "1",
    "noise": "20",
    "copies": "1",
    "attacks": "histogram",
    "evolve_runs": "1",
    "evolve_budget": "200",
    "budget": "5000",
}
ADDED = {  # settings of a command that are made small where a page does not give them
    "run": ("runs", "generations", "population", "proposals"),
    "ladder": ("runs", "generations", "population", "proposals", "digit", "rungs"),
    "gallery": ("runs", "generations", "digit"),
    "matrix": ("runs", "generations", "proposals", "digit"),
    "train": ("epochs",),
    "border": ("images", "offsets", "scales", "threshold"),
    "scramble": ("images",),
    "damage": ("runs", "generations", "repeats", "pictured", "images", "digit", "dosage"),
    "eigen": ("steps", "components"),
    "mean": ("runs", "generations", "priors", "digit"),
    "harden": (
        *("runs", "images", "digit", "epochs", "steps", "rounds", "noise", "budget", "copies", "attacks"),
        *("evolve_runs", "evolve_budget"),
    ),
    "transfer": ("runs", "digit", "budget"),
}
REPLACED = ("generations", "again")  # these also where a page gives them
ELSEWHERE = ("pip install", "python -m pytest")  # .ci/run runs these


class Block(NamedTuple):
    """A block of a page."""

    language: str
    text: str


class Case(NamedTuple):
    """Blocks that run one after the other in one folder."""

    page: str
    line: int
    blocks: list[Block]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


RARE = ("docs/guides", "docs/classifiers", "docs/cluster")  # pages whose blocks run with every combination


def cases() -> list[Case]:
    found: list[Case] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        begun = len(found)
        for match in re.finditer(r"(<!-- continue -->\n)?```(bash|python)\n(.*?)```", text, re.DOTALL):
            block = Block(match[2], match[3])
            if match[1]:
                assert len(found) > begun, f"{page.name}: nothing to continue"
                found[-1].blocks.append(block)
            else:
                found.append(Case(str(page.relative_to(ROOT)), text.count("\n", 0, match.start(2)), [block]))
    return [case for case in found if any(block.language == "python" or calls(block.text) for block in case.blocks)]


def calls(text: str) -> list[str]:
    """The commands of a block, without their comments and those that run elsewhere."""
    lines = [re.sub(r"\s+#.*", "", line) for line in text.splitlines()]
    parts = [part for line in lines for part in line.split(" && ") if part]
    return [part for part in parts if not part.startswith(ELSEWHERE)]


def smaller(words: list[str]) -> list[str]:
    """The words of a command with small numbers."""
    words = [word.replace("data.path=mnist", "data.path=mnist.npz") for word in words]
    names = [word.partition("=")[0] for word in words]
    replaced = [f"{name}={SMALL[name]}" if name in REPLACED else word for name, word in zip(names, words, strict=True)]
    added = [name for name in ADDED.get(words[0], ()) if name not in names and has(words, name)]
    return [*replaced, *(f"{name}={SMALL[name]}" for name in added)]


def has(words: list[str], name: str) -> bool:
    """Whether the search that a command chooses has a setting; other settings every search has, or the ladder distributes."""
    if words[0] not in ("run", "matrix") or name not in ("population", "proposals", "runs") or "--help" in words:
        return True
    search = collect(words[1:], RunSettings, words[0])["search"]
    return search["name"] != "map_elites" and (name == "runs" or name in search)


def small_evolve(*overrides: str, **settings: Any) -> Any:
    """`fooling.evolve` with few runs and generations."""
    return EVOLVE(*overrides, **{**settings, "runs": min(settings.get("runs", 2), 2), "generations": 3})


EVOLVE = fooling.evolve


def draw_two(path: Path) -> None:
    picture = Image.new("L", (80, 100), 255)
    ImageDraw.Draw(picture).line([(20, 30), (40, 10), (60, 30), (20, 90), (60, 90)], fill=0, width=8)
    picture.save(path)


def write_mnist(path: Path) -> None:
    images = random_images((28, 28, 1), 1200)
    np.savez(path, images=images, labels=np.arange(len(images)) % 10)


def write_settings(path: Path) -> None:
    """A network with class names, and the file of settings that names both."""
    write_onnx(path.parent / "model.onnx")
    (path.parent / "names.json").write_text(json.dumps(["espresso", *"abcdefghi"]))
    path.write_text("classifier: {name: onnx, path: model.onnx, labels: [names.json]}\n")


def write_torch_export(path: Path) -> None:
    import torch

    torch.export.save(torch.export.export(means_module(), (torch.rand(4, 3, 4, 5),)), path)


def write_timm(path: Path) -> None:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), path)


def importing(name: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(f"from models import {name} as make\n")


# What a page expects the reader to have: a word of its commands, the file, and how it comes about here.
FILES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "model.onnx": ("model.onnx", write_onnx),
    "model.skops": ("model.skops", lambda path: write_sklearn(path, LogisticRegression(max_iter=200))),
    "net.safetensors": ("net.safetensors", write_torch),
    "my_net:": ("my_net.py", importing("make_module")),
    "my_scores:": ("my_scores.py", importing("make_scorer")),
    "data.path=mnist": ("mnist.npz", write_mnist),
    **{name: (name, draw_two) for name in ("two.png", "four.png", "centred.png", "corner.png", "border.png", "thin.png")},
    "photo.jpg": ("photo.jpg", draw_two),
    "net.keras": ("net.keras", lambda path: keras_model().save(path)),
    "net.tflite": ("net.tflite", write_tflite),
    "path=vit": ("vit", write_transformers),
    "resnet.safetensors": ("resnet.safetensors", write_timm),
    "net.xml": ("net.xml", write_openvino),
    "net.pt2": ("net.pt2", write_torch_export),
    "efficientnet.yaml": ("efficientnet.yaml", write_settings),
}


NEEDED = {  # packages without which a file cannot be made; the commands that name it are left out then
    "net.safetensors": "torch",
    "net.pt2": "torch",
    "net.keras": "keras",
    "net.tflite": "ai_edge_litert",
    "vit": "transformers",
    "resnet.safetensors": "timm",
    "net.xml": "openvino",
}


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server of a model."""
    one = Server()
    yield one.url
    one.stop()


@pytest.mark.parametrize("case", [rare(case) if case.page.startswith(RARE) else case for case in cases()], ids=str)
def test_block(
    case: Case, home: Path, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(idx, "MNIST_FILES", {})  # there is no network here; tests/data/test_download.py has a server
    monkeypatch.setattr(fooling, "evolve", small_evolve, raising=False)
    for word, (name, write) in FILES.items():
        if any(word in block.text for block in case.blocks) and find_spec(NEEDED.get(name, "numpy")):
            write(home / name)
    for block in case.blocks:
        if block.language == "python":
            run_python(block.text, home)
        else:
            for call in calls(block.text):
                run_command(call.replace("http://localhost:8000/predict", server), capsys)


def run_python(text: str, home: Path) -> None:
    if "import torch" in text and not find_spec("torch"):
        pytest.skip("torch is not installed: pip install torch==2.13.0")
    saved = re.match(r"# (\w+\.py)\n", text)
    path = home / (saved[1] if saved else "block.py")
    path.write_text(text, encoding="utf-8")
    runpy.run_path(str(path))


def run_command(call: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(call.replace("python -m fooling.run", "fooling run"))
    if program == "python":
        runpy.run_path(*words)
        return
    assert program == "fooling", f"{call}: not a command of this project"
    kind = next((word.removeprefix("classifier=") for word in words if word.startswith("classifier=")), "")
    package = ADAPTERS[kind].package if kind in ADAPTERS else None
    if package is None or find_spec(package):
        assert guarded(dispatch, smaller(words)) == 0, f"{call}: {capsys.readouterr().err}"


def test_the_marked_commands_are_there() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    marked = dict(re.findall(r"<!-- (main|test) -->\n```bash\n(.*?)\n```", text, re.DOTALL))
    assert marked == {
        "main": "pip install . && python -m fooling.run digit=2",
        "test": "pip install -e '.[test]' && python -m pytest -n auto --dist worksteal",
    }


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 150


def anchors(page: Path) -> set[str]:
    """The names under which GitHub links to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = [title.strip().lower() for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(path), f"{page.name}: {target}#{anchor}"


def test_every_picture_says_how_it_was_made() -> None:
    folder = ROOT / "docs" / "images"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted(folder.iterdir()) if f"`{path.name}`" not in listed and path.suffix != ".md"] == []
