"""Image sets of every kind, and what is refused."""

import ast
import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import DATA, ROOT, needs_mnist
from PIL import Image

from fooling.data import class_counts, load_data
from fooling.data.idx import inflate
from fooling.data.images import ENDINGS, FORMATS, open_image
from fooling.data.readers import KINDS
from fooling.errors import UserError
from fooling.settings.files import CEILINGS

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (24, 6, 5), dtype=np.uint8)
LABELS = np.arange(24) % 3


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(
    folder: Path, prefix: str = "train", images: np.ndarray = IMAGES, labels: np.ndarray = LABELS, packed: bool = True
) -> None:
    for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
        content = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)


def write_pictures(folder: Path, mode: str = "L", classes: tuple[str, ...] = ("0", "1", "2")) -> None:
    for k, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in np.flatnonzero(k == LABELS):
            Image.fromarray(IMAGES[i]).convert(mode).save(folder / name / f"{i:02d}.png")


def refused(path: Any, kind: str = "auto", split: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        load_data(None if path is None else str(path), kind, split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_idx(tmp_path: Path, packed: bool) -> None:
    write_idx(tmp_path, packed=packed)
    write_idx(tmp_path, "t10k", IMAGES[:6], LABELS[:6], packed=packed)
    train, test = load_data(str(tmp_path)), load_data(str(tmp_path), "idx", "test")
    assert np.array_equal(train.images[..., 0], IMAGES)
    assert np.array_equal(train.labels, LABELS)
    assert train.classes == ("0", "1", "2")
    assert np.array_equal(test.images[..., 0], IMAGES[:6])
    assert len(load_data(str(tmp_path), split="all").images) == 30


@needs_mnist
def test_mnist() -> None:
    train, test = load_data(DATA), load_data(DATA, split="test")
    assert (train.images.shape, test.images.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert train.images.mean() / 255 == pytest.approx(0.13066, abs=1e-5)
    assert train.images.std() / 255 == pytest.approx(0.30811, abs=1e-5)


def test_a_set_without_test_images_holds_every_sixth_of_a_class_out(tmp_path: Path) -> None:
    write_idx(tmp_path)
    train, test = load_data(str(tmp_path)), load_data(str(tmp_path), split="test")
    assert np.bincount(test.labels).tolist() == [1, 1, 1]
    assert np.array_equal(test.images[:, ..., 0], IMAGES[15:18])
    assert len(train.images) == 21


def test_npz_of_bytes_and_fractions(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=LABELS[:3])
    np.savez(tmp_path / "b.npz", images=IMAGES[..., None] / 255, labels=LABELS[:, None])
    assert np.array_equal(load_data(str(tmp_path / "a.npz")).images[..., 0], IMAGES)
    assert len(load_data(str(tmp_path / "a.npz"), split="test").images) == 3
    assert np.array_equal(load_data(str(tmp_path / "b.npz"), split="all").images[..., 0], IMAGES)


def test_pictures_by_class(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    data = load_data(str(tmp_path), split="all")
    assert data.images.shape == (24, 6, 5, 1)
    assert np.array_equal(data.images[data.labels == 1][..., 0], IMAGES[LABELS == 1])


def test_pictures_in_colour_and_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, "RGB", ("cat", "dog", "eel"))
    data = load_data(str(tmp_path), split="all")
    assert (data.images.shape, data.classes) == ((24, 6, 5, 3), ("cat", "dog", "eel"))


def test_folders_named_by_numbers_are_those_classes(tmp_path: Path) -> None:
    write_pictures(tmp_path, classes=("10", "2", "7"))
    data = load_data(str(tmp_path), split="all")
    assert len(data.classes) == 11
    assert sorted(set(data.labels.tolist())) == [2, 7, 10]


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    Image.new("LA", (5, 6), (200, 0)).save(tmp_path / "0" / "99.png")
    assert not load_data(str(tmp_path), split="all").images[8].any()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [255, 254])
def test_opaque_pictures_have_no_transparent_parts(tmp_path: Path, mode: str, alpha: int) -> None:
    write_pictures(tmp_path / "plain", mode.removesuffix("A"))
    write_pictures(tmp_path / "alpha", mode)
    if alpha < 255:
        file = tmp_path / "alpha" / "0" / "00.png"
        with Image.open(file) as image:
            image.putpixel((0, 0), (*image.getpixel((0, 0))[:-1], alpha))
            image.save(file)
    plain, read = (load_data(str(tmp_path / name), split="all") for name in ("plain", "alpha"))
    noted = [note for note in read.notes if "transparent" in note]
    assert noted == (["data: transparent parts made black, 1 image"] if alpha < 255 else [])
    assert alpha < 255 or np.array_equal(read.images, plain.images)


@pytest.mark.parametrize(("highest", "noted"), [(16, None), (17, True), (100, True), (127, True), (128, False), (255, False)])
@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_levels_far_from_white_are_noted(tmp_path: Path, highest: int, noted: bool | None, kind: str) -> None:
    images = np.minimum(IMAGES, highest)
    path = tmp_path / "a.npz" if kind == "npz" else tmp_path / "set"
    np.savez(tmp_path / "a.npz", images=images, labels=LABELS)
    for i, image in enumerate(images):
        folder = tmp_path / "set" / str(LABELS[i])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    if noted is None:
        assert "none above 16" in refused(path)
        return
    note = f"data: the highest grey level is {highest} of 255, which data.scale=255/{highest} makes white, 24 images"
    assert load_data(str(path), split="all").notes == ((note,) if noted else ())
    if kind == "npz":  # pictures are read in the size already
        resized = load_data(str(path), split="all", size=(4, 4)).notes
        assert any("highest grey level" in line for line in resized) == noted
    assert load_data(str(path), split="all", scale=255 / highest).notes == ()


def test_usual_causes_of_wrong_shapes_are_named(tmp_path: Path) -> None:
    first = np.zeros((24, 3, 6, 5), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=first, labels=np.eye(3)[LABELS])
    said = refused(tmp_path / "a.npz")
    assert "(24, 3, 6, 5), (24, 3); the channels come first: save images.transpose(0, 2, 3, 1)" in said
    assert said.endswith("; the labels look one-hot: save labels.argmax(axis=1)")
    np.savez(tmp_path / "b.npz", images=first.transpose(0, 2, 3, 1) + IMAGES[..., None], labels=LABELS[:, None])
    assert load_data(str(tmp_path / "b.npz"), split="all").images.shape == (24, 6, 5, 3)


def test_numbers_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    images = np.zeros((24, 6, 5), dtype=np.float32) + 0.5
    images[:2, 0, 0], images[2, 1, 1] = np.nan, np.inf
    np.savez(tmp_path / "nan.npz", images=images, labels=LABELS)
    said = refused(tmp_path / "nan.npz")
    assert "3 of 720 numbers are NaN or infinite" in said
    assert "0 or more" not in said


def test_every_file_of_a_set_is_opened_alike_and_conversions_are_noted(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    wide = Image.fromarray(IMAGES[0].astype(np.uint16) * 257)
    wide.save(tmp_path / "0" / "00.png")
    turned = Image.fromarray(np.ascontiguousarray(IMAGES[3].T[::-1]))  # by 90° against the clock
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "0" / "03.png", exif=exif)
    data = load_data(str(tmp_path), split="all")
    assert np.array_equal(data.images[data.labels == 0][..., 0], IMAGES[LABELS == 0])
    assert data.notes == ("data: 16 bits made 8, 1 image", "data: turned upright (EXIF), 1 image")
    assert load_data(str(tmp_path), split="test").notes == data.notes
    with pytest.raises(UserError, match="is not a picture that can be read"):
        open_image(Path(__file__))


def test_grey_stored_as_colour_is_noted(tmp_path: Path) -> None:
    write_pictures(tmp_path, "RGB")
    data = load_data(str(tmp_path), split="all")
    assert data.images.shape[3] == 3
    assert data.notes == ("data: grey stored as colour, 24 images",)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_with_dots_of_colours_and_gzipped_without_saying_so(tmp_path: Path, packed: bool) -> None:
    colours = RANDOM.integers(0, 256, (24, 6, 5, 3), dtype=np.uint8)
    pack = gzip.compress if packed else bytes
    (tmp_path / "train-images.idx3-ubyte").write_bytes(pack(idx(colours)))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(pack(idx(LABELS)))
    assert np.array_equal(load_data(str(tmp_path), split="all").images, colours)


def test_pictures_in_train_and_test(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", classes=("0", "1", "2"))
    write_pictures(tmp_path / "test", classes=("0", "1"))
    train, test = load_data(str(tmp_path)), load_data(str(tmp_path), split="test")
    assert (len(train.images), len(test.images)) == (24, 16)
    assert train.classes == test.classes == ("0", "1", "2")
    assert class_counts(test).tolist() == [8, 8, 0]
    assert np.array_equal(test.images[8:, ..., 0], IMAGES[LABELS == 1])


def test_other_and_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / ".cache").mkdir()
    for name in (".hidden.png", "notes.txt"):
        (tmp_path / "0" / name).write_bytes(b"no picture")
    assert len(load_data(str(tmp_path), split="all").images) == 24


def test_class_counts(tmp_path: Path) -> None:
    write_pictures(tmp_path, classes=("3", "1"))
    counts = class_counts(load_data(str(tmp_path), split="all"))
    assert (counts.tolist(), counts.dtype) == ([0, 8, 0, 8], np.int64)


def test_sklearn_digits() -> None:
    data = load_data(None, "sklearn", "all")
    assert data.images.shape == (1797, 8, 8, 1)
    assert (data.images.min(), data.images.max()) == (0, 255)


def test_table_of_kinds() -> None:
    assert list(KINDS) == ["idx", "npz", "folder", "sklearn"]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_no_path_and_nothing_there(tmp_path: Path) -> None:
    assert "data.path: expected a folder of IDX files" in refused(None)
    assert "no such file or folder" in refused(tmp_path / "none")
    assert "expected a path for data.kind=npz" in refused(None, "npz")
    assert "expected a folder of IDX files" in refused(tmp_path)
    assert "data.kind=tar: expected one of auto, idx" in refused(tmp_path, "tar")
    assert "split=half: expected one of train, test, all" in refused(tmp_path, split="half")


def test_idx_that_is_missing_truncated_or_wrong(tmp_path: Path) -> None:
    write_idx(tmp_path)
    images, labels = tmp_path / "train-images-idx3-ubyte.gz", tmp_path / "train-labels-idx1-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[:-40])
    assert "truncated or damaged gzip file" in refused(tmp_path)
    images.write_bytes(gzip.compress(idx(IMAGES)[:-7]))
    assert "truncated: its header promises 720 bytes of data, got 713" in refused(tmp_path)
    images.write_bytes(gzip.compress(idx(IMAGES) + b"x"))
    assert "too long: its header promises 720" in refused(tmp_path)
    images.write_bytes(gzip.compress(idx(LABELS)))
    assert "wrong magic number: expected 0x00000803 or 0x00000804, got 0x00000801" in refused(tmp_path)
    images.write_bytes(b"")
    assert "expected an IDX file (magic number 0x00000803), got an empty file" in refused(tmp_path)
    images.write_bytes(b"hello world")
    assert "got a file that begins with 68656c6c" in refused(tmp_path)
    images.write_bytes(bytes([0, 0, 8, 3, 0, 0]))
    assert "truncated: the header of an IDX file has 16 bytes, got 6" in refused(tmp_path)
    images.write_bytes(whole)
    labels.write_bytes(gzip.compress(idx(LABELS[:-1])))
    assert "24 images but 23 labels in the train files" in refused(tmp_path)
    labels.write_bytes(gzip.compress(idx(LABELS)))
    broken = bytearray(whole)
    broken[-8] ^= 1  # of the checksum
    images.write_bytes(broken)
    assert "truncated or damaged gzip file (CRC check failed" in refused(tmp_path)
    labels.unlink()
    assert "train-labels-idx1-ubyte (or train-labels-idx1-ubyte.gz) is missing" in refused(tmp_path)


def test_damaged_idx_is_refused_or_whole(tmp_path: Path) -> None:
    write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    messages: list[str] = []
    for trial in range(80):
        broken = bytearray(whole[: RANDOM.integers(len(whole))] if trial % 2 else whole)
        if not trial % 2:
            broken[RANDOM.integers(len(broken))] ^= 1 << int(RANDOM.integers(8))
        path.write_bytes(broken)
        try:
            data = load_data(str(tmp_path), split="all")
        except UserError as error:
            messages.append(str(error))
        else:
            assert np.array_equal(data.images[..., 0], IMAGES)
    assert len(messages) > 40
    assert not any("\n" in message for message in messages)


def test_damaged_idx_headers_are_refused(tmp_path: Path) -> None:
    for trial in range(300):
        contents = [bytearray(idx(array)) for array in (IMAGES, LABELS)]
        which = trial % 2
        for _ in range(RANDOM.integers(1, 4)):
            contents[which][RANDOM.integers((16, 8)[which])] ^= 1 << int(RANDOM.integers(8))
        if contents[which] == idx((IMAGES, LABELS)[which]):
            continue  # flipped back
        for name, content in zip(("images-idx3", "labels-idx1"), contents, strict=True):
            (tmp_path / f"train-{name}-ubyte").write_bytes(content)
        refused(tmp_path)


@pytest.mark.parametrize(
    "shape", [(0, 6, 5), (24, 0, 5), (24, 0, 5, 3), (0, 2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1, 0)], ids=str
)
def test_idx_without_pixels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_idx(tmp_path, packed=False)
    header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header)
    said = refused(tmp_path)
    assert "train-images-idx3-ubyte: holds no images or labels: its header says " + "×".join(map(str, shape)) in said


@pytest.mark.parametrize("packed", [True, False])
def test_no_more_is_read_than_allowed(tmp_path: Path, packed: bool) -> None:
    content = b"0" * 1000
    (tmp_path / "a").write_bytes(gzip.compress(content) if packed else content)
    assert inflate(tmp_path / "a", 1000) == content
    with pytest.raises(UserError, match="a: holds more than 999 bytes, decompressed"):
        inflate(tmp_path / "a", 999)


def test_a_large_bound_claims_no_memory(tmp_path: Path) -> None:
    write_idx(tmp_path)
    tracemalloc.start()
    load_data(str(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24


def test_test_images_of_another_size(tmp_path: Path) -> None:
    write_idx(tmp_path)
    write_idx(tmp_path, "t10k", IMAGES[:, :5])
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, :5], y_test=LABELS)
    for path in (tmp_path, tmp_path / "a.npz"):
        assert "training images (6, 5, 1) and test images (5, 5, 1) differ in size" in refused(path, split="all")


def test_too_few_images_to_hold_any_out(tmp_path: Path) -> None:
    write_idx(tmp_path, images=IMAGES[:9], labels=LABELS[:9])
    assert "no images in split=test, expected at least one; without a test part" in refused(tmp_path, split="test")


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert refused(tmp_path) == f"{tmp_path}: cannot be read (Permission denied)"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": IMAGES}, "expected arrays x_train and y_train, or images and labels; got a"),
        ({"images": IMAGES, "labels": LABELS[:-1]}, "24 images but 23 labels"),
        ({"images": IMAGES[0], "labels": LABELS}, "expected images [N, H, W] or [N, H, W, C]"),
        ({"images": IMAGES, "labels": LABELS - 1}, "expected labels 0 … 999, whole numbers, got -1 … 1"),
        ({"images": IMAGES, "labels": np.array(["cat"] * len(LABELS))}, "got text such as 'cat'; number them"),
        ({"images": IMAGES, "labels": LABELS * 0.5}, "expected labels 0 … 999, whole numbers, got float64"),
        ({"images": IMAGES * 2.0, "labels": LABELS}, "expected whole numbers 0…255 or fractions 0…1, got float64"),
        ({"images": IMAGES.astype(int) * 9, "labels": LABELS}, "expected whole numbers 0…255"),
        ({"images": IMAGES * np.nan, "labels": LABELS}, "720 of 720 numbers are NaN or infinite"),
        ({"images": IMAGES, "labels": LABELS * 0}, "expected 2 to 1000 classes, got 1"),
        ({"images": np.zeros((4, 6, 5, 2)), "labels": LABELS[:4]}, "1 or 3 channels"),
        ({"images": IMAGES[:, :0], "labels": LABELS}, "expected images of 2 to 4096 pixels a side"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "no images in split=train, expected at least one"),
        ({"images": IMAGES.astype(str), "labels": LABELS}, "expected whole numbers 0…255 or fractions 0…1, got <U3"),
        ({"two\nlines": IMAGES}, "got two lines"),
        ({"images": np.array([{}]), "labels": LABELS}, "not an .npz file of plain arrays"),
    ],
    ids=str,
)
def test_npz_that_is_refused(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert message in refused(tmp_path / "a.npz")


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"garbage")
    assert "not an .npz file of plain arrays" in refused(tmp_path / "a.npz")


