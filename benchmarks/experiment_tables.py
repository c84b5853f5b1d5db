"""The tables of docs/experiments.md, from what benchmarks/experiments.py found."""

from measure import table


def experiment_tables(result: dict) -> str:
    """A table or two for each experiment."""
    return "\n\n".join(part(result[name]) for name, part in PARTS.items())


def per_cent(*shares: float | None) -> list[str]:
    """Cells of shares."""
    return ["" if share is None else f"{share:.1%}" for share in shares]


def of_classify(found: dict) -> str:
    """How many images the usual thresholds reject."""
    keys = ("right_accepted", "wrong_rejected", "noise_rejected")
    rows = [[name, f"{rate['threshold']:g}", *per_cent(*(rate[key] for key in keys))] for name, rate in found["rates"].items()]
    head = (
        "`fooling classify`: what the usual threshold accepts and rejects, of 10,000 test images, and of 1,000 of even noise:\n"
    )
    columns = ["network", "threshold", "right ones accepted", "wrong ones rejected", "noise rejected"]
    one = found["evolved"]
    foot = (
        f"Of {one['images']} images evolved against mnist_mlp without a prior, {one['fool']} reach 99.99 % as they are; "
        f"fitted, {one['fool_fitted']} are still read so, {one['read_as_another']} as another digit; "
        f"{one['rejected']} are rejected."
    )
    return "\n".join([head, table(columns, rows), "", foot])


def of_border(found: dict) -> str:
    """Moved digits, a column a network."""
    first = next(iter(found.values()))
    rows = []
    for i, row in enumerate(first["moved"]):
        cells = [cell for one in found.values() for cell in per_cent(*(one["moved"][i][key] for key in ("right", "misread")))]
        rows.append([row["pixels"], *per_cent(row["ink"]), *cells])
    columns = ["pixels", "ink kept", *(f"{name}: {what}" for name in found for what in ("right", "clear ones misread by then"))]
    head = f"`fooling border`: {first['images']:,} test images moved left, right, up and down, means:\n"
    return "\n".join([head, table(columns, rows)])


def of_scramble(found: dict) -> str:
    """Some shares of the background, of each noise and network."""
    rows = []
    for name, noises in found.items():
        for noise, lines in noises.items():
            some = [line for line in lines if line["share"] in (0, 20, 50, 100)]
            cells = [f"{line['right']:.1%} ({line['confidence']:.1%})" for line in some]
            rows.append([name, noise, *cells, lines[-1]["read"]])
    head = (
        "`fooling scramble`: right ones and, in brackets, median confidence, by the share of the background that is replaced:\n"
    )
    columns = ["network", "noise", "0 %", "20 %", "50 %", "100 %", "read most often at 100 %"]
    return "\n".join([head, table(columns, rows)])


def of_damage(found: dict) -> str:
    """A line a network and number of neurons."""
    rows = []
    for name, one in found.items():
        seen = set()
        for row in one["rows"]:
            if row["neurons"] not in seen:
                seen.add(row["neurons"])
                dosages = [f"{other['dosage']:g}" for other in one["rows"] if other["neurons"] == row["neurons"]]
                rights = [
                    f"{row[group]['accuracy']:.1%} ({row[group]['low']:.0%}–{row[group]['high']:.0%})"
                    for group in ("real", "evolved")
                ]
                area = f"{row['auroc']:.2f} ({row['interval'][0]:.2f}–{row['interval'][1]:.2f})" if "auroc" in row else ""
                rows.append([name, ", ".join(dosages), f"{row['neurons']} of {one['all']}", *rights, area])
    columns = ["network", "dosage, %", "neurons", "real digits right", "evolved images still fool", "AUROC of the fall (95 %)"]
    head = "`fooling damage`: medians over 20 damaged networks, in brackets the middle half:\n"
    return "\n".join([head, table(columns, rows)])


def of_eigen(found: dict) -> str:
    """Accuracies, and what k eigen-images are worth."""
    rows = [
        [one["name"] + (f", k = {one['k']}" if one["k"] else ""), *per_cent(one["share"], one["low"], one["high"])]
        for one in found["accuracies"]
    ]
    steps = [
        [step["k"], *per_cent(step["explained"]), f"{step['error']:.0f}", *per_cent(step["means"], step.get("residual"))]
        for step in found["steps"]
    ]
    columns = ["k", "variance explained", "error of four images, grey levels", "nearest class mean", "least residual"]
    head = "`fooling eigen`: right of 10,000 test images:\n"
    return "\n".join([head, table(["classifier", "right", "95 % from", "to"], rows), "", table(columns, steps)])


def of_mean(found: dict) -> str:
    """Correlations."""
    rows = [["no prior" if name == "none" else name, *(f"{value:.2f}" for value in row)] for name, row in found["rows"].items()]
    head = "`fooling mean`: correlation of the mean of N images with the real mean, median over the digits:\n"
    return "\n".join([head, table(["prior", *(f"N = {n}" for n in found["numbers"])], rows)])


PARTS = {
    "classify": of_classify,
    "border": of_border,
    "scramble": of_scramble,
    "damage": of_damage,
    "eigen": of_eigen,
    "mean": of_mean,
}
