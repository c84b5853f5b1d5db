"""Who else is fooled? Images made against each of several networks of MNIST, shown to all others, by `fooling transfer`.

python benchmarks/transfer.py work=FOLDER runs=3 priors=none,variogram json=false

`work` is where benchmarks/audit.py has trained its networks (softmax, perceptron, mlp, cnn). A cell is the share of the images
that succeeded which the network of the column believes (.99 and the largest score), with a 95 % interval.
"""

import tempfile
from pathlib import Path
from typing import Any

from measure import finish, table, words

from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.records.files import read_json

BUNDLED = ("mnist_mlp", "mnist_mlp2", "mnist_cnn", "mnist_cnn2")
TRAINED = ("softmax", "mlp", "cnn")


def entries(work: Path) -> str:
    """The classifiers as `classifiers=` takes them."""
    own = [f"{{name: {kind}, path: '{work / kind}.safetensors', title: own {kind}}}" for kind in TRAINED]
    return f"[{', '.join([*BUNDLED, *own])}]"


def measured(prior: str, chosen: dict[str, Any], folder: Path) -> dict[str, Any]:
    """transfer.json of attacks under a prior."""
    given = [f"classifiers={entries(Path(chosen['work']))}", f"prior={prior}", f"runs={chosen['runs']}"]
    given.append(f"out={folder / prior}")
    if guarded(dispatch, ["transfer", *given, "quiet=true"]):
        raise SystemExit(f"prior={prior}: failed")
    return read_json(folder / prior / "transfer.json")


def cell(found: dict[str, Any]) -> str:
    """A share in a cell."""
    share = found["believed"]
    if found["itself"]:
        return "·"
    return f"{100 * share['share']:.0f} % ({100 * share['low']:.0f}–{100 * share['high']:.0f})" if share else "–"


def main() -> None:
    """Prints a table for each prior."""
    chosen = words(work="audits", runs=3, priors="none,variogram", json=False)
    results, tables = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for prior in chosen["priors"].split(","):
            found = measured(prior, chosen, Path(folder))
            rows = [[row["source"], str(row["succeeded"]["part"]), *map(cell, row["cells"])] for row in found["rows"]]
            columns = ["made against", "images", *(one["name"] for one in found["classifiers"])]
            results[prior] = {"columns": columns, "rows": rows, "transferred": found["transferred"]}
            tables[prior] = table(columns, rows)
            print(f"prior={prior}\n\n{tables[prior]}\n")
    finish("transfer", {"settings": {"runs": chosen["runs"], "priors": chosen["priors"]}, "results": results}, chosen)


if __name__ == "__main__":
    main()
