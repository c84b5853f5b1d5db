"""`fooling export`: the images of records as a data set for other programs, with a manifest that says where each is from."""

import json
import os
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fooling.commands.experiment import Tool
from fooling.commands.export_layouts import IMAGES, LAYOUTS, MANIFEST, Exported
from fooling.errors import UserError, counted, printable
from fooling.records.collection import SavedJob, saved_jobs, succeeded
from fooling.records.files import TEMPORARY, check_writable, created, existing, os_errors, read_json, refuse_link, sync_files
from fooling.records.ownership import class_image_names, is_own_folder
from fooling.records.record import read_image
from fooling.settings.export import ExportSettings
from fooling.settings.fields import user_path
from fooling.settings.files import read_whole

FORMAT = "fooling/export/1"
OOD = -1  # the label of images that belong to no class, in OpenOOD and pytorch-ood


def work(settings: ExportSettings) -> None:
    """Reads the images, then writes the folder in one step."""
    out = user_path(settings.out or "")
    refuse_existing(out, settings.overwrite)
    layout = LAYOUTS[settings.layout]
    layout.check()
    jobs, notes = saved_jobs(settings.records)
    images, left = exported(jobs, settings.all)
    manifest = describe(images, jobs, settings.layout)
    files = layout.write(images, manifest)
    replace_folder(out, {**files, MANIFEST: to_json({**manifest, "files": [*files, MANIFEST]})})
    if not settings.quiet:
        classes = f"{len(manifest['classes'])} of {manifest['num_classes']} classes"
        print(f"{counted(len(images), 'image')}, targets {classes}, label {OOD}, layout {settings.layout}")
        for line in [
            *notes,
            *([f"left out: {counted(left, 'image')} that did not succeed (all=true adds them)"] if left else []),
        ]:
            print(line)
        print(f"→ {out}: {MANIFEST}, {layout.named}")


# --- images -------------------------------------------------------------------------------------------------------------
def exported(jobs: Sequence[SavedJob], everything: bool) -> tuple[list[Exported], int]:
    """The images, and how many are left out. Raises UserError for none, and for images or classes that do not fit together."""
    labels: dict[int, str] = {}
    found: list[tuple[SavedJob, dict[str, Any], bool]] = []
    left = 0
    for job in jobs:
        for entry in job.images:
            k, label = int(entry["digit"]), str(entry.get("label") or entry["digit"])
            if labels.setdefault(k, label) != label:
                raise UserError(f"records: class {k} is {label} in {job.name}, {labels[k]} in others; export them one by one")
            is_good = succeeded(entry)
            left += not (is_good or everything)
            found += [(job, entry, is_good)] if is_good or everything else []
    if not found:
        raise UserError(f"records: expected images that succeeded, got none of {left}; all=true exports all")
    names = dict(zip(labels, map(folder_of, class_image_names(list(labels), labels)), strict=True))  # type: ignore[arg-type]
    images = [
        Exported(f"{IMAGES}/{names[int(entry['digit'])]}/{i:05d}.png", *read(job, entry), job, entry, is_good)
        for i, (job, entry, is_good) in enumerate(found)
    ]
    for image in images:
        if image.pixels.shape != images[0].pixels.shape:
            sizes = f"{images[0].pixels.shape} in {images[0].job.name}, {image.pixels.shape} in {image.job.name}"
            raise UserError(f"records: expected images of one size, got {sizes}; export them one by one")
    return images, left


def folder_of(name: str) -> str:
    """The name of a class's folder."""
    return Path(name).stem


def read(job: SavedJob, entry: dict[str, Any]) -> tuple[bytes, Any]:
    """The bytes of an image's PNG, and its pixels uint8 [H, W, C]."""
    path = job.folder / entry["file"]
    pixels = read_image(path)
    return read_whole(path, "picture"), pixels


# --- manifest -----------------------------------------------------------------------------------------------------------
def describe(images: Sequence[Exported], jobs: Sequence[SavedJob], layout: str) -> dict[str, Any]:
    """All of manifest.json besides its list of files."""
    height, width, channels = images[0].pixels.shape
    kinds = {job.fingerprint: job for job in jobs}
    return {
        "format": FORMAT,
        "made_by": f"fooling {version('fooling')}",
        "layout": layout,
        "shape": [height, width, channels],
        "label": OOD,
        "num_classes": max(job.classes for job in jobs),
        "classes": {str(image.digit): image.class_name for image in images},
        "classifiers": {
            fingerprint: {"name": job.classifier, "kind": printable(job.run.get("classifier", "?"))}
            for fingerprint, job in kinds.items()
        },
        "images": [image.row for image in images],
    }


def to_json(content: dict[str, Any]) -> bytes:
    """A JSON file."""
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


# --- the folder ---------------------------------------------------------------------------------------------------------
def refuse_existing(out: Path, overwrite: bool) -> None:
    """Refuses a folder that holds anything, unless it is an earlier export and nothing else, which is to be replaced."""
    refuse_link(out)
    if not out.name or (out.exists() and not out.is_dir()):
        raise UserError(f"out={out}: expected the name of a folder, got {'a file' if out.exists() else 'none'}")
    if not out.exists() or not any(out.iterdir()):
        check_writable(out)
        return
    known = files_of(out)
    if not known or not overwrite:
        raise UserError(f"out={out}: {existing(bool(known), 'folder with out=')}")
    strange = sorted({str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir()} - known)
    if strange:
        raise UserError(f"out={out}: also holds {printable(strange[0])}, which no export wrote; give another folder with out=")


def files_of(out: Path) -> set[str]:
    """The files that the manifest of an export names; none for another folder."""
    try:
        about = read_json(out / MANIFEST)
    except UserError:
        return set()
    named = about.get("files")
    return {str(name) for name in named} if about.get("format") == FORMAT and isinstance(named, list) else set()


def replace_folder(out: Path, files: dict[str, bytes]) -> None:
    """Writes all files into a new folder beside `out`, which then takes its name: the name never holds half a data set."""
    with os_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=out.parent))
        try:
            fill(part, files)
            old = out.with_name(f"{part.name}-old") if out.exists() else None
            if old:
                out.rename(old)
            try:
                part.rename(out)
            except BaseException:
                if old and not out.exists():
                    old.rename(out)
                raise
            sync_files([out.parent])
        except BaseException:
            remove(part)
            raise
        if old:
            remove(old)


def fill(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files, and waits until they are on the disk."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)  # mkdtemp leaves it to its owner alone
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with created(folder / name) as file:
            file.write(content)
    sync_files([*(folder / name for name in files), folder])


def remove(folder: Path) -> None:
    """Removes a folder that this command wrote; links in it are removed, not followed."""
    if not is_own_folder(folder):
        return
    for path in folder.iterdir():
        if is_own_folder(path):
            remove(path)
        else:
            path.unlink()
    folder.rmdir()


COMMAND = Tool(work)
