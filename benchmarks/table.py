"""Writes the figures of the README and of docs/ from benchmarks/results/: python benchmarks/table.py"""

import json
from pathlib import Path

from default_job import COLUMNS, cells
from experiment_tables import experiment_tables
from measure import RESULTS, table
from search_tables import search_figures

from fooling.statistics.intervals import wilson_interval

README = Path(__file__).parent.parent / "README.md"
PAGE = README.parent / "docs" / "figures.md"
ENGINES = README.parent / "docs" / "engines.md"
CLASSIFIERS = README.parent / "docs" / "classifiers.md"
SEARCHES = README.parent / "docs" / "searches.md"
EXPERIMENTS = README.parent / "docs" / "experiments.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"


def read(name: str) -> dict:
    """The result of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def figures() -> str:
    """The README's tables, each with the script that made it, its machine and its versions."""
    return "\n".join([quality(), throughput(every=False), job2015(), startup(), default_job(), peers()])


def all_figures() -> str:
    """The page of figures that are too many for the README."""
    head = "# Figures\n\nWritten by `python benchmarks/table.py` from `benchmarks/results/`.\n"
    return "\n".join([head, throughput(every=True), scaling(), kernels()])


def engine_figures() -> str:
    """The tables of docs/engines.md."""
    return "\n".join([peers(ours=True), *(accelerator(name) for name in ("gpu", "gpu_cpu"))])


def searches_figures() -> str:
    """The tables of docs/searches.md."""
    result = read("searches")
    return search_figures(result, origin("searches", result))


def origin(name: str, result: dict) -> str:
    """Where a table comes from."""
    about = result["machine"]
    versions = ", ".join(f"{package} {about[package]}" for package in ("python", "numpy", "numba"))
    return f"*`python benchmarks/{name}.py`, {about['date']}: {about['cores']} cores of {about['cpu']}, {versions}.*\n"


def headline(entry: dict) -> bool:
    """Whether a figure is for the README: the windows of the main one, of the others the whole."""
    main = entry["problem"] == "2015" and entry["scoring"] == "difference" and entry["runs"] == 1000
    return main or (entry["window"] == "0-200" and entry["population"] == 100)


def throughput(every: bool) -> str:
    """Evaluations per second: the headlines, or every figure."""
    result, rows = read("throughput"), []
    for entry in (entry for entry in result["results"] if every or headline(entry)):
        size = f"{entry['runs']} × {entry['population']}"
        rates = [f"{entry[name]:,}" for name in ("evaluations_per_second", "changed_per_second")]
        share = f"{entry['share']:.0%} {entry['limit']}" if "share" in entry else ""
        scoring = entry["scoring"] if entry["engine"] == "numba" else "reference"
        rows.append([entry["problem"], scoring, size, entry["window"], *rates, share])
    columns = ["problem", "scoring", "runs × population", "generations", "evaluations/s", "changed/s", "share of the machine"]
    limits = ", ".join(f"{name} {value:.2g}/s" for name, value in result["limits"].items())
    memory = f"1000 runs × 100 take {result['results'][0]['peak_memory_mib']} MiB, Python and its libraries included."
    head = "Evaluations per second, all and changed ones (children that equal neither parent); 2015 is the 2015 GA put right:\n"
    foot = f"The machine's limits: {limits}. {memory}\n"
    return "\n".join([head, table(columns, rows), "", foot if every else memory + "\n", origin("throughput", result)])


def kernels() -> str:
    """Time of every kernel."""
    result = read("kernels")
    rows = [
        [name, f"{found['numba']:.3f}", f"{found['reference']:.1f}" if found["reference"] else ""]
        for name, found in result["microseconds"].items()
    ]
    head = "Microseconds an image or candidate, one core:\n"
    return "\n".join([head, table(["kernel", "numba", "reference"], rows), "", origin("kernels", result)])


def scaling() -> str:
    """How the time of an evaluation grows."""
    result = read("scaling")
    rows = [
        [
            entry["axis"],
            f"{entry['value']:,}",
            entry["runs"],
            f"{entry['first']:.2f}",
            f"{entry['later']:.2f}",
            f"{entry['changed']:.0%}",
        ]
        for entry in result["results"]
    ]
    columns = ["", "value", "runs", "µs an evaluation, generations 0–20", "20–60", "changed"]
    head = "How the time grows; what is not named is 28×28, 14 lags, population 100, 100 runs:\n"
    return "\n".join([head, table(columns, rows), "", origin("scaling", result)])


