"""`fooling harden export=FOLDER`: outliers for any classifier, a folder for each class, and short recipes of training."""

import csv
import io
from pathlib import Path

import numpy as np
from rich.console import Console

from fooling.classifiers.base import Classifier, predict
from fooling.commands.console import InterruptHandler, print_line
from fooling.commands.export import replace_folder
from fooling.commands.harden.attacks import Terminal, attack_entries, carry_out
from fooling.commands.jobs import fit_statistics, open_checked, real_images
from fooling.data import nothing
from fooling.errors import Interrupted, UserError, say
from fooling.kernels.tables import Bytes
from fooling.records.files import check_writable, png
from fooling.records.ownership import class_image_names
from fooling.settings import without_secrets
from fooling.settings.fields import user_path
from fooling.settings.harden import HardenSettings
from fooling.statistics import Statistics

RECIPES = Path(__file__).parent / "recipes"
FILES = {"README.md": "README.txt", "train_torch.py": "train_torch.txt", "train_keras.py": "train_keras.txt"}
COLUMNS = ("file", "target", "confidence", "predicted", "attack", "seed")
NOISE = "noise"
Row = tuple[str, Bytes, tuple[str, ...]]  # the folder of an image, the image [H, W, C], and the other columns


def export(settings: HardenSettings) -> int:
    """Evolves outliers against the classifier and writes them → exit code 0, or 130 and 143 when it is interrupted."""
    place = user_path(str(settings.export))
    refuse_existing(place)
    check_writable(place)
    classifier = open_checked(settings.classifier, settings.data)
    statistics, real = None, None
    if settings.data.given:
        (train,) = real_images(settings, "fooling harden", "train", classifier=classifier)
        statistics, real = fit_statistics(train), train.images
    console, signals = Console(highlight=False, quiet=settings.quiet), InterruptHandler()
    rows = []
    if settings.outliers != "evolved":
        rows += noise_rows(settings, classifier, real)
    try:
        with signals:
            if settings.outliers != "noise":
                rows += evolved_rows(settings, classifier, statistics, Terminal(console, signals, settings.quiet))
    except Interrupted:
        say("fooling: interrupted; nothing was written")
        return signals.code
    write(place, settings, rows)
    believed = sum(float(about[1]) >= 0.9 and about[0] == about[2] for _, _, about in rows if about[0])
    evolved = sum(bool(about[0]) for _, _, about in rows)
    print_line(console, f"{len(rows):,} images, {evolved:,} of them evolved; {believed:,} are believed at .9 or more")
    print_line(console, f"→ {place}: images, manifest.csv, {', '.join(FILES)}")
    return 0


def refuse_existing(place: Path) -> None:
    """Refuses a folder that is there."""
    if place.exists() or place.is_symlink():
        raise UserError(f"export={place}: expected a new folder, got one that exists; give another, or remove it")


def noise_rows(settings: HardenSettings, classifier: Classifier, real: Bytes | None) -> list[Row]:
    """Images of each kind of noise; those that are made of real images only where there are some."""
    height, width, channels = classifier.input_shape
    shape, number, seed = (height, width, channels), settings.noise, settings.seed
    kinds = {
        "even_noise": nothing.even_noise(shape, number, seed),
        "smoothed_noise": nothing.smoothed_noise(shape, number, seed),
    }
    if real is not None:
        chosen = nothing.sample(real, number, seed)
        kinds |= {"shuffled": nothing.shuffled(chosen, seed), "phase_scrambled": nothing.phase_scrambled(chosen, seed)}
    rows: list[Row] = []
    for kind, (images, _) in kinds.items():
        scores = predict(classifier, images)
        for image, score in zip(images, scores, strict=True):
            k = int(score.argmax())
            rows.append((NOISE, image, ("", f"{score[k]:.6f}", str(classifier.labels[k]), kind, str(seed))))
    return rows


def evolved_rows(
    settings: HardenSettings, classifier: Classifier, statistics: Statistics | None, terminal: Terminal
) -> list[Row]:
    """Images that are evolved for each class by each attack."""
    labels = [str(label) for label in classifier.labels]
    names = [Path(name).stem for name in class_image_names(range(len(labels)), labels)]
    rows: list[Row] = []
    for attack in settings.evolve:
        options = {"runs": settings.evolve_runs, "budget": settings.evolve_budget, "seed": settings.seed}
        entries = attack_entries(settings, classifier, statistics, attack, **options)
        for entry, result in carry_out(entries, terminal, f"outliers, {attack}"):
            k = entry.job.objective.digit
            for image, confidence, predicted in zip(result.images, result.confidence, result.predicted, strict=True):
                about = (labels[k], f"{confidence:.6f}", labels[predicted], attack, str(settings.seed))
                rows.append((names[k] if names[k] != NOISE else f"{NOISE}_{k}", image, about))
    return rows


def write(place: Path, settings: HardenSettings, rows: list[Row]) -> None:
    """Writes images, manifest and recipes in one step: the name never holds half of them."""
    table, files = io.StringIO(), {}
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, (folder, image, about) in enumerate(rows):
        name = f"images/{folder}/{number:05d}.png"
        files[name] = png(np.ascontiguousarray(image))
        writer.writerow([name, *about])
    files["manifest.csv"] = table.getvalue().encode()
    chosen = settings.classifier
    words = f"classifier={chosen.name}" + (f" classifier.path={without_secrets(chosen.path)}" if chosen.path else "")
    values = {"MODEL": chosen.name, "NUMBER": f"{len(rows):,}", "CLASSIFIER": words, "MEASURED": str(settings.seed + 1_000_000)}
    for name, source in FILES.items():
        text = (RECIPES / source).read_text(encoding="utf-8")
        if name == "README.md":
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
        files[name] = text.encode()
    refuse_existing(place)  # it may have been made meanwhile
    replace_folder(place, files)
