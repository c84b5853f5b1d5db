"""Evolve images that an image classifier is sure about, and see what it really believes.

`fooling.evolve(digit=2, runs=20)` is the command `python -m fooling.run digit=2 runs=20` as a function.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fooling.classifiers import load_classifier
    from fooling.classifiers.constructors import Classifier
    from fooling.classifiers.detection import plausibility
    from fooling.commands.ask_tell import Search
    from fooling.commands.audit.python import Audit, audit
    from fooling.commands.ladder_result import Ladder, ladder
    from fooling.data import ImageSet, load_data
    from fooling.errors import FoolingWarning, UserError
    from fooling.run import evolve
    from fooling.search.result import Result
    from fooling.statistics import Statistics

__version__ = "0.1.0"

# Public names and where they live; a module is imported when its name is first used, so that `import fooling` is quick.
PUBLIC = {
    "Audit": "fooling.commands.audit.python",
    "Classifier": "fooling.classifiers.constructors",
    "FoolingWarning": "fooling.errors",
    "ImageSet": "fooling.data",
    "Ladder": "fooling.commands.ladder_result",
    "Result": "fooling.search.result",
    "Search": "fooling.commands.ask_tell",
    "Statistics": "fooling.statistics",
    "UserError": "fooling.errors",
    "audit": "fooling.commands.audit.python",
    "evolve": "fooling.run",
    "ladder": "fooling.commands.ladder_result",
    "load_classifier": "fooling.classifiers",
    "load_data": "fooling.data",
    "plausibility": "fooling.classifiers.detection",
}
__all__ = [
    "Audit",
    "Classifier",
    "FoolingWarning",
    "ImageSet",
    "Ladder",
    "Result",
    "Search",
    "Statistics",
    "UserError",
    "audit",
    "evolve",
    "ladder",
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
