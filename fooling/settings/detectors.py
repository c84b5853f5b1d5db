"""The names of the detectors, as settings have them: of `fooling audit`, of `fooling detect`, and of evasion by a search."""

from collections.abc import Sequence

from fooling.settings.files import nearest

AUDITED = ("largest_score", "entropy", "energy", "largest_logit", "simple_statistics")  # fitted to no training images
DETECTORS = (
    *AUDITED,
    "temperature",
    "kl_matching",
    "mahalanobis",
    "relative_mahalanobis",
    "knn_features",
    "vim",
    "knn_pixels",
    "pixel_density",
    "statistics_distance",
)
EVADABLE = tuple(name for name in DETECTORS if name != "simple_statistics")  # which is fitted to the evolved images themselves


def check_names(names: tuple[str, ...], known: Sequence[str]) -> tuple[str, ...]:
    """Names of detectors, each once. Raises ValueError for others."""
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"a list of {', '.join(known)}; {name} is none of them{hint}")
    return tuple(dict.fromkeys(names))


def check_evadable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of detectors that a search can evade. Raises ValueError for others."""
    return check_names(names, EVADABLE)


def check_detectors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of detectors, or all. Raises ValueError for others."""
    if names == ("all",):
        return names
    if not names:
        raise ValueError(f"all, or a list of {', '.join(DETECTORS)}")
    return check_names(names, DETECTORS)
