"""The tables of docs/searches.md, from the result of benchmarks/searches.py."""

import math
from typing import Any

from measure import table

Row = dict[str, Any]


def search_figures(result: Row, origin: str) -> str:
    """Every search before the same question, then what the sources report of the gradient searches."""
    return "\n".join([same(result), layer(result), blur(result), last(result), feedback(result), origin])


def read(row: Row) -> list[str]:
    """How many images each judge reads as the digit."""
    return [f"{entry['part']} of {entry['of']}" for entry in row["judges"].values()]


def numbers(row: Row) -> list[str]:
    """What was spent and how sure the network is."""
    to_99 = "never" if row["to_99"] is None else f"{row['to_99']:,.0f}"
    gradients = f"{row['gradients']:,.0f}" if row["gradients"] else "–"
    sure = "> 99.99%" if row["confidence"] > 0.9999 else f"{row['confidence']:.2%}"
    return [f"{row['evaluations']:,.0f}", gradients, to_99, sure]


def same(result: Row) -> str:
    """The network of two layers."""
    rows = [
        [
            row["name"],
            *numbers(row),
            *read(row),
            f"{row['telling']} of {row['simple']}" if "telling" in row else "",
            f"{row['variogram']:.0f}",
            f"{row['seconds']:.2f}",
        ]
        for row in result["same"]
    ]
    judges = [f"read by {name}" for name in result["same"][0]["judges"]]
    columns = ["search", "evaluations", "gradients", "evaluations to .99", "confidence", *judges]
    columns += ["simple statistics that tell", "variogram's percentile", "seconds an image"]
    head = f"`mnist_mlp`, digit {result['digit']}, {result['runs']} images each, medians:\n"
    return "\n".join([head, table(columns, rows), ""])


def layer(result: Row) -> str:
    """The network of one layer."""
    rows = [
        [row["name"], *numbers(row), *read(row), f"{row['correlation']:.2f}", f"{row['seconds']:.2f}"]
        for row in result["layer"]
    ]
    columns = ["search", "evaluations", "gradients", "evaluations to .99", "confidence", "read by a CNN"]
    head = f"`digits_perceptron`, digit {result['digit']}, {result['runs']} images each, medians:\n"
    return "\n".join([head, table([*columns, "correlation with the weights", "seconds an image"], rows), ""])


def blur(result: Row) -> str:
    """What blur brings."""
    rows = []
    for row in result["climbs"]:
        shares = [
            f"{name}: {one['part']} of {one['of']} ({one['low']:.0%}–{one['high']:.0%})" for name, one in row["judges"].items()
        ]
        rows.append([row["network"], row["name"], *shares])
    head = f"`search=ascent`, all ten digits, {result['runs']} images each: how many two judges read as the wanted digit.\n"
    return "\n".join([head, table(["network", "ascent", "one judge", "another"], rows), ""])


def last(result: Row) -> str:
    """Which digit comes last."""
    rows = [
        [row["network"], row["name"], *("never" if value is None else f"{value:.0f}" for value in row["to_99"])]
        for row in result["climbs"]
    ]
    rows += [
        [row["network"], f"{row['name']}: confidence", *(f"{math.floor(1e4 * value) / 100:.2f}" for value in row["confidence"])]
        for row in result["climbs"]
    ]
    digits = [str(digit) for digit in range(len(result["climbs"][0]["to_99"]))]
    head = "Evaluations until a confidence of .99, then the confidence at the end in per cent, medians, digit by digit:\n"
    return "\n".join([head, table(["network", "ascent", *digits], rows), ""])


def feedback(result: Row) -> str:
    """How like the weights a perceptron's dreams are."""
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in result["feedback"].items()]
    digits = [str(digit) for digit in range(len(rows[0]) - 1)]
    head = "`search=feedback`: correlation of the image with the weights of its neuron, digit by digit:\n"
    return "\n".join([head, table(["", *digits], rows), ""])
