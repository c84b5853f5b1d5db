"""`fooling doctor`: what a bug report needs to say of an installation, and whether it works."""

import getpass
import os
import platform
import re
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

from fooling import __version__
from fooling.classifiers.adapters import ADAPTERS
from fooling.commands.experiment import Tool
from fooling.commands.progress import working
from fooling.errors import UserError, first_line
from fooling.kernels.numba.compile import cache_folder, cores
from fooling.run import evolve
from fooling.search.genetic.memory import fields, free_memory
from fooling.settings.commands import DoctorSettings
from fooling.settings.fields import user_path

LEAST_DISK, LEAST_MEMORY = 200 << 20, 500 << 20  # bytes free, for records and for the default job
SAMPLE: dict[str, Any] = {
    "digit": 2,
    "prior": "histogram",
    "runs": 2,
    "population": 40,
    "generations": 40,
    "stop": "end",
    "seed": 0,
}
ENGINES = ("reference", "numba")  # which must evolve the same images
EXTRAS = {  # besides those of adapters: the package, and what needs it
    "onnx-gradients": ("onnx2torch", "search=ascent with classifier=onnx"),
    "cluster": ("distributed", "launcher=dask"),
    "parquet": ("pyarrow", "layout=parquet"),
}
WIDTH = 12  # letters of a line's name
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Finding(NamedTuple):
    """A line of the report."""

    name: str
    text: str
    broken: str = ""  # what does not work, and what to do; '': all is well


def work(settings: DoctorSettings) -> Sequence[str]:
    """Prints the findings, each when it is known → what is broken."""
    parts: list[Callable[[], Iterator[Finding]]] = [
        system,
        packages,
        extras,
        devices,
        threads,
        lambda: folders(settings.folder),
    ]
    problems, last = [], ""
    with working("looking at the installation", settings.quiet):
        findings = [finding for part in parts for finding in part()]
    if not settings.quiet:
        print("Paste these lines into a bug report.\n")
    for finding in [*findings, *(self_test(settings.quiet) if settings.test else ())]:
        if not settings.quiet:
            name = finding.name if finding.name != last else ""
            print(f"{name:<{WIDTH}} {private(finding.text)}", flush=True)
        last = finding.name
        problems += [private(f"{finding.name}: {finding.broken}")] if finding.broken else []
    if not (problems or settings.quiet):
        print("\nnothing is broken")
    return problems


def private(text: str) -> str:
    """A text without the home folder, and without folders named by the user."""
    homes = {os.path.expanduser("~"), str(Path.home().resolve())} - {"/", "~"}  # noqa: PTH111 (never raises)
    for home in sorted(homes, key=len, reverse=True):
        text = re.sub(rf"{re.escape(home)}(?=$|[/\\ ,;:)])", "~", text)
    with suppress(OSError, KeyError, ImportError):  # of a process without a user
        text = re.sub(rf"(?<=[/\\]){re.escape(getpass.getuser())}(?=$|[/\\ ,;:)])", "USER", text)
    return text


# --- the parts of the report ------------------------------------------------------------------------------------------
def system() -> Iterator[Finding]:
    """The program, Python and the machine."""
    yield Finding("fooling", __version__)
    bits = 8 * struct.calcsize("P")
    kind = platform.python_implementation()
    yield Finding("Python", f"{platform.python_version()} ({kind}, {bits} bits)", "" if bits == 64 else "needs 64 bits")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}")


def packages() -> Iterator[Finding]:
    """What the program needs, with versions."""
    found = {name: version_of(name) for name in required()}
    yield Finding("packages", ", ".join(f"{name} {number}" for name, number in found.items() if number))
    missing = [name for name, number in found.items() if not number]
    if missing:
        yield Finding("packages", f"missing: {', '.join(missing)}", f"{', '.join(missing)} missing; pip install fooling again")


def required() -> list[str]:
    """The packages in the program's own metadata, without those of extras."""
    with suppress(PackageNotFoundError):
        lines = requires("fooling") or []
        return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]
    return []


