"""Pictures on disk as images: a folder per class."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fooling.errors import UserError

Bytes = npt.NDArray[np.uint8]

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LARGEST = 4096  # pixels a side
GREY = {"1", "L"}  # Pillow's modes that are read as one channel; others are read as red, green, blue


def read_folder(folder: Path) -> tuple[Bytes, npt.NDArray[np.int64], tuple[str, ...]]:
    """Pictures folder/CLASS/NAME.png → images [N, H, W, C], labels [N], names of the classes. Raises UserError.

    Folders named by whole numbers are the classes of those numbers; others are numbered in the order of their names.
    """
    folders = sorted((child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")), key=by_number)
    if not folders:
        raise UserError(f"{folder}: expected a folder of pictures per class, got none")
    numbered = all(child.name.isdecimal() and int(child.name) < 1000 for child in folders)
    classes = [str(k) for k in range(int(folders[-1].name) + 1)] if numbered else [child.name for child in folders]
    if numbered and len({int(child.name) for child in folders}) < len(folders):
        raise UserError(f"{folder}: two folders are named by the same class number; expected one folder per class")
    images: list[Bytes] = []
    labels: list[int] = []
    for position, child in enumerate(folders):
        paths = sorted(p for p in child.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "." and p.is_file())
        if not paths:
            raise UserError(f"{child}: class {child.name} has no pictures ({', '.join(sorted(ENDINGS))})")
        for path in paths:
            images.append(read_picture(path))
            labels.append(int(child.name) if numbered else position)
            if images[-1].shape[:2] != images[0].shape[:2]:
                size, first = "×".join(map(str, images[-1].shape[:2])), "×".join(map(str, images[0].shape[:2]))
                raise UserError(f"{path}: expected {first} pixels as in the first picture, got {size} (height × width)")
    return as_one(images), np.array(labels, dtype=np.int64), tuple(classes)


def by_number(path: Path) -> tuple[int, int, str]:
    """Sorts 2 before 10, numbers before words."""
    return (0, int(path.name), path.name) if path.name.isdecimal() else (1, 0, path.name)


def read_picture(path: Path) -> Bytes:
    """One picture, uint8 [H, W, C]: C = 1 if it is grey, else 3; transparent parts are black."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if max(picture.size) > LARGEST:  # before decoding: a small file may hold a huge picture
                raise UserError(f"{path}: expected at most {LARGEST} pixels a side, got {picture.width}×{picture.height}")
            if picture.mode in GREY:
                return np.asarray(picture.convert("L"))[:, :, None]
            if picture.mode not in ("RGB", "RGBA", "P", "LA", "PA", "CMYK", "YCbCr"):
                raise UserError(f"{path}: pictures of 8 bits a channel are read, this one is {picture.mode}")
            full = picture.convert("RGBA")
            black = Image.new("RGBA", full.size, (0, 0, 0, 255))
            pixels = np.asarray(Image.alpha_composite(black, full).convert("RGB"))
            return pixels[:, :, :1] if picture.mode in ("LA", "PA") else pixels
    except UserError:
        raise
    except Exception as error:  # a damaged picture raises almost anything
        raise UserError(f"{path}: is not a picture that can be read ({error})") from error


def as_one(images: list[Bytes]) -> Bytes:
    """All pictures as [N, H, W, C]; grey ones among coloured ones get three equal channels."""
    channels = max(image.shape[2] for image in images)
    return np.stack([np.repeat(image, channels, axis=2) if image.shape[2] < channels else image for image in images])
