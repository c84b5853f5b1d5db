"""The table of commands: one file and one row each."""

from collections.abc import Mapping
from typing import NamedTuple

SETTINGS, EXPERIMENTS = "fooling.settings.commands", "fooling.settings.experiments"
COMPARED = "the command compares {}; choose with {}"


class Command(NamedTuple):
    """A row of the table of commands."""

    group: str  # of the overview
    summary: str
    settings: str  # module:class
    module: str  # has COMMAND, an object with run(settings, words) -> exit code
    usage: str = "key=value …"  # what follows `fooling NAME`
    made: Mapping[str, str] = {}  # full names of settings that the command makes itself, each with what to do instead
    positional: str = ""  # the setting that words without a = are of


COMMANDS = {
    "run": Command(
        "Attack",
        "evolve images that a classifier is confident about",
        "fooling.settings.schema:RunSettings",
        "fooling.commands.run",
        "[SETTINGS.yaml] key=value …   (or: python -m fooling.run …)",
    ),
    "audit": Command(
        "Audit",
        "one number, one page, an exit code: what a classifier is sure of, and how soon it is fooled",
        "fooling.settings.audit:AuditSettings",
        "fooling.commands.audit",
        "classifier=onnx classifier.path=model.onnx [data.path=PATH] [fail_under=…] key=value …",
    ),
    "compare": Command(
        "Audit",
        "finished records side by side: which figures differ beyond chance, the worst first",
        f"{SETTINGS}:CompareSettings",
        "fooling.commands.compare",
        "FOLDERS… [baseline=runs/main fail_if=worse] key=value …   (audits, ladders, matrices, runs, sweeps)",
        positional="folders",
    ),
    "report": Command(
        "Audit",
        "draw the page of a record: report.html, with report.json and report.csv",
        f"{SETTINGS}:ReportSettings",
        "fooling.commands.report",
        "FOLDER key=value …   (FOLDER: what any command has left)",
        positional="folder",
    ),
    "view": Command(
        "Audit",
        "records in a browser: a list, their pages, and the best images of those that run",
        f"{SETTINGS}:ViewSettings",
        "fooling.commands.view",
        "[FOLDER] key=value …   (FOLDER: what holds records, runs unless given; Ctrl-C ends it)",
        positional="folder",
    ),
    "harden": Command(
        "Audit",
        "train against fooling images, round by round, and measure what still wins",
        "fooling.settings.harden:HardenSettings",
        "fooling.commands.harden",
        "classifier=mlp data.path=PATH key=value …   (any other model: export=FOLDER leaves images and a recipe)",
    ),
    "ladder": Command(
        "Compare",
        "priors under three conditions: attack, control, prior of another class",
        f"{SETTINGS}:LadderSettings",
        "fooling.commands.ladder",
        "[digit=0,1,2] [rungs=…] [arms=…] key=value …   (settings hold for every prior)",
        {
            "control": COMPARED.format("the attack with its control", "arms=[with,control,mismatched]"),
            "prior.name": COMPARED.format("all priors", "rungs=[…]"),
            "preset": "a preset chooses a prior, and the command compares all; give its other settings one by one",
            "prior.digit": COMPARED.format("the target's prior with that of another class", "digit=0,1,2 and arms=[…]"),
        },
    ),
    "matrix": Command(
        "Compare",
        "images that held-out classifiers assign to one class and the classifier to another, for every pair",
        f"{SETTINGS}:MatrixSettings",
        "fooling.commands.matrix",
        "[digit=0,1,2] key=value …   (preset=mismatched unless another is given)",
        {"prior.digit": COMPARED.format("the priors of all classes", "digit=0,1,2")},
    ),
    "gallery": Command(
        "Compare",
        "all classes side by side, with and without blur: where evidence for each class lies",
        f"{SETTINGS}:GallerySettings",
        "fooling.commands.gallery",
        "search=ascent [digit=0,1,2] key=value …",
    ),
    "transfer": Command(
        "Compare",
        "who else is fooled: images made against each of several classifiers, shown to all of them",
        "fooling.settings.transfer:TransferSettings",
        "fooling.commands.transfer",
        "[RECORDS…] classifiers=[a,b] key=value …   (RECORDS: runs, sweeps, audits, ladders; none = it attacks each)",
        positional="records",
    ),
    "examine": Command(
        "Inspect",
        "check a classifier: outputs, batches, speed, accuracy",
        f"{SETTINGS}:ExamineSettings",
        "fooling.commands.examine",
        "classifier=onnx classifier.path=model.onnx data.path=PATH key=value …",
    ),
    "classify": Command(
        "Inspect",
        "classify your own drawings and photos",
        f"{EXPERIMENTS}:ClassifySettings",
        "fooling.commands.classify",
        "FILES… key=value …   (images: PNG, JPEG, …; colour, alpha, 16 bits)",
        positional="files",
    ),
    "plausibility": Command(
        "Inspect",
        "how well simple detectors separate the images of a record from real ones",
        f"{SETTINGS}:PlausibilitySettings",
        "fooling.commands.plausibility",
        "FOLDER data.path=PATH [classifier.path=CODE or URL, again] key=value …   (FOLDER: a record, or a sweep)",
        positional="folder",
    ),
    "detect": Command(
        "Inspect",
        "which detectors tell the images of records from real ones, by genome and prior",
        "fooling.settings.detect:DetectSettings",
        "fooling.commands.detect",
        "FOLDERS… data.path=PATH [detectors=…] [layer=NAME] key=value …   (FOLDERS: runs, sweeps, audits, ladders)",
        positional="folders",
    ),
    "render": Command(
        "Inspect",
        "draw the images of a record at any size (search=es)",
        f"{SETTINGS}:RenderSettings",
        "fooling.commands.render",
        "FOLDER size=1024 key=value …",
        positional="folder",
    ),
    "border": Command(
        "Experiments",
        "translation and scale robustness: accuracy of shifted and resized digits",
        f"{EXPERIMENTS}:BorderSettings",
        "fooling.commands.border",
        "data.path=PATH key=value …",
    ),
    "scramble": Command(
        "Experiments",
        "background noise: accuracy and confidence as the background is replaced",
        f"{EXPERIMENTS}:ScrambleSettings",
        "fooling.commands.scramble",
        "data.path=PATH key=value …",
    ),
    "damage": Command(
        "Experiments",
        "neuron ablation: what damaged networks still classify, and what evolves against them",
        f"{EXPERIMENTS}:DamageSettings",
        "fooling.commands.damage",
        "[data.path=PATH] dosage=0.01,0.1,1,10 key=value …",
    ),
    "eigen": Command(
        "Experiments",
        "principal components of a data set, and PCA classifiers beside the networks",
        f"{EXPERIMENTS}:EigenSettings",
        "fooling.commands.eigen",
        "data.path=PATH key=value …",
    ),
    "mean": Command(
        "Experiments",
        "mean of N evolved images of each class (classification-image analysis) beside that of N real ones",
        f"{EXPERIMENTS}:MeanSettings",
        "fooling.commands.mean",
        "[data.path=PATH] [digit=0,1,2] [priors=[none,eigen]] key=value …",
    ),
    "export": Command(
        "Tools",
        "the images of records as a data set for other programs: OpenOOD, pytorch-ood, NumPy, Parquet",
        "fooling.settings.export:ExportSettings",
        "fooling.commands.export",
        "RECORDS… out=DIR layout=openood key=value …   (RECORDS: runs, sweeps, audits, ladders, transfers)",
        positional="records",
    ),
    "train": Command(
        "Tools",
        "train a built-in network on a data set",
        f"{SETTINGS}:TrainSettings",
        "fooling.commands.train",
        "classifier=mlp data.path=PATH key=value …   (a classifier may have other defaults, such as hidden)",
    ),
    "stats": Command(
        "Tools",
        "fit the statistics of a data set's classes",
        f"{SETTINGS}:StatsSettings",
        "fooling.commands.stats",
        "data.path=PATH key=value …",
    ),
    "doctor": Command(
        "Tools",
        "versions, extras, devices, folders and a self-test: what to paste into a bug report",
        f"{SETTINGS}:DoctorSettings",
        "fooling.commands.doctor",
    ),
    "data": Command("Tools", "download a data set from a public mirror", "", "fooling.commands.data"),
}
