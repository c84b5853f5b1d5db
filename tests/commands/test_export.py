"""`fooling export`: what other programs read, by their documented formats."""

import io
import json
import runpy
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from builders import random_dense
from PIL import Image

import fooling
from fooling.commands import dispatch, export
from fooling.errors import UserError, guarded
from fooling.records.record import read_images

SHAPE = (9, 13, 3)
KEYS = {"file", "target", "target_name", "classifier", "prior", "genome", "search", "seed", "confidence", "evaluations"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs in colour against one network, some of whose images have not succeeded."""
    folder, network = tmp_path_factory.mktemp("records"), random_dense(SHAPE)
    small: dict[str, Any] = {"classifier": network, "prior": "none", "population": 20, "quiet": True}
    fooling.evolve(digit=1, runs=5, generations=30, threshold=0.5, out=folder / "one", **small)
    fooling.evolve(digit=2, runs=3, generations=2, threshold=0.9999, seed=7, out=folder / "never", **small)
    return folder


def exported(records: Path, *words: str) -> dict[str, Any]:
    given = [str(records / "one"), str(records / "never"), "out=set", "quiet=true", *words]
    assert guarded(dispatch, ["export", *given]) == 0
    found: dict[str, Any] = json.loads(Path("set/manifest.json").read_text(encoding="utf-8"))
    assert set(found["files"]) == {path.relative_to("set").as_posix() for path in Path("set").rglob("*") if path.is_file()}
    return found


def expected(records: Path, everything: bool = False) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The entries of run.json that are exported, and their images."""
    runs = {name: json.loads((records / name / "run.json").read_text()) for name in ("one", "never")}
    chosen = [(name, image) for name, run in runs.items() for image in run["images"] if everything or image["converged"]]
    return [image for _, image in chosen], np.concatenate(
        [read_images(records / name, [image["file"]]) for name, image in chosen]
    )


@pytest.mark.parametrize("words", [[], ["all=true"]], ids=str)
def test_folders_by_class_with_a_manifest(records: Path, home: Path, words: list[str]) -> None:
    found = exported(records, *words)
    entries, images = expected(records, bool(words))
    assert len({entry["converged"] for entry in expected(records, True)[0]}) == 2  # some succeeded, some did not
    assert (found["format"], found["shape"], found["num_classes"], found["label"]) == ("fooling/export/1", list(SHAPE), 4, -1)
    assert len(found["images"]) == len(entries)
    for row, entry, image in zip(found["images"], entries, images, strict=True):
        assert row.keys() >= KEYS
        assert (row["target"], row["confidence"], row["evaluations"]) == (
            entry["digit"],
            entry["confidence"],
            entry["evaluations"],
        )
        assert (row["classifier"], row["prior"], row["search"]) == (random_dense(SHAPE).fingerprint, "none", "ga")
        assert (row["seed"], row["succeeded"]) == (7 if row["record"] == "never" else 0, entry["converged"])
        assert Path(row["file"]).parent.name == f"class_{row['target']}"  # the class's name, in letters of file names
        with Image.open(Path("set", row["file"])) as picture:
            assert np.array_equal(np.asarray(picture), image)


def test_the_genome_is_that_of_the_record(records: Path, home: Path) -> None:
    shutil.copytree(records / "one", "one")
    np.savez("one/genomes.npz", genomes=np.zeros((5, 2), np.float32), genome=np.array("cppn"))
    assert guarded(dispatch, ["export", "one", "out=set", "quiet=true"]) == 0
    assert {row["genome"] for row in json.loads(Path("set/manifest.json").read_text())["images"]} == {"cppn"}


def test_openood_reads_its_image_list(records: Path, home: Path) -> None:
    found = exported(records, "layout=openood")
    settings = yaml.safe_load(Path("set/dataset.yml").read_text())["ood_dataset"]
    (name,) = settings["farood"]["datasets"]
    assert (settings["num_classes"], settings["dataset_class"], settings["split_names"]) == (4, "ImglistDataset", ["farood"])
    lines = Path("set", settings["farood"][name]["imglist_pth"]).read_text().splitlines()
    pairs = [line.split(" ", 1) for line in lines]  # as ImglistDataset does: a path below data_dir, a blank, an integer
    assert [path for path, _ in pairs] == [row["file"] for row in found["images"]]
    assert {int(label) for _, label in pairs} == {-1}
    for path, _ in pairs:
        assert not path.startswith("/")
        with Image.open(Path("set", settings["farood"][name]["data_dir"], path)) as picture:
            assert picture.convert("RGB").size == (SHAPE[1], SHAPE[0])


def test_the_data_set_class_has_labels_below_0(records: Path, home: Path) -> None:
    found = exported(records, "layout=pytorch-ood")
    data = runpy.run_path("set/dataset.py")["FoolingImages"]("set", transform=np.asarray)
    _, images = expected(records)
    assert len(data) == len(images) == len(data.images)
    for i, image in enumerate(images):
        pixels, label = data[i]
        assert label == -1
        assert np.array_equal(pixels, image)
    assert data.images == found["images"]
    assert runpy.run_path("set/dataset.py")["FoolingImages"]("set", target_transform=lambda _: -7)[0][1] == -7


def test_arrays_hold_no_objects(records: Path, home: Path) -> None:
    found = exported(records, "layout=npz")
    _, images = expected(records)
    with np.load("set/images.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], images)
        assert (arrays["labels"] == -1).all()
        for name in KEYS - {"file"}:
            assert arrays[name].tolist() == [row[name] for row in found["images"]]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed; it comes with the extra [parquet]")
def test_a_table_holds_the_pictures(records: Path, home: Path) -> None:
    from pyarrow import parquet

    found = exported(records, "layout=parquet")
    table = parquet.read_table("set/train.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == table.column_names
    _, images = expected(records)
    for cell, image in zip(table["image"].to_pylist(), images, strict=True):
        with Image.open(io.BytesIO(cell["bytes"])) as picture:
            assert np.array_equal(np.asarray(picture), image)
    assert table["confidence"].to_pylist() == [row["confidence"] for row in found["images"]]


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_without_pyarrow_there_is_no_table(records: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["export", str(records / "one"), "out=set", "layout=parquet"]) == 2
    assert "needs pyarrow: pip install '.[parquet]'" in capsys.readouterr().err
    assert not Path("set").exists()


def test_only_an_export_is_replaced_and_as_a_whole(records: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(records)
    one = str(records / "one")
    assert guarded(dispatch, ["export", one, "out=set"]) == 2
    exported(records, "layout=npz", "overwrite=true")
    assert not Path("set/images").exists()
    Path("set/mine.txt").write_text("mine")
    assert guarded(dispatch, ["export", one, "out=set", "overwrite=true"]) == 2
    assert guarded(dispatch, ["export", one, f"out={one}", "overwrite=true"]) == 2
    messages = capsys.readouterr().err.splitlines()
    for text, line in zip(("overwrite=true replaces", "mine.txt", "no file of this command"), messages, strict=True):
        assert text in line
    assert Path("set/mine.txt").read_text() == "mine"


def test_a_failure_leaves_what_was_there(records: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(records)
    before = sorted(Path("set").rglob("*"))

    def full_disk(folder: Path, files: dict[str, bytes]) -> None:
        (folder / "half").write_bytes(next(iter(files.values()))[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "fill", full_disk)
    assert guarded(dispatch, ["export", str(records / "one"), "out=set", "overwrite=true"]) == 2
    assert guarded(dispatch, ["export", str(records / "one"), "out=other"]) == 2
    assert sorted(Path("set").rglob("*")) == before
    assert [path.name for path in home.iterdir()] == ["set"]


def test_a_folder_that_cannot_be_replaced_keeps_its_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export.replace_folder(home / "set", {"a": b"old"})
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name.startswith(export.TEMPORARY) and not path.name.endswith("-old"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError):
        export.replace_folder(home / "set", {"a": b"new"})
    assert (home / "set/a").read_bytes() == b"old"
    assert [path.name for path in home.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "records: expected record folders"),
        (["nowhere", "out=x"], "records: nowhere: no such folder"),
        (["NEVER", "out=x"], "expected images that succeeded, got none of 3; all=true"),
        (["ONE"], "out: expected the name of a new folder, out=set, got null"),
        (["ONE", "ONE/", "out=x"], "twice"),
        (["ONE", "out=x", "layout=zip"], "layout: expected one of 'folder', 'openood', 'pytorch-ood', 'npz' or 'parquet'"),
    ],
)
def test_refusals(records: Path, home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    given = [word.replace("NEVER", str(records / "never")).replace("ONE", str(records / "one")) for word in words]
    assert guarded(dispatch, ["export", *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("x").exists()
