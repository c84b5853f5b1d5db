"""Genomes: what a search varies instead of pixels, and how numbers become images; one file for each, one row in GENOMES."""

from importlib import import_module
from typing import Any, Protocol

import numpy as np

from fooling.errors import UserError
from fooling.kernels.numba.compile import SMALLEST_SLICE, ThreadSlices
from fooling.kernels.tables import Bytes, Floats
from fooling.records.ownership import GENOMES as FILE
from fooling.records.record import Record

Shape = tuple[int, int, int]

MANY_CLASSES = 20  # above which patterns are found sooner than waves: docs/figures.md, "Large images"
NODES, STRUCTURES = 16, 8  # detail of patterns, and of other genomes
PATTERNS = ("cppn", "mixed")  # genomes whose detail is hidden nodes
DETAILED = ("dct", "grid")  # genomes whose detail is structures along the shorter side


class Genome(Protocol):
    """How vectors of D numbers, of which each is about 1 at the start, become images of one shape."""

    size: int  # D
    explored: int  # numbers, the first, that say where a hill is; the others are 0 until it is climbed

    def decode(self, genomes: Floats) -> Bytes:
        """Images uint8 [N, H, W, C] of genomes float32 [N, D]; each depends on its own genome alone."""

    def render(self, genomes: Floats, height: int, width: int) -> Bytes:
        """The same pictures at another size, uint8 [N, height, width, C]."""


GENOMES = {  # genome → module:class, imported when a job needs it
    "cppn": "fooling.search.genomes.cppn:NetworkGenome",
    "dct": "fooling.search.genomes.dct:CosineGenome",
    "grid": "fooling.search.genomes.grid:GridGenome",
    "levels": "fooling.search.genomes.levels:LevelGenome",
    "mixed": "fooling.search.genomes.mixed:MixedGenome",
    "pixels": "fooling.search.genomes.pixels:PixelGenome",
}


def make_genome(name: str, shape: Shape, detail: int) -> Genome:
    """The genome of images of a shape (H, W, C), with structures of up to `detail` along the shorter side, or as many nodes.

    Raises UserError for more structures than pixels.
    """
    side = min(shape[:2])
    if name in DETAILED and detail > side:
        raise UserError(f"search.detail: expected at most the {side} pixels of the shorter side, got {detail}")
    module, _, cls = GENOMES[name].partition(":")
    genome: Genome = getattr(import_module(module), cls)(shape, detail)
    return genome


def suited(search: Any, patterns: str, classes: int, shape: Shape) -> tuple[str, int]:
    """The genome and its detail in the settings of a search; where they leave it open what suits so many classes.

    `patterns` is the genome for many.
    """
    few_or_many = patterns if classes > MANY_CLASSES else "dct"
    name: str = few_or_many if search.genome == "auto" else search.genome
    usual = NODES if name in PATTERNS else structures(shape)
    return name, usual if search.detail is None else search.detail


def decode_all(genome: Genome, genomes: Floats, slices: ThreadSlices) -> Bytes:
    """Images uint8 [N, H, W, C] of genomes float32 [N, D], a few at a time: their real-valued pixels take much more memory."""
    images = slices.map(lambda lo, hi: genome.decode(genomes[lo:hi]), 0, len(genomes), size=SMALLEST_SLICE)
    return np.concatenate(images)


def save_genomes(record: Record, name: str, detail: int, shape: Shape, numbers: Floats) -> None:
    """Writes genomes.npz: the genome of each image, [R, D], and how it is decoded."""
    about = {"genome": np.array(name), "detail": np.array(detail), "shape": np.array(shape)}
    record.save_arrays(FILE, {"genomes": numbers, **about})


def structures(shape: Shape) -> int:
    """The usual detail of waves and coarse pictures: no more than pixels."""
    return min(STRUCTURES, *shape[:2])


def sides(shape: Shape, detail: int) -> tuple[int, int]:
    """Structures along both sides (rows, columns) of an image: `detail` along the shorter one, of about the same size."""
    height, width, _ = shape
    shorter = min(height, width)
    return max(1, round(detail * height / shorter)), max(1, round(detail * width / shorter))


def squash(values: Any) -> Bytes:
    """Grey levels of real numbers by the logistic function: 0 is mid-grey, ±5 nearly white and black."""
    levels = np.multiply(values, np.float32(-1))
    np.exp(np.minimum(levels, 80, out=levels), out=levels)
    levels += 1
    np.divide(np.float32(255), levels, out=levels)
    return np.asarray(np.rint(levels, out=levels).astype(np.uint8))
