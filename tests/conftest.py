"""Fixtures that tests of several folders use."""

import os
from pathlib import Path

# Before NumPy is imported: workers that share the cores wait for each other's BLAS threads, up to 20 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from builders import SHAPES

from fooling.classifiers.pca import fit_pca, make_pca
from fooling.data import load_data


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def shape(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    return request.param


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def pca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick classifier of scikit-learn's digits, saved: eigen-images of each class."""
    data, path = load_data(None, "sklearn"), tmp_path_factory.mktemp("pca") / "pca.safetensors"
    make_pca(fit_pca(data, 8), data, "residual", 8).save(path)
    return path
