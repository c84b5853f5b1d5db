"""Image sets and arrays that are too large, have no end, or promise more than they hold; names from foreign files."""

import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import write_gz
from PIL import Image

from fooling.data import load_data
from fooling.data.idx import inflate, read_idx
from fooling.data.images import is_colour, open_image
from fooling.data.npz import array_names, describe_array, read_array, read_arrays
from fooling.errors import UserError
from fooling.settings.files import CEILINGS

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 6, 5), dtype=np.uint8)


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_data(str(path))
    return str(caught.value)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    "read", [open_image, is_colour, array_names, read_arrays, lambda path: read_idx(path, (1,)), lambda path: inflate(path, 9)]
)
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_has_no_end_is_not_opened(pipe: Path, read: Any, what: str) -> None:
    place, name = (pipe, "a named pipe") if what == "pipe" else (Path("/dev/zero"), "a device")
    with pytest.raises(UserError, match=f"{place}: expected a file, got {name}"):
        read(place)


@pytest.mark.parametrize(("compress", "kind"), [(np.savez, "images"), (np.savez_compressed, "arrays")])
def test_arrays_above_the_ceiling(tmp_path: Path, compress: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compress(tmp_path / "a.npz", a=np.zeros(100), b=np.zeros(50, np.uint8))
    size = 100 * 8 + 50 + 2 * 128
    monkeypatch.setitem(CEILINGS, kind, size - 1)
    with pytest.raises(UserError, match=rf"expected at most {size - 1:,} bytes \({kind}\), got {size:,}; .*MAX_BYTES"):
        read_arrays(tmp_path / "a.npz")
    monkeypatch.setenv("FOOLING_MAX_BYTES", str(size))
    assert read_arrays(tmp_path / "a.npz")["b"].shape == (50,)


def test_a_single_array_above_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(100), b=np.zeros(99))
    monkeypatch.setitem(CEILINGS, "arrays", 799)
    assert read_array(describe_array(tmp_path / "a.npz", "b")).shape == (99,)
    with pytest.raises(UserError, match=r"a.npz: a: expected at most 799 bytes \(arrays\), got 800"):
        read_array(describe_array(tmp_path / "a.npz", "a"))


def test_arrays_can_be_changed_and_keep_their_order(tmp_path: Path) -> None:
    arrays = {
        "f": np.asfortranarray(IMAGES[0]),
        "scalar": np.float32(3),
        "none": np.zeros((0, 3)),
        "text": np.array(["ab", "c"]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)
        assert found[name].flags.writeable
    assert found["f"].flags.f_contiguous


def npy(shape: str, descr: str = "'|u1'", content: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + header + content


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (npy(f"({2**62},)"), "a ends before its 4611686018427387904 numbers"),
        (npy(f"({2**31}, {2**31}, {2**31})"), "a ends before its"),
        (npy("(5,)", content=b"1234"), "a ends before its 5 numbers"),
        (npy("(-1,)", content=b"1234"), "a: expected sizes from 0 on"),
        (npy("(-2, -2)", content=b"1234"), "a: expected sizes from 0 on"),
        (npy("(1,)", version=2, length=2**32 - 1), "a: expected a header of at most 10,000 bytes, got 4,294,967,295"),
        (npy("(1,)", version=3), "a is of version"),
        (npy("(" * 3000), "not an .npz file of plain arrays"),
        (npy("(1,)", descr="'|O'", content=b"12345678"), "a is of Python objects"),
        (npy(f"({2**62},)", descr="'|V0'"), "a: expected numbers or text, got .V0"),
        (b"", "not an .npz file of plain arrays"),
    ],
    ids=str,
)
@pytest.mark.parametrize("read", [read_arrays, lambda path: read_array(describe_array(path, "a"))])
def test_headers_of_arrays_that_promise_too_much(tmp_path: Path, member: bytes, said: str, read: Any) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member)
    tracemalloc.start()
    with pytest.raises(UserError, match=said):
        read(tmp_path / "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_arrays_by_methods_that_are_not_numpys(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("a.npy", npy("(10000,)", content=bytes(10000)))
    with pytest.raises(UserError, match=f"a is compressed by method {method}"):
        read_arrays(tmp_path / "a.npz")


def test_a_zip_file_of_very_many_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}-{'x' * 4000}.npy", b"")
    with pytest.raises(UserError, match=r"expected a list of arrays of at most 1,048,576 bytes, got 1,2"):
        read_arrays(tmp_path / "a.npz")


def test_a_small_gzip_file_of_very_many_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gz(tmp_path / "set", np.zeros((5000, 2, 2, 1)), np.arange(5000) % 2)
    monkeypatch.setitem(CEILINGS, "arrays", 39_999)  # eight bytes a label, once read
    assert "train-labels-idx1-ubyte: expected at most 39,999 bytes (arrays), got 40,000" in refused(path)
    monkeypatch.setitem(CEILINGS, "arrays", 40_000)
    monkeypatch.setitem(CEILINGS, "images", 16_665)  # of 4,166 training images
    assert "expected at most 16,665 bytes (images), got 16,672" in refused(path)


# --- foreign names ----------------------------------------------------------------------------------------------------


def test_names_of_classes_are_printable_and_short(tmp_path: Path) -> None:
    for name in ("a\x1b[31m", "b" * 250, "c\u202ed", os.fsdecode(b"d\xff"), "ä ö"):
        (tmp_path / name).mkdir()
        Image.fromarray(IMAGES[0]).save(tmp_path / name / "0.png")
    data = load_data(str(tmp_path), split="all")
    assert [name for name in data.classes if name[0] != "b"] == ["a\\x1b[31m", "c\\u202ed", "d\\udcff", "ä ö"]
    assert [len(name) for name in data.classes if name[0] == "b"] == [200]


def test_names_of_arrays_in_messages_are_printable_and_short(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"\x1b]0;x\x07" + "y" * 3000: IMAGES})
    said = refused(tmp_path / "a.npz")
    assert "got \\x1b]0;x\\x07yyy" in said
    assert len(said) < 500
