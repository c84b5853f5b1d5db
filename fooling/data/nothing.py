"""Images that show none of a classifier's classes: blank, noise, real images without their arrangement or of other things."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits, load_sample_images

from fooling.data.images import Shape
from fooling.data.matching import all_in_shape, has_numbers, plain
from fooling.errors import UserError
from fooling.kernels.tables import LEVELS, Bytes

KINDS = ("blank", "even_noise", "shuffled", "phase_scrambled", "foreign")
NEEDS_REAL = ("shuffled", "phase_scrambled")
COLOURS = 256  # random ones besides the grey levels
SMALLEST_CROP = 0.25  # of the photograph's shorter side
TEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Nothing(NamedTuple):
    """Images of one kind, and what to know about them."""

    images: Bytes  # [N, H, W, C]
    note: str


def images_of_nothing(
    shape: Shape, labels: Sequence[str], real: Bytes | None = None, number: int = 500, seed: int = 0
) -> dict[str, Nothing]:
    """Images of each kind, at most `number` each, for a classifier of images (H, W, C) with these labels; always the same.

    Without `real` images, uint8 [M, H, W, C] of the classifier's own data, those made of them are left out. Raises UserError
    for real images of another size or none.
    """
    check(shape, real, number)
    found = {"blank": blank(shape, number, seed), "even_noise": even_noise(shape, number, seed)}
    if real is not None:
        chosen = sample(real, number, seed)
        found |= {"shuffled": shuffled(chosen, seed), "phase_scrambled": phase_scrambled(chosen, seed)}
    return {**found, "foreign": foreign(shape, labels, number, seed)}


def check(shape: Shape, real: Bytes | None, number: int) -> None:
    """Raises UserError for what no images can be made of."""
    if number < 2:
        raise UserError(f"images of nothing: expected at least 2 of a kind, got {number}")
    if real is not None and (real.dtype != np.uint8 or real.shape[1:] != tuple(shape) or not len(real)):
        expected = f"expected real images uint8 [N, {', '.join(map(str, shape))}], N ≥ 1"
        raise UserError(f"images of nothing: {expected}, got {real.dtype} {list(real.shape)}")


def stream(kind: str, seed: int) -> np.random.Generator:
    """The random numbers of a kind: no kind depends on which others are made."""
    return np.random.default_rng([seed, KINDS.index(kind)])


def sample(real: Bytes, number: int, seed: int) -> Bytes:
    """So many of the real images at random, each at most once; all of them where there are no more."""
    if len(real) <= number:
        return real
    places = np.random.default_rng([seed, len(KINDS)]).choice(len(real), number, replace=False)
    return np.ascontiguousarray(real[np.sort(places)])


# --- kinds --------------------------------------------------------------------------------------------------------------
def blank(shape: Shape, number: int, seed: int = 0) -> Nothing:
    """Images of one level: all 256 grey levels, or so many evenly spaced; in colour also up to 256 random uniform colours."""
    in_colour = shape[2] > 1
    greys = min(LEVELS, (number + 1) // 2 if in_colour else number)
    colours = np.rint(np.linspace(0, LEVELS - 1, greys))[:, None].repeat(shape[2], axis=1)
    note = f"{greys} grey levels"
    if in_colour:
        others = min(COLOURS, number - greys)
        colours = np.concatenate([colours, stream("blank", seed).integers(0, LEVELS, (others, shape[2]))])
        note += f" and {others} random colours"
    images = np.broadcast_to(colours.astype(np.uint8)[:, None, None], (len(colours), *shape))
    return Nothing(np.ascontiguousarray(images), note)


def even_noise(shape: Shape, number: int, seed: int = 0) -> Nothing:
    """Each pixel and channel by itself, uniform in 0 … 255."""
    images = stream("even_noise", seed).integers(0, LEVELS, (number, *shape), dtype=np.uint8)
    return Nothing(images, "each pixel uniform in 0 … 255")


def smoothed_noise(shape: Shape, number: int, seed: int = 0) -> Nothing:
    """Noise blurred by Gaussians of 0.5 pixels to a quarter of the shorter side, stretched to random ranges of grey levels.

    No kind of `images_of_nothing`: it is trained on (Hein et al. 2019 train on smoothed noise), and the others are measured.
    """
    random, images = np.random.default_rng([seed, len(KINDS) + 1]), np.empty((number, *shape), dtype=np.uint8)
    for i in range(number):
        width = np.exp(random.uniform(np.log(0.5), np.log(max(1.0, min(shape[:2]) / 4))))
        levels = gaussian_filter(random.uniform(size=shape), (width, width, 0), mode="reflect")
        low, high = np.sort(random.uniform(0, LEVELS - 1, 2))
        spread = max(float(np.ptp(levels)), 1e-9)
        images[i] = np.rint(low + (high - low) * (levels - levels.min()) / spread)
    return Nothing(images, "even noise, blurred by Gaussians of random widths, of random ranges of grey levels")


def shuffled(real: Bytes, seed: int = 0) -> Nothing:
    """Real images [N, H, W, C] whose pixels change places at random, in each image otherwise; a pixel keeps its channels."""
    random, images = stream("shuffled", seed), np.empty_like(real)
    for i, image in enumerate(real):
        images[i] = random.permutation(image.reshape(-1, image.shape[2])).reshape(image.shape)
    return Nothing(images, "pixels of real images in random order")


def phase_scrambled(real: Bytes, seed: int = 0) -> Nothing:
    """Real images [N, H, W, C] with their Fourier amplitudes and random phases, rounded and clipped to 0 … 255.

    The phases of noise, which are antisymmetric, as those of a real image must be, are added to those of the image; all
    channels get the same ones, which keeps the relations of its colours. Amplitudes keep brightness, contrast and texture,
    phases place edges (Oppenheim & Lim 1981). Clipping changes the amplitudes: of dark images with a few light pixels a lot.
    """
    random, images, clipped = stream("phase_scrambled", seed), np.empty_like(real), 0
    height, width = real.shape[1:3]
    for i, image in enumerate(real):
        turn = np.fft.rfft2(random.standard_normal((height, width)))
        turn[0, 0] = 1  # the mean stays
        waves = np.fft.rfft2(image.astype(np.float64), axes=(0, 1)) * (turn / np.abs(turn))[:, :, None]
        levels = np.fft.irfft2(waves, s=(height, width), axes=(0, 1))
        clipped += int(((levels < -0.5) | (levels > LEVELS - 0.5)).sum())
        images[i] = np.rint(np.clip(levels, 0, LEVELS - 1))
    return Nothing(images, f"Fourier amplitudes of real images, random phases; {clipped / real.size:.0%} of the values clipped")


def foreign(shape: Shape, labels: Sequence[str], number: int, seed: int = 0) -> Nothing:
    """Real images of other things: handwritten digits, or crops of two photographs for a classifier of digits."""
    random = stream("foreign", seed)
    if reads_digits(labels):
        images = photographs(shape, number, random)
        return Nothing(images, f"{number} crops of two photographs, a temple and a flower (scikit-learn)")
    digits = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)[..., None]
    places = np.sort(random.choice(len(digits), min(number, len(digits)), replace=False))
    images, _ = all_in_shape(digits[places], shape, "fit")
    return Nothing(images, "handwritten digits, 8×8 enlarged (scikit-learn)")


def photographs(shape: Shape, number: int, random: np.random.Generator) -> Bytes:
    """Crops at random places and of random sizes, in the shape's proportions, of scikit-learn's two photographs in turn."""
    sources, crops = load_sample_images().images, []
    for i in range(number):
        photo = sources[i % len(sources)]
        fit = min(photo.shape[0] / shape[0], photo.shape[1] / shape[1])  # of the largest crop, pixels of it for one of ours
        sides = [max(1, round(side * fit * scale)) for scale in [random.uniform(SMALLEST_CROP, 1)] for side in shape[:2]]
        top, left = (random.integers(0, whole - side + 1) for whole, side in zip(photo.shape[:2], sides, strict=True))
        crops.append(photo[top : top + sides[0], left : left + sides[1]])
    return np.concatenate([all_in_shape(crop[None], shape, "stretch")[0] for crop in crops])


def reads_digits(labels: Sequence[str]) -> bool:
    """Whether the ten digits, as numbers or English words, are among the classes; more than ten numbers are unnamed classes."""
    names = {plain(label) for label in labels}
    numbered = names >= {str(k) for k in range(10)} and not (len(labels) > len(TEN) and has_numbers(labels))
    return numbered or names >= set(TEN)