def test_classes_that_differ_in_train_and_test(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", classes=("cat", "eel"))
    write_pictures(tmp_path / "test", classes=("cat", "dog", "eel"))
    assert "expected the same classes in train/ and test/, but class dog is in one of them only" in refused(tmp_path)


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert "expected a folder with a folder of pictures per class, got a file" in refused(tmp_path / "a", "folder")
    assert "cannot be read (Is a directory)" in refused(tmp_path, "npz")


def test_a_picture_too_large_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path)
    monkeypatch.setitem(CEILINGS, "picture", 119)  # also of the file, which is smaller
    assert "00.png: 5×6 pixels: expected at most 119 bytes (picture), got 120; " in refused(tmp_path)
    monkeypatch.setenv("FOOLING_MAX_BYTES", "120")
    assert len(load_data(str(tmp_path), split="all").images) == 24


def test_a_picture_of_more_pixels_than_pillow_likes_is_read_if_the_ceiling_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("L", (7, 9)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").levels.shape == (9, 7, 1)
    assert Image.MAX_IMAGE_PIXELS == 10


PROGRAMS = {  # what Pillow would give to Ghostscript, to a system's own reader, or decode by a format that nobody needs
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) run showpage\n%%EOF\n",
    "wmf": b"\xd7\xcd\xc6\x9a\0\0" + b"\0\0\0\0\x64\0\x64\0\x60\0" + bytes(6) + b"\x01\0\t\0" + bytes(60),
    "pcx": b"\x0a\x05\x01\x08" + bytes(124),
    "icns": b"icns" + bytes(60),
    "xpm": b'/* XPM */ static char *a[] = {"1 1 1 1", "a c #000000", "a"};',
    "im": b"Image type: L\r\nImage size (x*y): 2*2\r\n" + bytes(600),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_picture_starts_no_program_whatever_its_name_says(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr("subprocess.Popen", lambda *words, **more: started.append(words))
    monkeypatch.setattr("os.system", lambda *words: started.append(words))
    Image.init()  # every format that Pillow knows
    for ending in (name, "png"):
        (tmp_path / f"a.{ending}").write_bytes(PROGRAMS[name])
        with pytest.raises(UserError, match=f"a.{ending}: is not a picture that can be read"):
            open_image(tmp_path / f"a.{ending}")
    assert started == []


def test_every_picture_is_opened_by_its_format() -> None:
    assert set(FORMATS) == {"PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"} >= set(ENDINGS.values())
    calls = [
        node
        for path in (ROOT / "fooling").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Image.open", "imread"))
    ]
    assert [[keyword.arg for keyword in call.keywords] for call in calls] == [["formats"]]


def test_pictures_that_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "3").mkdir()
    assert "3: class 3 has no pictures" in refused(tmp_path)
    Image.new("L", (7, 6)).save(tmp_path / "3" / "a.png")
    assert "a.png: expected 6×5 pixels as in the first picture, got 6×7" in refused(tmp_path)
    (tmp_path / "3" / "a.png").write_bytes(b"no picture")
    assert "a.png: is not a picture that can be read" in refused(tmp_path)
    (tmp_path / "3" / "a.png").write_bytes((tmp_path / "0" / "00.png").read_bytes()[:50])
    assert "a.png: is not a picture that can be read" in refused(tmp_path)
    Image.new("1", (20000, 1)).save(tmp_path / "3" / "a.png")
    assert "a.png: expected at most 16384 pixels a side, got 20000×1" in refused(tmp_path)
    (tmp_path / "3" / "a.png").unlink()
    Image.fromarray(np.zeros((6, 5), np.float32)).save(tmp_path / "3" / "a.tif")
    assert "a.tif: expected 8 or 16 bits a channel, got TIFF 5×6, grey of real numbers" in refused(tmp_path)
    (tmp_path / "02").mkdir()
    assert "two folders are named by the same class number" in refused(tmp_path)


def test_a_home_that_is_nobodys(tmp_path: Path) -> None:
    assert "~nobody-there/x: expected an existing user's home folder" in refused(Path("~nobody-there/x"))


def test_a_folder_of_grey_and_coloured_pictures_says_so(tmp_path: Path) -> None:
    for place, name in enumerate(("a/0", "a/1", "b/0", "b/1")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        levels = np.random.default_rng(place).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(levels if place == 3 else levels[:, :, 0]).save(path)
    data = load_data(str(tmp_path), "folder", "all")
    assert data.images.shape[3] == 3
    assert data.notes == ("data: grey made colour, 3 images",)
    (tmp_path / "b" / "1.png").unlink()
    assert load_data(str(tmp_path), "folder", "all").notes == ()


@pytest.mark.parametrize("given", ["outer", "outer/inner"])
def test_the_path_that_is_advised_works(tmp_path: Path, given: str) -> None:
    for name in "ab":
        folder = tmp_path / "outer" / "inner" / "photos" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "0.png")
    with pytest.raises(UserError, match=r"give data\.path=") as told:
        load_data(str(tmp_path / given))
    assert len(load_data(str(told.value).rpartition("data.path=")[2]).images) == 2
