"""Writes the tables of README.md and docs/ from benchmarks/results/: python benchmarks/table.py

A page holds a table between `<!-- table: NAME -->` and `<!-- end of table -->`; NAME is a row of TABLES.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from default_job import COLUMNS, cells
from experiment_tables import PARTS
from measure import RESULTS, table
from search_tables import gradient_tables, search_table

from fooling.statistics.intervals import wilson_interval

ROOT = Path(__file__).parent.parent
MARKED = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
FASTEST = {  # rows of the README's table of speed: names in peers.json, names on the page
    "fooling engine=numba, 200 runs": "**fooling**, 200 runs side by side",
    "fooling engine=numba": "**fooling**, one run",
    "plain JAX": "plain JAX",
    "evosax SimpleGA": "evosax SimpleGA",
    "DEAP eaSimple": "DEAP eaSimple",
    "pymoo GA": "pymoo GA",
}


def read(name: str) -> dict:
    """The result of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def origin(name: str, result: dict) -> str:
    """Where a table comes from."""
    about = result["machine"]
    versions = ", ".join(f"{package} {about[package]}" for package in ("python", "numpy", "numba"))
    return f"*`python benchmarks/{name}.py`, {about['date']}: {about['cores']} cores of {about['cpu']}, {versions}.*\n"


def throughput() -> str:
    """Evaluations per second."""
    result, rows = read("throughput"), []
    for entry in result["results"]:
        size = f"{entry['runs']} × {entry['population']}"
        rates = [f"{entry[name]:,}" for name in ("evaluations_per_second", "changed_per_second")]
        share = f"{entry['share']:.0%} {entry['limit']}" if "share" in entry else ""
        scoring = SCORING[entry["scoring"]] if entry["engine"] == "numba" else "reference"
        rows.append([entry["problem"], scoring, size, entry["window"], *rates, share])
    columns = [
        "problem",
        "scoring",
        "runs × population",
        "generations",
        "evaluations/s",
        "changed/s",
        "share of the machine's limit",
    ]
    limits = ", ".join(f"{name} {value:.2g}/s" for name, value in result["limits"].items())
    memory = f"1000 runs × 100 take {result['results'][0]['peak_memory_mib']} MiB, Python and its libraries included."
    foot = f"The machine's limits: {limits}. {memory}\n"
    return "\n".join([table(columns, rows), "", foot, origin("throughput", result)])


def chains() -> str:
    """Evaluations per second of search=anneal."""
    result = read("chains")
    names = list(result["results"][0]["rates"])
    rows = [[row["images"], row["network"], *(f"{rate:,.0f}" for rate in row["rates"].values())] for row in result["results"]]
    columns = ["images", "network", *(f"`prior={name}`" for name in names)]
    return "\n".join([table(columns, rows), "", origin("chains", result)])


def large(name: str) -> str:
    """Evaluations to a confidence by genome and search."""
    result = read(name)
    archive, jobs = name == "large_archive", f"{result['runs']} run{'s' if result['runs'] > 1 else ''} each"
    if archive or name == "large_ten":
        jobs = "all in one job" + (f", {result['runs']} jobs" if result["runs"] > 1 else "")
    classes = "Whichever class is easiest" if result["digits"] == ["any"] else f"{len(result['digits']):,} classes"
    head = f"{classes} of `{result['model']}`, {jobs}, budget {result['budget']:,}.\n"
    # without the seconds, which depend on what else runs; of an archive, which reaches little so soon, without the evaluations
    shown = [i for i, name in enumerate(result["columns"]) if name != "seconds" and not (archive and "evaluations" in name)]
    columns, *rows = [[row[i] for i in shown] for row in (result["columns"], *result["rows"])]
    return "\n".join([head, table(columns, rows), "", origin("large", result)])


def large_by_gradients() -> str:
    """Steps of search=ascent to a confidence."""
    result = read("gradients")
    shown = [i for i, name in enumerate(result["columns"]) if "seconds" not in name]  # they depend on what else runs
    columns, *rows = [[row[i] for i in shown] for row in (result["columns"], *result["rows"])]
    head = f"To a confidence of {result['level']}, at most {result['steps']} steps.\n"
    return "\n".join([head, table(columns, rows), "", origin("gradients", result)])


def kernels() -> str:
    """Time of every kernel."""
    result = read("kernels")
    rows = [
        [name, f"{found['numba']:.3f}", f"{found['reference']:.1f}" if found["reference"] else ""]
        for name, found in result["microseconds"].items()
    ]
    return "\n".join([table(["kernel", "numba", "reference"], rows), "", origin("kernels", result)])


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
    columns = ["", "value", "runs", "µs per evaluation, generations 0–20", "20–60", "changed"]
    return "\n".join([table(columns, rows), "", origin("scaling", result)])


