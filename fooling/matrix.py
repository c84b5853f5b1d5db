"""The matrix of mismatched pairs: how often an image that others read as class a fools the network into class b."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier
from fooling.classifiers.convolutional import ConvolutionalNetwork
from fooling.errors import UserError
from fooling.job import Job
from fooling.judges import share
from fooling.result import Result

Flags = npt.NDArray[np.bool_]

SURE = 0.9  # from this score on a judge reads the prior's class


def split_judges(judges: Mapping[str, Classifier], attacked: Classifier) -> tuple[list[str], list[str]]:
    """Those that judge, and those asked whether the error transfers: networks of the attacked one's kind share it."""
    transfer = [name for name, judge in judges.items() if type(judge) is type(attacked)]
    others = [name for name in judges if name not in transfer]
    if not others:
        other = "mnist_mlp" if isinstance(attacked, ConvolutionalNetwork) else "mnist_cnn"
        raise UserError(f"judges: the matrix needs one of another kind than the attacked network, for example judges={other}")
    return others, transfer


def fooled(result: Result, prior_digit: int, threshold: float, judges: Sequence[str]) -> Flags:
    """Whether the network is sure of the wanted class while every judge is sure of the prior's, [R]."""
    sure = (result.confidence >= threshold) & (result.predicted == result.digit)
    return np.asarray(np.logical_and.reduce([sure, *(result.judges[name][:, prior_digit] >= SURE for name in judges)]))


def pair(job: Job, result: Result, judges: Sequence[str], transfer: Sequence[str]) -> dict[str, Any]:
    """What matrix.json says of a pair; `shown` is the image that fools best, by the least sure of network and judges."""
    prior_digit = job.prior_digit
    fools = fooled(result, prior_digit, job.plan.threshold, judges)
    also = np.logical_and.reduce([fools, *(result.judges[name].argmax(axis=1) == result.digit for name in transfer)])
    sure = np.min([result.confidence, *(result.judges[name][:, prior_digit] for name in judges)], axis=0)
    best = int(np.argmax(fools + sure / 2))
    return {
        "prior": prior_digit,
        "digit": result.digit,
        "folder": job.name,
        "images": len(fools),
        "fooled": int(fools.sum()),
        "transferred": int(also.sum()),
        "shown": best,
    }


def summary(jobs: Sequence[Job], results: Sequence[Result]) -> dict[str, Any]:
    """All of matrix.json: the pairs, and the shares with their 95 % intervals (Wilson)."""
    judges, transfer = split_judges(jobs[0].judges, jobs[0].objective.classifier)
    pairs = [pair(job, result, judges, transfer) for job, result in zip(jobs, results, strict=True)]
    images, fools = (sum(entry[name] for entry in pairs) for name in ("images", "fooled"))
    transferred = sum(entry["transferred"] for entry in pairs)
    return {
        "labels": list(jobs[0].objective.classifier.labels),
        "judges": judges,
        "transfer": transfer,
        "control": jobs[0].settings.control,
        "threshold": jobs[0].plan.threshold,
        "sure": SURE,
        "pairs_fooled": share(sum(entry["fooled"] > 0 for entry in pairs), len(pairs)),
        "images_fooled": share(fools, images),
        "images_transferred": share(transferred, fools) if transfer and fools else None,
        "seconds_per_image": round(sum(result.seconds for result in results) / images, 3),
        "pairs": pairs,
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """What is said of it in words."""

    def told(entry: Mapping[str, Any], what: str) -> str:
        return f"{entry['part']} of {entry['of']} {what} ({entry['share']:.0%}, 95 %: {entry['low']:.0%}–{entry['high']:.0%})"

    said = ["control: the classifier had the weight 0"] if found["control"] else []
    said += [
        told(found["pairs_fooled"], "pairs with at least one image that fools"),
        told(found["images_fooled"], "images fool"),
    ]
    if found["images_transferred"]:
        said.append(told(found["images_transferred"], f"of these also fool {', '.join(found['transfer'])}"))
    return said
