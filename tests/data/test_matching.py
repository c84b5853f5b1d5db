"""A set made to fit: grey levels of a whole set, sizes, classes among those of a classifier, folders as people have them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_images, random_statistics
from datasets import idx
from PIL import Image

from fooling.data import ImageSet, load_data, readers, stream_data, with_images
from fooling.data.drawings import read_photo
from fooling.data.images import ImageFile, letterbox, open_image, rescale_around
from fooling.data.matching import in_shape
from fooling.errors import UserError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (24, 6, 5), dtype=np.uint8)
LABELS = np.arange(24) % 3
BITS = IMAGES > 127
TEN = tuple("abcdefghij")


def load(path: Path, **options: Any) -> ImageSet:
    return load_data(str(path), split="all", **options)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(path, **options)
    return str(caught.value)


def npz(folder: Path, images: np.ndarray, labels: np.ndarray = LABELS, **more: np.ndarray) -> Path:
    np.savez(folder / "a.npz", x_train=images, y_train=labels, **more)
    return folder / "a.npz"


def photos(folder: Path, classes: Sequence[str], number: int = 2) -> Path:
    """Coloured pictures of unequal sizes, some in each class."""
    for k, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(number):
            Image.fromarray(random_images((30 + 7 * i, 40 - k, 3), 1)[0]).save(folder / name / f"{i}.png")
    return folder


# --- grey levels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (IMAGES.astype(float), IMAGES),
        (IMAGES.astype(np.float16), IMAGES),
        (IMAGES.astype(np.int32), IMAGES),
        (IMAGES / 255, IMAGES),
        (BITS, BITS * 255),
        (BITS.astype(np.float32), BITS * 255),
        (IMAGES * 0, IMAGES * 0),
        (np.minimum(IMAGES, 17), np.minimum(IMAGES, 17)),
    ],
    ids=["whole floats", "halves", "int32", "fractions", "booleans", "0 and 1", "black", "dark"],
)
def test_numbers_become_grey_levels(tmp_path: Path, images: np.ndarray, expected: np.ndarray) -> None:
    assert np.array_equal(load(npz(tmp_path, images)).images[..., 0], expected)


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (BITS.astype(np.uint8), "data.scale=255 makes 1 white"),
        (IMAGES // 16, "data.scale=255/15 makes 15 white"),
        (np.minimum(IMAGES, 16).astype(float), "data.scale=255/16 makes 16 white"),
        (IMAGES / 255 * 3, "data.scale=255/3 makes 3 white"),
        (IMAGES * 257.0, "data.scale=255/65535 makes 65535 white"),
        (IMAGES.astype(np.uint16) * 8, "data.scale=255/4095 makes 4095 white"),
        (IMAGES - 0.5, "add what makes them 0 or more"),
        (IMAGES * 0.9, "data.scale=1 rounds to whole levels"),
    ],
    ids=["0 and 1", "0 … 15", "0 … 16", "0 … 3", "16 bits", "12 bits", "negative", "not whole"],
)
def test_levels_that_are_not_clear_are_refused_with_the_setting(tmp_path: Path, images: np.ndarray, advice: str) -> None:
    assert advice in refused(npz(tmp_path, images))


@pytest.mark.parametrize(("images", "scale"), [(IMAGES // 16, 255 / 15), (IMAGES * 257.0, 1 / 257), (IMAGES / 255, 255)])
def test_a_scale_is_applied_and_its_result_checked(tmp_path: Path, images: np.ndarray, scale: float) -> None:
    path = npz(tmp_path, images)
    assert np.array_equal(load(path, scale=scale).images[..., 0], np.rint(images * scale))
    assert "expected levels 0…255 by data.scale=" in refused(path, scale=scale * 2)


def test_a_dark_piece_of_a_light_set_is_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PIECE", 4)
    for kind in (np.uint8, np.float32):
        images = np.concatenate([BITS[:20], IMAGES[:4]]).astype(kind)  # its first pieces hold 0 and 1 only
        assert np.array_equal(load(npz(tmp_path, images)).images[..., 0], images)
        test = load_data(str(npz(tmp_path, BITS.astype(kind), x_test=images[20:], y_test=LABELS[:4])))
        assert np.array_equal(test.images[..., 0], BITS)


def test_sets_of_every_kind_are_asked_about(tmp_path: Path) -> None:
    for name, array in (("train-images-idx3-ubyte", IMAGES // 16), ("train-labels-idx1-ubyte", LABELS)):
        (tmp_path / name).write_bytes(idx(array))
    assert "train-images-idx3-ubyte: expected grey levels up to 255, got none above 15" in refused(tmp_path)
    folder = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.fromarray(BITS[0].astype(np.uint8)).save(folder / name / "a.png")
    assert "got none above 1 in the whole set; data.scale=255 " in refused(folder)
    assert np.array_equal(load(folder, scale=255).images[0, ..., 0], BITS[0] * 255)


# --- size ---------------------------------------------------------------------------------------------------------------


def test_photographs_of_unequal_sizes(tmp_path: Path) -> None:
    path = photos(tmp_path / "set", ("cat", "dog"))
    assert "data.size=30,40 scales and crops all pictures" in refused(path)
    for options in ({"size": 16}, {"shape": (16, 16, 3)}, {"size": [16, 16, 3]}):
        data = load(path, **options)
        assert data.images.shape == (4, 16, 16, 3)
        assert data.notes == ("data: scaled and cropped in the centre to 16×16, 4 images",)
    grey = load(path, size=(8, 9, 1))
    assert grey.images.shape == (4, 8, 9, 1)
    assert "data: colours as grey, 4 images" in grey.notes
    assert load(path, shape=(30, 40, 3)).images.shape == (4, 30, 40, 3)


def test_the_shorter_side_is_scaled_and_the_centre_kept() -> None:
    wide = np.zeros((10, 40, 1), np.uint8)
    wide[:, 10:30] = 255
    pixels, notes = in_shape(ImageFile(wide, "", ()), (5, 5, 1))
    assert (pixels[:, 1:-1] > 240).all()
    assert notes == ("scaled and cropped in the centre to 5×5",)
    assert np.array_equal(in_shape(ImageFile(wide, "", ()), (10, 40, 1))[0], wide)


def test_arrays_get_a_size_only_where_it_is_given(tmp_path: Path) -> None:
    path = npz(tmp_path, IMAGES)
    assert load(path, shape=(9, 9, 1)).images.shape == (24, 6, 5, 1)
    data = load(path, size=(12, 10, 3))
    assert data.images.shape == (24, 12, 10, 3)
    assert data.notes == ("data: scaled and cropped in the centre to 12×10, 24 images",)
    with pytest.raises(UserError, match=r"data\.size: expected one side such as 224"):
        load(path, size=(1, 2, 3, 4))


def test_conversions_that_pillow_does_itself_are_noted(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), level) for level in (255, 0)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert "first of several frames" in open_image(tmp_path / "a.gif").notes
    still = Image.new("L", (4, 4))
    exif = still.getexif()
    exif[0x0112] = 1
    still.save(tmp_path / "b.png", exif=exif)
    assert open_image(tmp_path / "b.png").notes == ()
    deep = b"P6 1 1 65535\n" + bytes([255, 0] * 3)
    (tmp_path / "c.ppm").write_bytes(deep)
    assert open_image(tmp_path / "c.ppm").levels.shape == (1, 1, 3)


def in_every_mode(colours: np.ndarray) -> dict[str, tuple[Image.Image, dict[str, Any], str]]:
    """The same picture as files of every kind: the picture, what it is saved with, and what is said of it."""
    grey, turned = colours[..., 0], Image.Exif()
    turned[0x0112] = 6
    return {
        "exif.png": (Image.fromarray(colours), {"exif": turned}, "turned upright (EXIF)"),
        "palette.png": (Image.fromarray(colours).quantize(8), {}, "palette made colours"),
        "hole.gif": (Image.fromarray(colours).quantize(8), {"transparency": 0}, "transparent parts made black"),
        "alpha.png": (Image.fromarray(np.dstack([colours, grey])), {}, "transparent parts made black"),
        "grey alpha.png": (Image.fromarray(np.dstack([grey, grey])), {}, "transparent parts made black"),
        "grey.png": (Image.fromarray(np.repeat(grey[..., None], 3, axis=2)), {}, "grey stored as colour"),
        "wide.png": (Image.fromarray(grey.astype(np.uint16) * 200), {}, "16 bits made 8"),
        "print.tif": (Image.fromarray(colours).convert("CMYK"), {}, "CMYK made RGB"),
        "bits.png": (Image.fromarray(grey > 127), {}, ""),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", in_every_mode(np.zeros((2, 2, 3), np.uint8)))
def test_data_sets_classify_and_searches_read_a_picture_alike(tmp_path: Path, name: str, channels: int) -> None:
    shape = (12, 12, channels)
    picture, options, note = in_every_mode(RANDOM.integers(0, 256, (12, 12, 3), dtype=np.uint8))[name]
    for folder in ("a", "b"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        picture.save(tmp_path / "set" / folder / name, **options)
    path = tmp_path / "set" / "a" / name
    data, photo = load(tmp_path / "set", shape=shape), read_photo(path, shape)
    (by_box, said), (by_window, _) = letterbox(path, shape), rescale_around(path, shape, None)
    for pixels in (photo.plain, by_box, by_window):
        assert np.array_equal(data.images[0], pixels)
    assert not note or f"data: {note}, 2 images" in data.notes
    assert not note or note in photo.done
    assert note in said


# --- classes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "options", "numbers"),
    [
        (("d", "b"), {}, [1, 3]),  # labels
        (("9", "3"), {}, [3, 9]),  # numbers
        (("x", "y"), {"classes": (7, "a")}, [0, 7]),  # what they are, in the set's order
        (("a", "b", "zebra"), {"classes": ("b", "a")}, [0, 1]),  # some of them
        (tuple("jihgfedcba"), {}, list(range(10))),
    ],
)
def test_some_of_a_classifiers_classes(tmp_path: Path, folders: tuple[str, ...], options: dict, numbers: list[int]) -> None:
    data = load(photos(tmp_path / "set", folders, 1), size=16, labels=TEN, **options)
    assert sorted(data.labels.tolist()) == numbers
    assert data.classes == TEN
    part = with_images(stream_data(str(tmp_path / "set"), split="all", size=16, labels=TEN, **options))
    assert part.classes == tuple(TEN[k] for k in numbers)
    assert sorted(part.labels.tolist()) == list(range(len(numbers)))


def test_images_keep_their_classes(tmp_path: Path) -> None:
    data = load(npz(tmp_path, IMAGES), classes=(5, 3, 8), labels=TEN)
    assert np.array_equal(data.labels, np.array([5, 3, 8])[LABELS])
    some = load(npz(tmp_path, IMAGES), classes=("2", "0"))
    assert np.array_equal(some.images[..., 0], IMAGES[LABELS != 1])
    assert np.array_equal(some.labels, (LABELS[LABELS != 1] == 0).astype(int))
    assert some.classes == ("2", "0")


@pytest.mark.parametrize(
    ("folders", "options", "message"),
    [
        (("Egyptian_cat", "espresso"), {}, None),
        (("Egyptian cap", "espresso"), {}, "class Egyptian cap: did you mean egyptian cat?"),
        (("x", "y"), {"classes": ("espresso",)}, "data.classes: expected a name or number for each of the 2 classes"),
        (("x", "y"), {"classes": ("espreso", "dog")}, "data.classes: class espreso: did you mean espresso?"),
        (("x", "y"), {"classes": ("dog", "dog")}, "data.classes=[dog,dog]: expected each class once"),
        (("crane", "dog"), {}, "data: crane is the label of classes 3 and 4; give their numbers by data.classes=[…]"),
        (("dog", "DOG"), {}, "two of its classes are the same class of the classifier"),
    ],
)
def test_names_that_are_not_clear(tmp_path: Path, folders: tuple[str, ...], options: dict, message: str | None) -> None:
    labels = ("egyptian cat", "espresso", "dog", "crane", "crane", "bird")
    path = photos(tmp_path / "set", folders, 1)
    if message is None:
        assert sorted(load(path, size=16, labels=labels, **options).labels.tolist()) == [0, 1]
    else:
        assert message in refused(path, size=16, labels=labels, **options)


def test_labels_from_one_on(tmp_path: Path) -> None:
    path = npz(tmp_path, IMAGES, LABELS + 1)
    assert "the labels are 1 … 3, the classifier's classes 0 … 2; data.first_label=1" in refused(path, labels=TEN[:3])
    with pytest.raises(UserError, match=r"the labels are 1 … 3, class 0 has no images; data\.first_label=1"):
        with_images(stream_data(str(path)))
    data = load(path, first_label=1, labels=TEN[:3])
    assert np.array_equal(data.labels, LABELS)
    assert data.classes == ("0", "1", "2")
    assert "data.first_label=2: expected labels from 2 on in a.npz, got 1 as the lowest" in refused(path, first_label=2)
    names = photos(tmp_path / "set", ("cat", "dog"), 1)
    assert "data.first_label=1: expected labels from 1 on in set, got names, such as cat" in refused(
        names, size=9, first_label=1
    )


def test_labels_that_are_whole_floats_or_booleans(tmp_path: Path) -> None:
    assert np.array_equal(load(npz(tmp_path, IMAGES, LABELS.astype(float))).labels, LABELS)
    assert np.array_equal(load(npz(tmp_path, IMAGES, LABELS > 0)).labels, LABELS > 0)


# --- folders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("train", "test"), [("train", "val"), ("Train", "Test"), ("training", "validation")])
def test_train_and_validation_folders(tmp_path: Path, train: str, test: str) -> None:
    photos(tmp_path / train, ("cat", "dog"), 3)
    photos(tmp_path / test, ("cat", "dog"), 1)
    photos(tmp_path / "__MACOSX" / train, ("cat",), 1)
    counts = [len(load_data(str(tmp_path), split=split, size=9).images) for split in ("train", "test")]  # type: ignore[arg-type]
    assert counts == [6, 2]


def test_a_train_folder_alone(tmp_path: Path) -> None:
    photos(tmp_path / "train", ("cat", "dog"), 6)
    assert load_data(str(tmp_path), split="test", size=9).classes == ("cat", "dog")


def test_what_other_programs_leave_is_no_class(tmp_path: Path) -> None:
    photos(tmp_path, ("cat", "dog"), 1)
    for name in ("__MACOSX", ".git", "@eaDir", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / "cat" / "._0.png").write_bytes(b"no picture")
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"no picture")
    assert len(load(tmp_path, size=9).images) == 2


@pytest.mark.parametrize("inner", ["raw", "MNIST/raw"])
def test_a_set_further_down_is_named(tmp_path: Path, inner: str) -> None:
    (tmp_path / inner).mkdir(parents=True)
    for name, array in (("train-images-idx3-ubyte", IMAGES), ("train-labels-idx1-ubyte", LABELS)):
        (tmp_path / inner / name).write_bytes(idx(array))
    assert f"IDX files further down; give data.path={tmp_path / inner}" in refused(tmp_path)
    assert len(load(tmp_path / inner).images) == 24
    assert len(load(tmp_path / inner / "train-images-idx3-ubyte").images) == 24


def test_idx_files_with_a_prefix(tmp_path: Path) -> None:
    for name, array in (("train-images-idx3-ubyte", IMAGES), ("train-labels-idx1-ubyte", LABELS + 1)):
        (tmp_path / f"emnist-letters-{name}").write_bytes(idx(array))
    assert np.array_equal(load(tmp_path, first_label=1).labels, LABELS)


def test_pictures_and_arrays_further_down_or_up(tmp_path: Path) -> None:
    photos(tmp_path / "a" / "set", ("cat", "dog"), 1)
    assert f"but folders; if those are the classes, give data.path={tmp_path / 'a' / 'set'}" in refused(tmp_path / "a")
    assert "got 1 picture in no folder of a class" in refused(tmp_path / "a" / "set" / "cat")
    npz(tmp_path / "a" / "set" / "cat", IMAGES)
    assert f"give data.path={tmp_path / 'a' / 'set' / 'cat' / 'a.npz'}" in refused(tmp_path / "a" / "set" / "cat")


def test_statistics_of_other_classes_have_another_fingerprint() -> None:
    statistics = random_statistics((8, 8, 1), classes=2)
    found = {replace(statistics, numbers=numbers).fingerprint for numbers in ((), (1, 3), (3, 1))}
    assert len(found) == 3
    assert statistics.fingerprint in found
