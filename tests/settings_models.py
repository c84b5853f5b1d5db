"""The settings of every command, and helpers of the tests that walk them."""

from typing import Any

from fooling.settings import load
from fooling.settings.classifiers import ExternalSettings
from fooling.settings.commands import (
    DoctorSettings,
    ExamineSettings,
    GallerySettings,
    LadderSettings,
    MatrixSettings,
    PlausibilitySettings,
    RenderSettings,
    StatsSettings,
    TrainSettings,
)
from fooling.settings.experiments import (
    BorderSettings,
    ClassifySettings,
    DamageSettings,
    EigenSettings,
    MeanSettings,
    ScrambleSettings,
)
from fooling.settings.names import models, tags
from fooling.settings.schema import RunSettings
from fooling.settings.transfer import TransferSettings

MODELS = {
    "run": RunSettings,
    "ladder": LadderSettings,
    "matrix": MatrixSettings,
    "gallery": GallerySettings,
    "stats": StatsSettings,
    "train": TrainSettings,
    "plausibility": PlausibilitySettings,
    "render": RenderSettings,
    "examine": ExamineSettings,
    "doctor": DoctorSettings,
    "eigen": EigenSettings,
    "mean": MeanSettings,
    "classify": ClassifySettings,
    "border": BorderSettings,
    "scramble": ScrambleSettings,
    "damage": DamageSettings,
    "transfer": TransferSettings,
}
UNIONS = {group: models(RunSettings.model_fields[group].annotation) for group in ("search", "classifier", "launcher")}


def run(*words: str) -> Any:
    return load(words, RunSettings, "run")


def choose(group: str, name: str) -> list[str]:
    """The words of a choice, with what it needs besides."""
    external = group == "classifier" and any(name in tags(kind) for kind in models_of(ExternalSettings))
    members = ["classifier.members=[a,b]"] if name == "ensemble" else []
    return [f"{group}={name}", *(["classifier.path=a:b"] if external else []), *members]


def models_of(base: type) -> list[type]:
    return [kind for kinds in UNIONS.values() for kind in kinds if issubclass(kind, base)]
