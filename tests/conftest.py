"""Fixtures that tests of several folders use, and what is set before any test."""

import os
import shutil
import tempfile
from pathlib import Path

# Before NumPy is imported: workers that share the cores wait for each other's BLAS threads, up to 20 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from builders import SHAPES

from fooling.classifiers.pca import fit_pca, make_pca
from fooling.data import load_data

WITH_JAX = ("test_jax", "test_deep_dream", "test_gradient_ascent", "test_differentiable")


def pytest_configure(config: pytest.Config) -> None:
    """JAX compiles a program once for all workers and for the processes that tests start: they start after this."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="fooling-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of JAX begin the second half: of two workers one then compiles with XLA, the other with numba, nothing twice."""
    jax = [item for item in items if item.path.stem in WITH_JAX]
    others = [item for item in items if item.path.stem not in WITH_JAX]
    half = max(0, len(items) // 2 - 1)
    items[:] = [*others[:half], *jax, *others[half:]]


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
