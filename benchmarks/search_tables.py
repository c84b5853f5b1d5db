"""The tables of the searches, from the result of benchmarks/searches.py."""

import math
from typing import Any

from measure import table

Row = dict[str, Any]


def search_table(result: Row) -> str:
    """All searches on the same network and digit, then on a network of one layer."""
    return "\n".join([same(result), layer(result)])


def gradient_tables(result: Row) -> str:
    """What the sources report of the gradient searches."""
    return "\n".join([blur(result), last(result), feedback(result)])


def read(row: Row) -> list[str]:
    """How many images each held-out classifier reads as the target."""
    return [f"{entry['part']} of {entry['of']}" for entry in row["judges"].values()]


def numbers(row: Row) -> list[str]:
    """Evaluations, gradients and confidence."""
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
    judges = [f"read correctly by {name}" for name in result["same"][0]["judges"]]
    columns = ["search", "evaluations", "gradients", "evaluations to .99", "confidence", *judges]
    columns += ["statistics that separate", "percentile of the variogram term", "seconds per image"]
    head = f"`mnist_mlp`, digit {result['digit']}, {result['runs']} images each, medians:\n"
    return "\n".join([head, table(columns, rows), ""])


def layer(result: Row) -> str:
    """The network of one layer."""
    rows = [
        [row["name"], *numbers(row), *read(row), f"{row['correlation']:.2f}", f"{row['seconds']:.2f}"]
        for row in result["layer"]
    ]
    columns = ["search", "evaluations", "gradients", "evaluations to .99", "confidence", "read correctly by a CNN"]
    head = f"`digits_perceptron`, digit {result['digit']}, {result['runs']} images each, medians:\n"
    return "\n".join([head, table([*columns, "correlation with the weights", "seconds per image"], rows), ""])


def blur(result: Row) -> str:
    """The effect of blur."""
    rows = []
    for row in result["climbs"]:
        shares = [
            f"{name}: {one['part']} of {one['of']} ({one['low']:.0%}–{one['high']:.0%})" for name, one in row["judges"].items()
        ]
        rows.append([row["network"], row["name"], *shares])
    head = f"`search=ascent`, all ten digits, {result['runs']} images each: images read as the target.\n"
    return "\n".join([head, table(["network", "ascent", "first held-out network", "second held-out network"], rows), ""])


def last(result: Row) -> str:
    """Evaluations and confidence, digit by digit."""
    rows = [
        [row["network"], row["name"], *("never" if value is None else f"{value:.0f}" for value in row["to_99"])]
        for row in result["climbs"]
    ]
    rows += [
        [row["network"], f"{row['name']}: confidence", *(f"{math.floor(1e4 * value) / 100:.2f}" for value in row["confidence"])]
        for row in result["climbs"]
    ]
    digits = [str(digit) for digit in range(len(result["climbs"][0]["to_99"]))]
    head = "Evaluations to a confidence of .99, then the final confidence in per cent, medians, digit by digit:\n"
    return "\n".join([head, table(["network", "ascent", *digits], rows), ""])


def feedback(result: Row) -> str:
    """Correlation of a perceptron's images with its weights."""
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in result["feedback"].items()]
    digits = [str(digit) for digit in range(len(rows[0]) - 1)]
    head = "`search=feedback`: correlation of the image with the weights of its neuron, digit by digit:\n"
    return "\n".join([head, table(["", *digits], rows), ""])
