"""Files of weights that are too large, nested too deeply, or whose names hold control characters."""

import json
import os
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network
from safetensors.numpy import save
from sklearn.linear_model import LogisticRegression

from fooling.classifiers import load_classifier, load_network
from fooling.classifiers.serialization import check_safetensors
from fooling.errors import UserError
from fooling.settings.files import CEILINGS
from fooling.statistics import BUNDLED, Statistics


def rewritten(path: Path, **about: str) -> Path:
    """A network's file with another header."""
    network = random_network((8, 8, 1))
    network.save(path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    path.write_bytes(save(network.tensors, header | about))
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_network(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["input_shape", "labels"])
@pytest.mark.parametrize(
    "value", ["[" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 5000, "9" * 5000, "\x1b", ""], ids=lambda v: v[:5]
)
def test_a_header_that_is_damaged(tmp_path: Path, name: str, value: str) -> None:
    assert "its header is damaged" in refused(rewritten(tmp_path / "n.safetensors", **{name: value}))


def test_labels_are_printable_and_short(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "n.safetensors", labels=json.dumps(["\x1b[31m", "ä" * 999, "猫", "a\nb"]))
    escaped, long, *others = load_network(path).labels
    assert (escaped, len(long), others) == (r"\x1b[31m", 200, ["猫", r"a\nb"])


def test_a_header_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rewritten(tmp_path / "n.safetensors", made="x" * 2_000_000)
    assert "its header: expected at most 1,048,576 bytes (header), got 2,000," in refused(path)
    monkeypatch.setenv("FOOLING_MAX_BYTES", "3000000")
    assert load_network(path).num_classes == 4
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    assert "cannot be read as safetensors" in refused(path)


def test_a_file_of_weights_above_the_ceiling(tmp_path: Path) -> None:
    path, limit = tmp_path / "n.safetensors", CEILINGS["model"]
    with path.open("wb") as file:
        file.truncate(limit + 1)  # it takes no room on the disk
    assert f"expected at most {limit:,} bytes (model), got {limit + 1:,}; " in refused(path)
    with pytest.raises(UserError, match="got 4,294,967,297"):
        load_classifier("onnx", str(path), shape=(8, 8, 1))


def test_weights_have_an_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="expected a file, got a named pipe"):
        check_safetensors(tmp_path / "pipe")
    assert "no such file" in refused(tmp_path / "pipe")


def test_an_estimator_whose_members_are_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", " " * 1_000_000)
    monkeypatch.setitem(CEILINGS, "model", 999_999)
    with pytest.raises(UserError, match=r"m.skops: expected at most 999,999 bytes \(model\), got 1,000,000"):
        load_classifier("sklearn", str(tmp_path / "m.skops"), shape=(8, 8, 1))


@pytest.mark.parametrize("method", ["predict_proba", "predict"])
def test_names_of_an_estimator_are_printable_and_short(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import skops.io

    names = np.array(["\x1b[31mred", "blue" * 100])
    images = np.random.default_rng(0).integers(0, 2, (40, 64)).astype(float)
    skops.io.dump(LogisticRegression().fit(images, names[images[:, 0].astype(int)]), tmp_path / "m.skops")
    objects: Any = import_module("fooling.classifiers.adapters.python")
    monkeypatch.setattr(objects, "METHODS", [row for row in objects.METHODS if row[0] == method])
    model = load_classifier("sklearn", str(tmp_path / "m.skops"), shape=(8, 8, 1))
    assert (model.labels[1], len(model.labels[0])) == (r"\x1b[31mred", 200) or model.labels[0] == r"\x1b[31mred"
    assert all(label.isprintable() and len(label) <= 200 for label in model.labels)
    assert model(np.zeros((3, 8, 8, 1), np.uint8)).shape == (3, 2)


def test_names_in_statistics_are_printable_and_the_bundled_ones_unchanged(tmp_path: Path) -> None:
    with np.load(BUNDLED) as file:
        arrays = dict(file)
    before = Statistics.load(BUNDLED)
    assert before.labels is not None
    assert [str(label) for label in before.labels] == [str(k) for k in range(10)]
    names = ["\x1b[31m0", *map(str, range(1, 10))]
    np.savez(tmp_path / "s.npz", **(arrays | {"labels": np.array(names)}))
    assert [str(label) for label in Statistics.load(tmp_path / "s.npz").labels] == [r"\x1b[31m0", *names[1:]]
