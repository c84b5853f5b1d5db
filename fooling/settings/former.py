"""Records made before each search and each kind of classifier had its own class of settings.

Then one class held the settings of all searches, and one those of all classifiers, so such a config.yaml also lists settings
that its search or classifier does not have, nearly always at their defaults. Such a setting is left out when a file is read or
compared. A file that lists all of them is such a record, whatever their values; a new file may not list any other value.
"""

from typing import Any

from pydantic import BaseModel

from fooling.settings.files import Tree
from fooling.settings.names import owners

# Defaults as those records hold them. They never change: records stay as they are.
FORMER: dict[str, dict[str, Any]] = {
    "search": {
        "population": 100,
        "selected": 5,
        "crossover": "uniform",
        "rectangles": 0.0,
        "mutate_factor": 1.0,
        "min_rate": 0.0,
        "gaussians": 0.0,
        "gaussian_sd": 20.0,
        "polynomials": 0.0,
        "polynomial_eta": 20,
        "blurs": 0.0,
        "swaps": 2.0,
        "elitism": True,
        "proposals": 1000,
        "temperature": 0.002,
        "cooling": 2.0,
        "swap_share": 1.0,
        "climb": "log",
        "start": "noise",
        "image": None,
        "noise": 1.0,
        "size": None,
        "rate": None,
        "blur_sd": None,
        "blur_every": 1,
        "decay": 0.0,
        "ground": 127.5,
        "total_variation": 0.0,
        "jitter": None,
        "layer": None,
        "channel": None,
        "neuron": None,
        "octaves": 4,
        "octave_scale": 1.4,
        "again": 0,
        "zoom": 0.05,
        "losers": 0.05,
        "returns": "best",
    },
    "classifier": {
        "weights": None,
        "shape": None,
        "layout": "auto",
        "scale": 1 / 255,
        "mean": [0.0],
        "std": [1.0],
        "output": "auto",
        "output_name": None,
        "labels": [],
        "batch_size": "auto",
        "timeout": 10.0,
        "retries": 3,
    },
}


def without_former(tree: Tree, model: type[BaseModel]) -> Tree:
    """The settings of a file without those of other searches and classifiers at their former defaults."""
    result = dict(tree)
    for group, former in FORMER.items():
        settings = tree.get(group)
        if isinstance(settings, dict) and "name" in settings and group in model.model_fields:
            is_record = former.keys() <= settings.keys()
            result[group] = {
                key: value
                for key, value in settings.items()
                if key not in former or settings["name"] in owners(model, group, key) or not (is_record or value == former[key])
            }
    return result
