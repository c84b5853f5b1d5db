"""Downloads of data sets from public mirrors, checked by the SHA-256 of their content."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from fooling.data.idx import inflate
from fooling.errors import UserError, first_line

# SHA-256 and size of the decompressed files: the mirrors' gzip streams differ. MNIST: LeCun, Cortes, Burges; CC BY-SA 3.0.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    "train-labels-idx1-ubyte.gz": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    "t10k-images-idx3-ubyte.gz": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    "t10k-labels-idx1-ubyte.gz": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = 60  # seconds without a response


def get_mnist(
    folder: Path, mirrors: Sequence[str] = MNIST_MIRRORS, say: Callable[[str], None] = lambda line: None
) -> list[Path]:
    """Downloads MNIST's four files into `folder`, each from the first mirror with the right content; → their paths.

    Existing files with the right content are kept. A wrong or broken download never gets the final name. Raises UserError.
    """
    paths = []
    for name, (digest, size) in MNIST_FILES.items():
        path = folder / name
        if path.is_file() and content_digest(path, size) == digest:
            say(f"{path}: already there")
        else:
            make_writable(folder)
            say(f"{path}: from {fetch(path, digest, size, mirrors)}")
        paths.append(path)
    return paths


def make_writable(folder: Path) -> None:
    """Makes the folder if it does not exist. Raises UserError if nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: expected a folder to write to, got: {reason}; give another folder") from error


def fetch(path: Path, digest: str, size: int, mirrors: Sequence[str]) -> str:
    """Downloads one file; → the mirror that had it. Raises UserError if none has."""
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    reasons = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + path.name
        try:
            part.unlink(missing_ok=True)
            downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
            pooch.retrieve(url, known_hash=None, fname=part.name, path=path.parent, downloader=downloader)
            received = content_digest(part, size)
            if received == digest:
                part.replace(path)
                return mirror
            got = f"{received[:12]}…" if received else "a damaged or larger file"
            reasons.append(f"{url}: expected content of SHA-256 {digest[:12]}…, got {got}")
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            reasons.append(f"{url}: {first_line(error)}")
        finally:
            part.unlink(missing_ok=True)
    raise UserError(f"{path.name}: no mirror has it; " + "; ".join(reasons))


def content_digest(path: Path, size: int) -> str:
    """SHA-256 of the decompressed content, or '' if it cannot be decompressed or is larger than `size`."""
    try:
        return hashlib.sha256(inflate(path, size)).hexdigest()
    except UserError:
        return ""