def default_job() -> str:
    """The default job, digit by digit, and what its operators contribute."""
    result = read("default_job")
    rows = [cells(name, found) for name, found in result["jobs"].items()]
    size = f"{result['runs']} images each, {result['generations']} generations"
    head = f"The default job, {size}; medians, but for the lowest confidence; terms are 0 at best:\n"
    return "\n".join([head, table(["digit", *COLUMNS], rows), "", origin("default_job", result)])


def quality() -> str:
    """What each prior reaches, digit by digit, and the mismatched pairs."""
    result = read("quality")
    rungs = result["rungs"]
    pairs = result["mismatched"]
    shares = [pairs[name] for name in ("pairs_fooled", "images_fooled", "images_transferred")]
    told = [f"{entry['part']} of {entry['of']} ({entry['low']:.0%}–{entry['high']:.0%})" for entry in shares]
    foot = (
        f"Mismatched pairs (`fooling matrix`): at least one image fools in {told[0]} pairs; {told[1]} of all images fool; "
        f"{told[2]} of these also fool the second perceptron; {pairs['seconds_per_image']:.2f} s an image.\n"
    )
    sizes = f"{result['runs']} images a digit ({result['exemplars']} of `exemplar`)"
    head = f"What each prior reaches, {sizes}, shares with 95 % intervals:\n"
    between = (
        "`exemplar`: AUROC of mean grey, black share and each lag, and of their distances from the real median, evolved "
        "against real test images: the lowest and the highest of these 60; then those of as many training images. Without a "
        "goal: the AUROC of a logistic regression on all statistics, and on those that no term knows.\n"
    )
    first, second, third = (table(*side_by_side(rungs, PICKED[lo:hi])) for lo, hi in ((0, 2), (2, 3), (3, 7)))
    return "\n".join([head, first, "", between, second, "", third, "", foot, origin("quality", result)])


PICKED = (
    ("none", "none", ("≥ .9999 within 100,000", "median evaluations to .99")),
    ("variogram", "variogram", ("≥ .999 and below real 5 %", "seconds an image")),
    (
        "exemplar",
        "exemplar",
        (
            "AUROC from",
            "to",
            "training images from",
            "their to",
            "all together",
            "those no term knows",
            "confidence ≥ .999",
            "seconds an image",
        ),
    ),
    ("regional", "regional", ("read by both judges", "confidence ≥ .999", "distance ÷ real", "seconds an image")),
    ("regional, control", "its control", ("read by both judges",)),
    ("eigen", "eigen", ("read by both judges", "confidence ≥ .999", "distance ÷ real", "seconds an image")),
    ("eigen, control", "its control", ("read by both judges", "median confidence")),
)


def side_by_side(rungs: dict, picked: tuple) -> tuple[list[str], list[list]]:
    """Columns of several rungs, a row a digit."""
    columns = [f"{name}: {column}" for _, name, names in picked for column in names]
    rows = [[digit, *(rungs[rung][digit][column] for rung, _, names in picked for column in names)] for digit in range(10)]
    return ["digit", *columns], rows


def job2015() -> str:
    """The 2015 job and what its quirks do."""
    result = read("job2015")
    rows = []
    for entry in result["variants"]:
        low, high = wilson_interval(round(entry["converged"] * result["attempts"]), result["attempts"])
        share = f"{entry['converged']:.0%} ({low:.0%}–{high:.0%})"
        rows.append([entry["variant"], share, f"{entry['median_cost']:.4f}", f"{entry['seconds']:.1f}"])
    columns = ["`preset=blog2015`", "reach tol 0.055 (95 %)", "median cost of the saved images", "seconds"]
    head = f"The 2015 original, {result['attempts']} attempts at a two of at most 100 generations:\n"
    return "\n".join([head, table(columns, rows), "", origin("job2015", result)])


def startup() -> str:
    """What a user waits."""
    result = read("startup")
    rows = [[name, f"{seconds:.2f}"] for name, seconds in result["seconds"].items()]
    head = "Seconds from the command to its end; the first time compiles the kernels:\n"
    return "\n".join([head, table(["`python -m fooling.run`", "seconds"], rows), "", origin("startup", result)])


