"""Penalties of images of 224×224×3: equal to the definition, and every prior's search in bounded memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import ROOT, random_eigen, random_images, random_wanted

from fooling.kernels import numba, reference
from fooling.kernels.reference.penalties import region_count, regional_parts
from fooling.kernels.tables import bin_of_level

SHAPE = (224, 224, 3)
LIMIT = 2 << 30  # bytes
SCORER = """import numpy as np
def make():
    def scores(images):
        means = images.mean(axis=(1, 2))
        return means / means.sum(axis=1, keepdims=True)
    return scores
"""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("histogram", (bin_of_level(10), random_wanted(3, 10, scale=0.2))),
        ("variogram", (random_wanted(3, 28, scale=0.3), False)),
        ("regional", (4, random_wanted(3, 9 * region_count(SHAPE, 4), scale=0.3))),
        ("eigen", random_eigen(SHAPE, 5, 0.0)),
    ],
)
def test_terms_equal_the_definition(name: str, arguments: tuple) -> None:
    images, which = random_images(SHAPE, 1), np.zeros(5, dtype=np.int64)
    expected = reference.PENALTIES[name](images, which, *arguments)
    assert np.array_equal(numba.PENALTIES[name](images, which, *arguments), expected)


@pytest.mark.parametrize("shape", [SHAPE, (225, 40, 3), (2, 300, 1), (1030, 2, 1)])
@pytest.mark.parametrize(("grid", "reach"), [(4, 4), (1, 0), (7, 9)])
def test_sums_of_regions_equal_the_definition(shape: tuple[int, int, int], grid: int, reach: int) -> None:
    images = random_images(shape, 1)[-3:]
    assert np.array_equal(numba.regional_parts(images, grid, reach), regional_parts(images, grid, reach))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("prior", "search"), [("eigen", "es"), ("regional", "ga")])  # what takes most
def test_a_search_with_a_prior_takes_little_memory(home: Path, prior: str, search: str) -> None:
    (home / "scorer.py").write_text(SCORER)
    images = np.random.default_rng(0).integers(0, 256, (180, *SHAPE), dtype=np.uint8)
    np.savez(home / "set.npz", images=images, labels=np.arange(len(images)) % 3)
    model = ["classifier=python", "classifier.path=scorer.py:make", "classifier.shape=224,224,3"]
    words = [*model, "data.path=set.npz", f"prior={prior}", f"search={search}", "population=1000", "generations=1", "runs=1"]
    script = "import sys, resource\nfrom fooling.commands import dispatch\ncode = dispatch(sys.argv[1:])\n"
    script += "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    command = [sys.executable, "-c", script, "run", *words, "digit=1", "out=r", "quiet=true"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    code, size = map(int, done.stdout.split()[-2:])
    assert (code, json.loads((home / "r" / "run.json").read_text())["status"]) == (0, "done")
    assert size * (1 if sys.platform == "darwin" else 1024) < LIMIT
