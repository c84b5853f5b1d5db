"""`fooling classify`: pictures of every kind made images, by hand; the fitting; what is read and what is rejected."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from builders import DATA, needs_mnist, random_network
from PIL import Image, ImageDraw

import fooling
from fooling.commands import dispatch
from fooling.data.drawings import fit, ink_of, light_on_dark, read_drawing, read_grey, resized
from fooling.errors import UserError, guarded
from fooling.records.files import png
from fooling.records.record import read_image

SHAPE = (28, 28)


def drawn(size: tuple[int, int] = (120, 140), ground: int = 255, ink: int = 0) -> Image.Image:
    picture = Image.new("L", size, ground)
    ImageDraw.Draw(picture).line([(30, 50), (40, 25), (70, 20), (85, 45), (30, 115), (90, 115)], fill=ink, width=9)
    return picture


def classified(*words: str) -> dict:
    assert guarded(dispatch, ["classify", *words, "out=c", "overwrite=true", "quiet=true"]) == 0
    return json.loads(Path("c/classify.json").read_text())


# --- grey ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "level", "said"),
    [
        (Image.new("L", (4, 4), 70), 70, "grey"),
        (Image.new("RGB", (4, 4), (200, 100, 50)), round(0.299 * 200 + 0.587 * 100 + 0.114 * 50), "made grey"),
        (Image.new("1", (4, 4), 1), 255, "black and white"),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 255, "transparent parts made white"),
        (Image.new("LA", (4, 4), (200, 0)), 255, "transparent parts made white"),
        (Image.fromarray(np.full((4, 4), 257 * 90, np.uint16)), 90, "16 bits made 8"),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 255)), 0, "made grey"),
        (Image.new("P", (4, 4), 0), 0, "made grey"),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_grey(tmp_path: Path, picture: Image.Image, level: int, said: str) -> None:
    path = tmp_path / f"p.{'tif' if picture.mode in ('CMYK', 'LA') else 'png'}"
    picture.save(path)
    grey, done = read_grey(path)
    assert grey.shape == (4, 4)
    assert np.abs(grey - level).max() <= 1
    assert said in "; ".join(done)


def test_real_numbers_are_stretched(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 0.5, 16, dtype=np.float32).reshape(4, 4)).save(tmp_path / "p.tif")
    grey, done = read_grey(tmp_path / "p.tif")
    assert (grey.min(), grey.max()) == pytest.approx((0, 255))
    assert "levels 0 … 0.5 made 0 … 255" in done


def test_what_is_drawn_light_on_nothing_gets_a_black_ground(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((250, 250, 250, 255), (8, 4, 12, 16))
    picture.save(tmp_path / "p.png")
    grey, done = read_grey(tmp_path / "p.png")
    assert (grey[0, 0], grey[10, 10]) == (0, 250)
    assert "transparent parts made black" in done


def test_pictures_are_turned_as_their_exif_data_say(tmp_path: Path) -> None:
    picture = drawn((120, 140))
    turned = picture.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    turned.save(tmp_path / "p.jpg", exif=exif, quality=95)
    grey, done = read_grey(tmp_path / "p.jpg")
    assert grey.shape == (140, 120)
    assert np.abs(grey - np.asarray(picture)).mean() < 3
    assert "turned upright (EXIF)" in done


# --- light on dark ------------------------------------------------------------------------------------------------------


def test_the_frame_tells_which_is_the_ground() -> None:
    dark_on_light = np.asarray(drawn(), dtype=np.float64)
    light, said = light_on_dark(dark_on_light)
    assert np.array_equal(light, 255 - dark_on_light)
    assert said == "inverted: its frame is light (grey 255), so it is dark ink on light ground"
    again, said = light_on_dark(light)
    assert np.array_equal(again, light)
    assert said.startswith("not inverted: its frame is dark (grey 0)")
    grey_paper = np.asarray(drawn(ground=90, ink=10), dtype=np.float64)  # dark, but lighter than its ink
    assert light_on_dark(grey_paper)[1].startswith("inverted")


def test_ground_becomes_black_and_ink_white() -> None:
    random = np.random.default_rng(0)
    light = np.asarray(drawn(ground=40, ink=190), dtype=np.float64) + random.normal(0, 2, (140, 120))
    ink, said = ink_of(light)
    is_ink = np.asarray(drawn()) == 0
    assert np.median(ink[is_ink]) > 245
    assert (ink[~is_ink] < 8).mean() > 0.99
    assert re.fullmatch(r"grey levels 4\d … 1(89|9\d) made 0 … 255", said[0])
    clean = np.asarray(drawn(ground=0, ink=253), dtype=np.float64)
    assert np.array_equal(ink_of(clean)[0], clean)  # MNIST's own levels stay as they are


# --- fitting ------------------------------------------------------------------------------------------------------------


def test_fitted_into_the_box_with_its_mass_in_the_centre() -> None:
    for offset in ((0, 0), (60, 0), (0, 90)):
        picture = Image.new("L", (200, 260), 0)
        picture.paste(drawn(ground=0, ink=255), offset)
        image, said = fit(np.asarray(picture, dtype=np.float64), SHAPE)
        rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
        assert rows[-1] - rows[0] + 1 == 20
        assert columns[-1] - columns[0] + 1 <= 14  # in proportion
        weight = image.astype(float)
        centre = [(weight.sum(axis=1 - axis) * (np.arange(28) + 0.5)).sum() / weight.sum() for axis in (0, 1)]
        assert centre == pytest.approx([14, 14], abs=0.55)
        assert image.max() == 255
        assert "scaled to 13×20 (box 20×20)" in said[0] or "scaled to 12×20 (box 20×20)" in said[0]


@pytest.mark.parametrize(("shape", "box"), [((8, 8), 6), ((32, 32), 23), ((56, 28), 20)])
def test_the_box_scales(shape: tuple[int, int], box: int) -> None:
    image, _ = fit(np.full((50, 50), 255.0), shape)
    rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
    assert len(rows) == len(columns) == box
    assert image.shape == shape


def test_nothing_is_cut_off() -> None:
    ink = np.zeros((100, 100))
    ink[:3, :] = ink[:, :3] = 255  # its mass lies a quarter down and to the right: moved to the middle, it would be cut
    image, said = fit(ink, SHAPE)
    assert said[-1] == "as far as nothing is cut off"
    assert image[-20:, -20:].sum() == image.sum()
    assert (image[-20] > 0).sum() == (image[:, -20] > 0).sum() == 20
    assert fit(ink, (44, 20))[0].sum() > 0


def test_thin_lines_stay_light() -> None:
    ink = np.zeros((1000, 1000))
    ink[100:900, 499:502] = 255
    small = resized(ink, (20, 20))
    assert small.max() == pytest.approx(255)
    assert small.shape == (20, 20)
    assert np.array_equal(resized(small, (20, 20)), small)


@needs_mnist
def test_images_of_the_set_stay_as_they_are(tmp_path: Path) -> None:
    network, data = fooling.load_classifier(), fooling.load_data(DATA, split="test")
    plain, fitted = [], []
    for number in range(0, 400, 4):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(data.images[number]))
        drawing = read_drawing(path, SHAPE)
        assert np.array_equal(drawing.plain, data.images[number][:, :, 0])
        plain.append(drawing.plain)
        fitted.append(drawing.fitted)
    right = [(network(np.stack(images)[..., None]).argmax(axis=1) == data.labels[0:400:4]).mean() for images in (plain, fitted)]
    assert right[0] > 0.96
    assert right[1] > 0.94  # their box is 20×20 already, but for what rounding does


# --- the command --------------------------------------------------------------------------------------------------------


def test_off_its_centre_it_is_misread_and_fitted_it_is_read(home: Path) -> None:
    corner = Image.new("L", (320, 320), 255)
    corner.paste(drawn(), (200, 180))
    corner.save("corner.png")
    (entry,) = classified("corner.png")["pictures"]
    assert (entry["fitted"]["label"], entry["fitted"]["rejected"]) == ("2", False)
    assert entry["fitted"]["score"] > 0.95
    assert entry["plain"]["rejected"] or entry["plain"]["label"] != "2"
    assert entry["done"][-1].startswith("inverted")
    assert entry["fitted"]["done"][-1] == "centre of mass moved to the centre"


def test_scores_are_the_networks(home: Path) -> None:
    drawn().save("two.png")
    found = classified("two.png", "classifier=mnist_cnn")
    network = fooling.load_classifier("mnist_cnn")
    (entry,) = found["pictures"]
    for way in ("plain", "fitted"):
        shown = read_image(Path("c") / entry[way]["image"])
        assert entry[way]["scores"] == pytest.approx(network(shown[None])[0].tolist(), abs=1e-6)
    assert found["threshold"] == 0.9


def test_an_evolved_image_is_shown_as_it_is(home: Path) -> None:
    fooling.evolve(digit=3, prior="none", runs=1, out="r")
    confidence = json.loads(Path("r/run.json").read_text())["images"][0]["confidence"]
    found = classified("r/images/0000.png")
    entry = found["pictures"][0]["plain"]
    assert (entry["label"], entry["score"]) == ("3", confidence)
    assert found["threshold"] == 0.5
    assert entry["done"] == ["size and levels kept"]


def test_without_centring(home: Path) -> None:
    drawn().save("two.png")
    (entry,) = classified("two.png", "centre=false")["pictures"]
    assert "fitted" not in entry
    assert [path.name for path in Path("c/shown").iterdir()] == ["0000-plain.png"]


def test_rejected_below_the_threshold(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn().save("two.png")
    score = classified("two.png")["pictures"][0]["fitted"]["score"]
    for threshold, is_rejected in ((score - 1e-4, False), (min(1, score + 1e-4), True)):
        found = classified("two.png", f"threshold={threshold}")
        assert found["pictures"][0]["fitted"]["rejected"] is is_rejected
    assert guarded(dispatch, ["classify", "two.png", f"threshold={score + 1e-4}", "out=d"]) == 0
    assert "rejected (best: 2, " in capsys.readouterr().out


def test_other_shapes_and_colour(home: Path) -> None:
    drawn().save("two.png")
    for shape in ((8, 8, 1), (32, 32, 3), (9, 13, 1)):
        random_network(shape).save(Path("n.safetensors"))
        (entry,) = classified("two.png", "classifier.path=n.safetensors", "ink=true")["pictures"]
        assert read_image(Path("c") / entry["fitted"]["image"]).shape == shape


def test_a_photo_is_shown_to_a_classifier_of_colours_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = np.full((40, 60, 3), (240, 120, 60), np.uint8)  # light at its frame: a drawing would be inverted
    photo[10:30, 20:40] = (10, 200, 30)
    Image.fromarray(photo).save("cat.png")
    network = random_network((20, 20, 3))
    network.save(Path("n.safetensors"))
    found = classified("cat.png", "classifier.path=n.safetensors")
    (entry,) = found["pictures"]
    assert "fitted" not in entry
    assert entry["plain"]["done"] == ["scaled and cropped in the centre to 20×20"]
    shown = read_image(Path("c") / entry["plain"]["image"])
    assert shown[0, 0].tolist() == [240, 120, 60]
    assert shown[10, 10].tolist() == pytest.approx([10, 200, 30], abs=12)
    assert entry["plain"]["scores"] == pytest.approx(network(shown[None])[0].tolist(), abs=1e-6)
    assert guarded(dispatch, ["classify", "cat.png", "classifier.path=n.safetensors", "out=d"]) == 0
    said = capsys.readouterr().out
    assert "as it is" in said
    assert "inverted" not in said
    drawn_as = classified("cat.png", "classifier.path=n.safetensors", "ink=true")["pictures"][0]
    assert drawn_as["done"][-1].startswith("inverted")
    assert {"plain", "fitted"} <= drawn_as.keys()


def test_a_classifier_of_grey_images_may_see_the_photo_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (50, 40), (200, 100, 50)).save("plain.png")  # of one colour: no drawing
    (entry,) = classified("plain.png", "ink=false")["pictures"]
    assert (read_image(Path("c") / entry["plain"]["image"]) == 124).all()
    assert entry["plain"]["done"] == ["colours as grey", "scaled and cropped in the centre to 28×28"]
    drawn().save("two.png")
    assert guarded(dispatch, ["classify", "two.png", "out=d"]) == 0
    assert "as it is" not in capsys.readouterr().out  # it is inverted


def test_files_may_stand_as_a_setting(home: Path) -> None:
    drawn().save("a=b.png")
    drawn().save("c.png")
    assert [entry["file"] for entry in classified("a=b.png", "c.png")["pictures"]] == ["a=b.png", "c.png"]
    assert [entry["file"] for entry in classified("files=[c.png]")["pictures"]] == ["c.png"]


@pytest.mark.exhaustive
def test_many_are_drawn_in_part(home: Path) -> None:
    drawn().save("c.png")
    assert len(classified(*["c.png"] * 22)["pictures"]) == 22


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "fooling classify: expected image files, as in fooling classify two.png photo.jpg"),
        (["nowhere.png"], "nowhere.png: no such file; expected a picture (PNG, JPEG, …)"),
        (["folder"], "folder: expected a picture's file, got a folder; name its pictures, such as folder/*.png"),
        (["two.png", "bad.png"], "bad.png: is not a picture that can be read (cannot identify image file"),
        (["half.png"], "half.png: is not a picture that can be read ("),
        (["blank.png"], "blank.png: expected ink on a plain ground, got a blank picture"),
        (["nan.tif"], "nan.tif: holds numbers that are not finite"),
        (["wide.png"], "wide.png: expected at most 16384 pixels a side, got 20000×1"),
        (["two.png", "threshold=0"], "threshold: expected more than 0, got 0"),
        (["two.png", "centre=no"], "centre: expected true or false, got no"),
    ],
    ids=str,
)
def test_refusals(home: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawn().save("two.png")
    Path("folder").mkdir()
    Path("bad.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    Path("half.png").write_bytes(Path("two.png").read_bytes()[:200])
    Image.new("L", (30, 30), 200).save("blank.png")
    Image.fromarray(np.full((5, 5), np.nan, np.float32)).save("nan.tif")
    Image.new("L", (20000, 1), 200).save("wide.png")
    assert guarded(dispatch, ["classify", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert not Path("runs").exists()


def test_a_drawing_without_ink_is_refused_by_the_function(tmp_path: Path) -> None:
    Image.new("L", (30, 30), 0).save(tmp_path / "p.png")
    with pytest.raises(UserError, match=r"p\.png: expected ink on a plain ground"):
        read_drawing(tmp_path / "p.png", SHAPE)
