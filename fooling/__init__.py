"""Evolve images that an image classifier is sure about, and see what it really believes.

`fooling.evolve(digit=2, runs=20)` is the command `python -m fooling.run digit=2 runs=20` as a function.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fooling.api import evolve as evolve
    from fooling.classifiers import load_classifier as load_classifier
    from fooling.classifiers.base import Classifier as Classifier
    from fooling.data import ImageSet as ImageSet
    from fooling.data import load_data as load_data
    from fooling.detectors import plausibility as plausibility
    from fooling.errors import UserError as UserError
    from fooling.result import Result as Result
    from fooling.statistics import Statistics as Statistics

__version__ = "0.1.0"

# Public names and where they live; a module is imported when its name is first used, so that `import fooling` is quick.
PUBLIC = {
    "Classifier": "fooling.classifiers.base",
    "ImageSet": "fooling.data",
    "Result": "fooling.result",
    "Statistics": "fooling.statistics",
    "UserError": "fooling.errors",
    "evolve": "fooling.api",
    "load_classifier": "fooling.classifiers",
    "load_data": "fooling.data",
    "plausibility": "fooling.detectors",
}
__all__ = [
    "Classifier",
    "ImageSet",
    "Result",
    "Statistics",
    "UserError",
    "evolve",
    "load_classifier",
    "load_data",
    "plausibility",
]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'fooling' has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*PUBLIC, "__version__"])