def reliability() -> str:
    """Kills survived, and outcomes of damaged inputs by family."""
    result = read("robustness")
    outcomes, kills = ("traceback", "hang", "false", "code"), result["kills"]
    inputs = result["inputs"].items()
    counts = {name: [sum(found.values()), *(found.get(each, 0) for each in outcomes)] for name, found in inputs}
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    rows = [[name, *(f"{count:,}" for count in found)] for name, found in counts.items()]
    head = f"{kills['identical']} of {kills['kills']} killed jobs ended with bit-identical images.\n"
    return "\n".join([head, table(["input", "tried", *outcomes], rows), "", origin("robustness", result)])


def default_job() -> str:
    """The default job, digit by digit, and what its operators contribute."""
    result = read("default_job")
    rows = [cells(name, found) for name, found in result["jobs"].items()]
    head = f"{result['runs']} images per row, {result['generations']} generations.\n"
    return "\n".join([head, table(["digit", *COLUMNS], rows), "", origin("default_job", result)])


def quality(*shown: str) -> str:
    """Columns of some priors, a row a digit."""
    result = read("quality")
    columns, rows = ["digit"], [[digit] for digit in range(10)]
    for rung in shown:
        title, names = PICKED[rung]
        columns += [f"{title}: {NAMED.get(name, name)}" for name in names]
        for digit, row in enumerate(rows):
            row += [result["rungs"][rung][digit][name] for name in names]
    number = result["exemplars"] if shown == ("exemplar",) else result["runs"]
    return "\n".join([f"{number} images per digit.\n", table(columns, rows), "", origin("quality", result)])


def mismatched() -> str:
    """How many mismatched images fool."""
    result = read("quality")
    pairs = result["mismatched"]
    rows = [
        [what, *(pairs[key][part] for part in ("part", "of")), f"{pairs[key]['low']:.0%}–{pairs[key]['high']:.0%}"]
        for what, key in MISMATCHED.items()
    ]
    foot = f"{pairs['seconds_per_image']:.2f} s per image.\n"
    return "\n".join([table(["", "number", "of", "95 % interval"], rows), "", foot, origin("quality", result)])


