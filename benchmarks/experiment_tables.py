"""The tables of the experiments, from the result of benchmarks/experiments.py."""

from measure import table


def per_cent(*shares: float | None) -> list[str]:
    """Cells of shares."""
    return ["" if share is None else f"{share:.1%}" for share in shares]


def of_classify(found: dict) -> str:
    """How many images the default thresholds reject."""
    keys = ("right_accepted", "wrong_rejected", "noise_rejected")
    rows = [[name, f"{rate['threshold']:g}", *per_cent(*(rate[key] for key in keys))] for name, rate in found["rates"].items()]
    columns = ["network", "threshold", "correct predictions accepted", "wrong predictions rejected", "noise rejected"]
    one = found["evolved"]
    foot = (
        f"Of {one['images']} images evolved against mnist_mlp without a prior, {one['fool']} reach 99.99 % unchanged. "
        f"After fitting, {one['fool_fitted']} are still read as the target, {one['read_as_another']} as another digit, "
        f"and {one['rejected']} are rejected."
    )
    return "\n".join([table(columns, rows), "", foot])


def of_border(found: dict) -> str:
    """Translated digits, two columns per network."""
    first = next(iter(found.values()))
    rows = []
    for i, row in enumerate(first["moved"]):
        cells = [cell for one in found.values() for cell in per_cent(*(one["moved"][i][key] for key in ("right", "misread")))]
        rows.append([row["pixels"], *per_cent(row["ink"]), *cells])
    columns = [
        "pixels",
        "ink kept",
        *(f"{name}: {what}" for name in found for what in ("accuracy", "clear digits misread by then")),
    ]
    head = f"{first['images']:,} test images, means over left, right, up and down.\n"
    return "\n".join([head, table(columns, rows)])


def of_scramble(found: dict) -> str:
    """Some shares of the background, for each noise and network."""
    rows = []
    for name, noises in found.items():
        for noise, lines in noises.items():
            some = [line for line in lines if line["share"] in (0, 20, 50, 100)]
            cells = [f"{line['right']:.1%} ({line['confidence']:.1%})" for line in some]
            rows.append([name, noise, *cells, lines[-1]["read"]])
    columns = ["network", "noise", "0 %", "20 %", "50 %", "100 %", "most frequent prediction at 100 %"]
    return table(columns, rows)


def of_damage(found: dict) -> str:
    """A row per network and number of neurons."""
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
    columns = ["network", "dosage, %", "neurons", "accuracy on real digits", "evolved images that still fool", "AUROC (95 %)"]
    return table(columns, rows)


def of_eigen(found: dict) -> str:
    """Accuracies, and accuracies over the number of principal components."""
    rows = [
        [one["name"] + (f", k = {one['k']}" if one["k"] else ""), *per_cent(one["share"], one["low"], one["high"])]
        for one in found["accuracies"]
    ]
    steps = [
        [step["k"], *per_cent(step["explained"]), f"{step['error']:.0f}", *per_cent(step["means"], step.get("residual"))]
        for step in found["steps"]
    ]
    columns = ["k", "variance explained", "reconstruction error, grey levels", "nearest class mean", "least residual"]
    return "\n".join([table(["classifier", "accuracy", "95 % from", "to"], rows), "", table(columns, steps)])


def of_mean(found: dict) -> str:
    """Correlations."""
    rows = [["no prior" if name == "none" else name, *(f"{value:.2f}" for value in row)] for name, row in found["rows"].items()]
    return table(["prior", *(f"N = {n}" for n in found["numbers"])], rows)


PARTS = {
    "classify": of_classify,
    "border": of_border,
    "scramble": of_scramble,
    "damage": of_damage,
    "eigen": of_eigen,
    "mean": of_mean,
}