def version_of(name: str) -> str:
    """The version of a package, '' where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def extras() -> Iterator[Finding]:
    """The packages of the adapters of external models, of the launcher and of export."""
    adapters = {name: (row.package, f"classifier={name}") for name, row in ADAPTERS.items() if row.package}
    for name, (package, setting) in {**adapters, **EXTRAS}.items():
        number = version_of(package)
        missing = f"absent; for {setting}: pip install '.[{name}]' in a clone of fooling"
        yield Finding("extras", f"{name}: {f'{package} {number}' if number else missing}")


def devices() -> Iterator[Finding]:
    """What JAX computes on, and whether it does."""
    try:
        import jax

        found = jax.devices()
        shown = ", ".join(f"{device.platform}:{device.id} {device.device_kind}".rstrip() for device in found)
        right = int(jax.numpy.arange(8).sum()) == 28
    except Exception as error:  # of drivers and plugins
        yield Finding("JAX", "fails", f"{first_line(error)}; search=ga engine=numba works without")
        return
    yield Finding("JAX", shown, "" if right else "computes a wrong sum; reinstall jax and jaxlib")


def threads() -> Iterator[Finding]:
    """Cores and the threads of the libraries."""
    used, machine = cores(), os.cpu_count() or 1
    named = [f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.endswith("_NUM_THREADS")]
    yield Finding("cores", f"{used} of {machine} may be used; engines take {used} threads unless engine.threads says otherwise")
    pools = sorted(
        {
            f"{pool['internal_api']} {pool.get('version') or ''}".rstrip() + f": {pool['num_threads']}"
            for pool in threadpool_info()
        }
    )
    yield Finding("threads", ", ".join([*pools, *named]) or "no pools of BLAS or OpenMP are known")
    free = free_memory()
    if free is not None:
        short = f"{size(free)} free, {size(LEAST_MEMORY)} are needed; end other programs" if free < LEAST_MEMORY else ""
        yield Finding("memory", f"{size(free)} free of {size(fields('/proc/meminfo')['MemTotal'])}", short)


def folders(records: str) -> Iterator[Finding]:
    """Where compiled kernels and records go, and whether they can."""
    cache = cache_folder()
    lost = "compiled kernels are not kept, each start compiles them anew; see the line on stderr"
    compiled = len(list(Path(cache).rglob("*.nbc"))) if cache else 0
    yield Finding("cache", f"{cache}, writable, {compiled} kernels" if cache else "none", "" if cache else lost)
    folder = user_path(records).absolute()
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    free = shutil.disk_usage(nearest).free
    shown = f"{folder}{'' if nearest == folder else ', not there yet'}"
    refused = refusal(nearest)
    yield Finding("records", f"{shown}, {'not ' if refused else ''}writable", f"{nearest}: {refused}" if refused else "")
    short = f"{size(free)} free below {nearest}, {size(LEAST_DISK)} are needed; remove files" if free < LEAST_DISK else ""
    yield Finding("disk", f"{size(free)} free for the records", short)


def refusal(folder: Path) -> str:
    """Why no file can be written to a folder, '' if one can."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".fooling-doctor-") as file:
            file.write(b"0" * 4096)
            file.flush()
    except OSError as error:
        return f"{error.strerror or error}; give out=FOLDER in a folder of yours, or free space"
    return ""


def size(count: float) -> str:
    """Bytes in a unit that fits: 3.1 GiB."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.3g} {UNITS[unit]}" if count < 1000 else f"{count:.0f} {UNITS[unit]}"


def self_test(quiet: bool) -> Iterator[Finding]:
    """A small run by two engines, which must give the same images."""
    begun, found = time.perf_counter(), []
    what = f"digit={SAMPLE['digit']} prior={SAMPLE['prior']}"
    try:
        with working("evolving a small image by two engines, the first time compiles", quiet):
            found = [evolve(engine=name, quiet=True, **SAMPLE) for name in ENGINES]
    except Exception as error:  # whatever is broken
        where = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        yield Finding("self-test", "fails", f"{what} raises {where}{first_line(error)}")
        return
    first, second = (result.images for result in found)
    differ = int((first != second).any(axis=(1, 2, 3)).sum())
    wrong = f"{what}: {differ} of {len(first)} images differ between engine={ENGINES[0]} and {ENGINES[1]}" if differ else ""
    text = "other images" if differ else f"the same images (confidence {np.median(found[0].confidence):.3f})"
    yield Finding("self-test", f"{' and '.join(ENGINES)}: {text}, {time.perf_counter() - begun:.1f} s", wrong)


COMMAND = Tool(work)
