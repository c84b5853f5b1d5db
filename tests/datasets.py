"""Data sets on disk, one writer for each format."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from builders import random_images
from PIL import Image


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray, pack: Callable[[bytes], bytes] = bytes) -> Path:
    folder.mkdir()
    images = images[..., 0] if images.shape[3] == 1 else images
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        (folder / f"train-{name}-ubyte").write_bytes(pack(idx(array)))
    return folder


def write_gz(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    return write_idx(folder, images, labels, lambda content: gzip.compress(content, 1))


def write_npz(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez(folder.with_suffix(".npz"), images=images, labels=labels)
    return folder.with_suffix(".npz")


def write_fractions(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez_compressed(folder.with_suffix(".npz"), x_train=images / np.float32(255), y_train=labels[:, None].astype(np.uint16))
    with np.load(folder.with_suffix(".npz")) as arrays:
        assert arrays["x_train"].dtype == np.float32
    return folder.with_suffix(".npz")


def write_fortran(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez(folder.with_suffix(".npz"), images=np.asfortranarray(images.astype(">i2")), labels=labels)
    return folder.with_suffix(".npz")


def write_pictures(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    for k in np.unique(labels):
        (folder / str(k)).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(folder / str(label) / f"{i:05d}.png")
    return folder


WRITERS = [write_idx, write_gz, write_npz, write_fractions, write_fortran, write_pictures]


def mixed(shape: tuple[int, int, int], number: int = 53) -> tuple[np.ndarray, np.ndarray]:
    """Images of four classes of uneven size, in no order."""
    images = random_images(shape, number)
    return images, np.random.default_rng(5).permutation(np.arange(len(images)) % 7 % 4)