SCORING = {"difference": "delta", "dense": "full"}
MISMATCHED = {
    "pairs with at least one image that fools": "pairs_fooled",
    "images that fool": "images_fooled",
    "of these, images that also fool the second perceptron": "images_transferred",
}
PICKED = {  # priors of quality.json, their title in a table, their columns
    "none": ("none", ("≥ .9999 within 100,000", "median evaluations to .99")),
    "variogram": ("variogram", ("≥ .999 and below real 5 %", "seconds an image")),
    "exemplar": (
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
    "regional": ("regional", ("read by both judges", "confidence ≥ .999", "distance ÷ real", "seconds an image")),
    "regional, control": ("regional, control", ("read by both judges",)),
    "eigen": ("eigen", ("read by both judges", "confidence ≥ .999", "distance ÷ real", "seconds an image")),
    "eigen, control": ("eigen, control", ("read by both judges", "median confidence")),
}
NAMED = {  # columns of quality.json in the words of docs/figures.md
    "≥ .9999 within 100,000": "confidence ≥ .9999 within 100,000 evaluations",
    "≥ .999 and below real 5 %": "confidence ≥ .999 and variogram term below the 5th percentile of real images",
    "AUROC from": "lowest AUROC",
    "to": "highest AUROC",
    "training images from": "lowest AUROC of training images",
    "their to": "highest AUROC of training images",
    "all together": "AUROC of all statistics",
    "those no term knows": "AUROC of statistics outside the cost",
    "read by both judges": "read correctly by both held-out networks",
    "distance ÷ real": "mean pairwise distance ÷ that of real images",
    "seconds an image": "seconds per image",
}


def job2015() -> str:
    """The 2015 job and what its quirks do."""
    result = read("job2015")
    rows = []
    for entry in result["variants"]:
        low, high = wilson_interval(round(entry["converged"] * result["attempts"]), result["attempts"])
        share = f"{entry['converged']:.0%} ({low:.0%}–{high:.0%})"
        rows.append([entry["variant"], share, f"{entry['median_cost']:.4f}", f"{entry['seconds']:.1f}"])
    columns = ["variant", "runs that reach tol 0.055 (95 % interval)", "median cost of the saved images", "seconds"]
    head = f"{result['attempts']} attempts, at most 100 generations each.\n"
    return "\n".join([head, table(columns, rows), "", origin("job2015", result)])


def startup() -> str:
    """How long a user waits."""
    result = read("startup")
    rows = [[name, f"{seconds:.2f}"] for name, seconds in result["seconds"].items()]
    return "\n".join([table(["`python -m fooling.run`", "seconds"], rows), "", origin("startup", result)])


def speed() -> str:
    """The README's few rows: programs on problem 2015, population 100."""
    rows = {row["name"]: row for row in read("peers")["rates"] if row["population"] == 100}
    lines = [[title, f"{rows[name]['rate']:,.0f}", f"{rows[name]['cost']:.3f}"] for name, title in FASTEST.items()]
    columns = ["program", "evaluations per second", "median cost after 3 s"]
    return table(columns, lines).replace("|---:|", "|---|", 1) + "\n"


def peers(ours: bool = False) -> str:
    """Every program on problem 2015, or only our engines."""
    result, rates = read("peers"), {}
    for row in result["rates"]:
        if not ours or row["name"].startswith("fooling"):
            rates.setdefault(row["name"], {})[row["population"]] = row
    populations = sorted({row["population"] for row in result["rates"]})
    rows = [[name, *(cell for size in populations for cell in rate_and_cost(found.get(size)))] for name, found in rates.items()]
    columns = [f"{what}, population {size}" for size in populations for what in ("evaluations/s", "cost")]
    versions = ", ".join(f"{name} {number}" for name, number in result["peers"].items())
    parts = [f"{result['seconds']:g} s for each program, medians.\n", table(["program", *columns], rows), ""]
    return "\n".join([*parts, *([] if ours else [f"Versions: {versions}.\n"]), origin("peers", result)])


def pyribs() -> str:
    """Evaluations that an archive of pyribs and prior=none need."""
    result = read("peers")
    sure = [key for key in result["cells"][-1] if key != "name"]
    rows = [[row["name"], *(reached(row, key, result["evaluations"]) for key in sure)] for row in result["cells"]]
    columns = ["program", *(f"evaluations to {key}" for key in sure)]
    return "\n".join([table(columns, rows), "", origin("peers", result)])


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
    """engine=jax over population × runs, and where the time of a batch goes: on an accelerator, or on a CPU."""
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
    columns = ["network", "population", "runs", "evaluations/s", "share of the fastest matrix product"]
    head = f"`engine=jax` on {result['devices']} × {result['device']}, matrix precision {result['precision']}:\n"
    spent = [[name, *(f"{value:,.1f}" for value in found.values())] for name, found in result["parts"].items()]
    parts = table(["milliseconds per batch", *next(iter(result["parts"].values()))], spent)
    return "\n".join(
        [head, table(columns, rates), "", "Where the time goes, each part compiled alone:\n", parts, "", origin("gpu", result)]
    )


def training() -> str:
    """Accuracy of the networks of `fooling train`."""
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
    return "\n".join([table(columns, [[name, *cells[name]] for name in names]), "", origin("training", result)])


def external() -> str:
    """The cost of fooling an external model."""
    result = read("foreign")
    rows = [
        [row["digit"], f"{row['reached']} of {row['of']}", *(f"{row[key] or 0:,.0f}" for key in ("median", "most"))]
        for row in result["digits"]
    ]
    head = (
        f"With {result['threads']} threads and a population of {result['population']:,} the model takes "
        f"**{result['share']:.0%}** of the search's time, at {result['rate']:,.0f} evaluations/s. The budget is "
        f"{result['budget']:,} evaluations per run.\n"
    )
    columns = ["digit", "runs that reach .9999", "median evaluations", "most evaluations"]
    return "\n".join([head, table(columns, rows), "", origin("foreign", result)])


def experiment(name: str) -> str:
    """The table of an experiment."""
    result = read("experiments")
    return "\n".join([PARTS[name](result[name]), "", origin("experiments", result)])


def searches() -> str:
    """All searches on the same network and digit."""
    result = read("searches")
    return "\n".join([search_table(result), origin("searches", result)])


def gradients() -> str:
    """The gradient searches in detail."""
    result = read("searches")
    return "\n".join([gradient_tables(result), origin("searches", result)])


def hardening() -> str:
    """Methods by round, over all seeds."""
    result = read("harden")
    attacks = list(next(iter(result["results"].values()))[0]["believed"])
    rows = []
    for method, rounds in result["results"].items():
        for one in rounds:
            lost, beyond = one["points_lost"], one["not_within"]
            shares = [f"{one['believed'][name]['part']} of {one['believed'][name]['of']}" for name in attacks]
            points = "" if one["round"] == 0 else f"{sum(lost) / len(lost):.2f} ({min(lost):.2f}–{max(lost):.2f})"
            name = method.replace("_", " ") if one["round"] else "–"
            rows.append([name, str(one["round"]), points, f"{beyond['part']} of {beyond['of']}", *shares])
    rows = [rows[0], *(row for row in rows if row[1] != "0")]
    trained = {name: one["trained"] for name, one in next(iter(result["results"].values()))[1]["believed"].items()}
    heads = [f"{name.replace('_', ' ')}{' *' * trained[name]}" for name in attacks]
    columns = ["method", "round", "points of accuracy lost", "classes whose Q is above 40,200", *heads]
    return "\n".join([table(columns, rows), "", origin("harden", result)])


def detectors() -> str:
    """Each detector against each kind of evolved image: plain, and of attacks that know it."""
    result = read("defences")
    parts = []
    for classifier, rows in result["detectors"].items():
        of_cell = {(row["detector"], row["kind"], row["attack"]): row for row in rows}
        kinds = list(dict.fromkeys(row["kind"] for row in rows))
        names = [name for name in dict.fromkeys(row["detector"] for row in rows) if any(
            "auroc" in of_cell[name, kind, "plain"] for kind in kinds
        )]  # fmt: skip
        lines = [[name.replace("_", " "), *(detector_cell(of_cell, name, kind) for kind in kinds)] for name in names]
        parts += [f"Against `{classifier}`:", "", table(["detector", *kinds], lines), ""]
    return "\n".join([*parts, origin("defences", result)])


def detector_cell(of_cell: dict[tuple[str, str, str], dict[str, Any]], name: str, kind: str) -> str:
    """The AUROC of a plain attack; of one that knows the detector, how many of its images pass, and their AUROC."""
    plain, adaptive = of_cell[name, kind, "plain"], of_cell.get((name, kind, "adaptive"))
    found = f"{plain['auroc']:.2f}" if "auroc" in plain else "–"
    if adaptive is None or not adaptive["made"]:
        return found
    after = f", {adaptive['auroc']:.2f}" if "auroc" in adaptive else ""
    return f"{found} → {adaptive['succeeded']} of {adaptive['made']} pass{after}"


def transfer() -> str:
    """Who else is fooled, by prior."""
    result = read("transfer")
    parts = [f"`prior={prior}`:\n\n{table(one['columns'], one['rows'])}\n" for prior, one in result["results"].items()]
    return "\n".join([*parts, origin("transfer", result)])


def ensembles() -> str:
    """Single networks and ensembles under one attack."""
    result = read("ensembles")
    return "\n".join([table(result["columns"], result["rows"]), "", origin("ensembles", result)])


def surrogates() -> str:
    """Networks attacked by the gradients of others."""
    result = read("surrogates")
    return "\n".join([table(result["columns"], result["rows"]), "", origin("surrogates", result)])


def audits() -> str:
    """Ten models, one audit each, and whether their order repeats."""
    result = read("audit")
    pairs = zip(result["seeds"][1:], result["spearman"], strict=True)
    repeats = "; ".join(f"seeds {result['seeds'][0]} and {seed}: {value:.3f}" for seed, value in pairs)
    head = f"Spearman's rank correlation of their order by Q: {repeats}."
    return "\n".join([table(result["columns"], result["rows"]), "", head, "", origin("audit", result)])


TABLES: dict[str, Callable[[], str]] = {
    "speed": speed,
    "priors": lambda: quality("none", "variogram"),
    "prior exemplar": lambda: quality("exemplar"),
    "prior regional": lambda: quality("regional", "regional, control"),
    "prior eigen": lambda: quality("eigen", "eigen, control"),
    "mismatched": mismatched,
    "searches": searches,
    "gradients": gradients,
    "external": external,
    "training": training,
    **{name: partial(experiment, name) for name in PARTS},
    "default job": default_job,
    "job 2015": job2015,
    "startup": startup,
    "peers": peers,
    "pyribs": pyribs,
    "engines": lambda: peers(ours=True),
    "accelerator": lambda: accelerator("gpu"),
    "jax on a cpu": lambda: accelerator("gpu_cpu"),
    "throughput": throughput,
    "chains": chains,
    "text line": lambda: large("large_textline"),
    "single classes": lambda: large("large_single"),
    "any class": lambda: large("large_any"),
    "archive": lambda: large("large_archive"),
    "ten classes": lambda: large("large_ten"),
    "large images by gradients": large_by_gradients,
    "audits": audits,
    "surrogates": surrogates,
    "hardening": hardening,
    "detectors": detectors,
    "ensembles": ensembles,
    "transfer": transfer,
    "scaling": scaling,
    "kernels": kernels,
    "reliability": reliability,
}


def fill(page: str) -> str:
    """A page with its tables written anew."""
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}{found[3]}", page)


def pages() -> list[Path]:
    """The pages that hold tables."""
    return [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if MARKED.search(path.read_text())]


if __name__ == "__main__":
    for path in pages():
        path.write_text(fill(path.read_text()))
