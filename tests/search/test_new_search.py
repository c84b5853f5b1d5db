"""A search is added at four places: its file, its settings class, its configuration, its row of SEARCHES."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import ROOT

WALK = '''
"""search=walk: each run redraws a few pixels and goes there if the cost does not rise."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fooling.search import Schedule
from fooling.search.state import State


@dataclass(frozen=True)
class WalkParams:
    """How many pixels a step redraws."""

    shape: tuple[int, int, int]
    pixels: int
    seed: int


class RandomWalk:
    """One image for each run."""

    notes = ("a toy",)
    files = ("walk.txt",)

    def __init__(self, objective: Any, params: WalkParams) -> None:
        self.objective, self.params = objective, params

    @classmethod
    def from_settings(cls, settings: Any, objective: Any, statistics: Any = None, start_image: Any = None) -> Self:
        return cls(objective, WalkParams(objective.classifier.input_shape, settings.search.pixels, settings.seed))

    @staticmethod
    def schedule(settings: Any) -> Schedule:
        return Schedule(1, 1, settings.search.generations, minimum_budget=2)

    @staticmethod
    def measure(images: Any, classes: Any, classifier: Any, evaluations: Any) -> dict[str, Any]:
        return {"brightness": images.mean(axis=(1, 2, 3))}

    def save_extras(self, record: Any, classifier: Any) -> None:
        (record.folder / "walk.txt").write_text("walked")

    def init(self, runs: Any) -> State:
        images = np.stack([self.random(run, 0).integers(0, 256, self.params.shape, dtype=np.uint8) for run in runs])
        return self.state(0, runs, images)

    def step(self, state: State) -> State:
        images = state.images[:, 0].copy()
        for image, run in zip(images, state.runs, strict=True):
            random = self.random(run, state.generation + 1)
            places = random.integers(0, image.size, self.params.pixels)
            image.reshape(-1)[places] = random.integers(0, 256, self.params.pixels)
        new = self.state(state.generation + 1, state.runs, images)
        rises = (new.costs > state.costs)[:, 0]
        for name in ("images", "costs", "scores"):
            getattr(new, name)[rises] = getattr(state, name)[rises]
        return new

    def state(self, generation: int, runs: Any, images: Any) -> State:
        costs, scores = self.objective.cost(images, self.objective.which(runs))
        return State(generation, runs, images[:, None], costs[:, None], scores[:, None], np.ones(len(runs), np.int64))

    def random(self, run: int, generation: int) -> np.random.Generator:
        return np.random.default_rng([self.params.seed, int(run), generation])
'''
SETTINGS = '''class WalkSettings(SearchSettings):
    """Random walk that never climbs the cost."""

    name: Literal["walk"] = Field(description=NAME)
    pixels: Int = Field(ge=1, le=1000, description="pixels that a step redraws")


AnySearchSettings = '''
CONFIG = """# random walk: redraws a few pixels and keeps what is no worse
prior: none
classifier: digits_perceptron
engine: reference
search:
  generations: 300
  pixels: 2
"""
ROW = 'SEARCHES = {\n    "walk": {"reference": "fooling.search.walk:RandomWalk"},'


def replace_once(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its configurations with the four additions."""
    root = tmp_path_factory.mktemp("package")
    for folder in ("fooling", "configs"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "fooling" / "search" / "walk.py").write_text(WALK, encoding="utf-8")
    (root / "configs" / "search" / "walk.yaml").write_text(CONFIG, encoding="utf-8")
    replace_once(root / "fooling" / "search" / "__init__.py", "SEARCHES = {", ROW)
    settings = root / "fooling" / "settings" / "searches.py"
    replace_once(settings, "AnySearchSettings = ", SETTINGS)
    replace_once(settings, "    GaSettings\n", "    WalkSettings\n    | GaSettings\n")
    return root


def run(package: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "fooling.run", "digit=2", "search=walk", "runs=3", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_new_search_takes_four_places(package: Path, tmp_path: Path) -> None:
    found = run(package, tmp_path, "out=r", "budget=120", "stop=end")
    assert found.returncode == 0, found.stderr
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert (record["status"], record["search"], record["generations"]) == ("done", "walk", 119)
    assert [image["evaluations"] for image in record["images"]] == [120] * 3
    assert all("brightness" in image for image in record["images"])
    assert "a toy" in record["notes"]
    assert (tmp_path / "r" / "walk.txt").read_text() == "walked"
    costs = [json.loads(line)["best_cost"] for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert costs[-1] < costs[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["engine=numba"], "engine=numba has no search=walk: .*engine=reference"),
        (["pixels=0"], "pixels.*0"),
        (["population=20"], "population"),
    ],
    ids=str,
)
def test_its_settings_and_engines_are_checked(package: Path, tmp_path: Path, words: list[str], message: str) -> None:
    found = run(package, tmp_path, *words)
    assert found.returncode == 2
    assert re.search(message, found.stderr), found.stderr