def peers(ours: bool = False) -> str:
    """Everyone on problem 2015, or our engines alone; and pyribs' way of fooling."""
    result, rates = read("peers"), {}
    for row in result["rates"]:
        if not ours or row["name"].startswith("fooling"):
            rates.setdefault(row["name"], {})[row["population"]] = row
    populations = sorted({row["population"] for row in result["rates"]})
    rows = [[name, *(cell for size in populations for cell in rate_and_cost(found.get(size)))] for name, found in rates.items()]
    columns = [f"{what}, population {size}" for size in populations for what in ("evaluations/s", "cost reached")]
    head = f"Problem 2015 with the same fitness, in one run on one machine, each {result['seconds']:g} s a time, medians:\n"
    parts = [head, table(["program", *columns], rows), "", origin("peers", result)]
    if not ours:
        versions = ", ".join(f"{name} {number}" for name, number in result["peers"].items())
        sure = [key for key in result["cells"][-1] if key != "name"]
        cells = [[row["name"], *(reached(row, key, result["evaluations"]) for key in sure)] for row in result["cells"]]
        what = "Evaluations until the median confidence of the ten digits is as high, on the same network:\n"
        parts[2:3] = ["", what, table(["program", *sure], cells), "", f"Versions: {versions}.\n"]
    return "\n".join(parts)


def rate_and_cost(row: dict | None) -> list[str]:
    """Cells of a program at a population."""
    if row is None:
        return ["", ""]
    return ["not installed", ""] if "missing" in row else [f"{row['rate']:,.0f}", f"{row['cost']:.3f}"]


def reached(row: dict, key: str, most: int) -> str:
    """A cell of evaluations to a confidence."""
    if "missing" in row:
        return "not installed"
    return f"more than {most:,}" if row[key] is None else f"{row[key]:,}"


def accelerator(name: str) -> str:
    """engine=jax over population × runs, and what a batch's time goes to: on an accelerator, or on a CPU."""
    result = read(name)
    rates = [
        [
            row["network"],
            row["population"],
            row["runs"],
            row.get("refused") or f"{row['rate']:,.0f}",
            f"{row.get('share', 0):.1%}",
        ]
        for row in result["rates"]
    ]
    columns = ["network", "population", "runs", "evaluations/s", "share of the fastest product of matrices"]
    head = f"`engine=jax` on {result['devices']} × {result['device']}, matrix precision {result['precision']}:\n"
    spent = [[name, *(f"{value:,.1f}" for value in found.values())] for name, found in result["parts"].items()]
    parts = table(["milliseconds of a batch", *next(iter(result["parts"].values()))], spent)
    return "\n".join(
        [head, table(columns, rates), "", "What it goes to, each compiled alone:\n", parts, "", origin("gpu", result)]
    )


def classifier_figures() -> str:
    """The tables of docs/classifiers.md."""
    return "\n".join([foreign(), training()])


def training() -> str:
    """How right the networks of `fooling train` become."""
    result = read("training")
    names = list(next(iter(result["results"].values())))
    cells = {
        name: [
            cell
            for found in result["results"].values()
            for cell in (f"{found[name]['right']:.1%}", f"{found[name]['seconds']:.0f} s")
        ]
        for name in names
    }
    columns = ["`fooling train classifier=…`", *(word for source in result["results"] for word in (source, "training"))]
    head = "Networks of `fooling train` with their defaults: test images that are right.\n"
    return "\n".join([head, table(columns, [[name, *cells[name]] for name in names]), "", origin("training", result)])


def foreign() -> str:
    """What fooling a model of somebody else's costs: the table of docs/classifiers.md."""
    result = read("foreign")
    rows = [
        [row["digit"], f"{row['reached']} of {row['of']}", *(f"{row[key] or 0:,.0f}" for key in ("median", "most"))]
        for row in result["digits"]
    ]
    head = (
        f"A network of LeNet's class as an ONNX model, prior=none. With {result['threads']} threads and a population of "
        f"{result['population']:,} the model takes **{result['share']:.0%}** of the search's time, at {result['rate']:,.0f} "
        f"evaluations/s. Runs that reach .9999 within {result['budget']:,} evaluations:\n"
    )
    columns = ["digit", "runs at .9999", "evaluations, median", "most"]
    return "\n".join([head, table(columns, rows), "", origin("foreign", result)])


def experiment_figures() -> str:
    """The tables of docs/experiments.md."""
    result = read("experiments")
    return "\n".join([experiment_tables(result), "", origin("experiments", result)])


def put(page: Path, figures: str) -> None:
    """Writes figures between a page's marks."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n" + figures + END + rest.split(END)[1])


if __name__ == "__main__":
    put(README, figures())
    put(ENGINES, engine_figures())
    put(CLASSIFIERS, classifier_figures())
    put(SEARCHES, searches_figures())
    put(EXPERIMENTS, experiment_figures())
    PAGE.write_text(all_figures())
