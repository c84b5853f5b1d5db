"""The experiments on pictures and networks: the figures of docs/figures.md, and the pictures of docs/guides/experiments.md.

python benchmarks/experiments.py data=FOLDER pictures=FOLDER json=false     (data: by default $FOOLING_DATA)

Each command runs as a user types it, on MNIST. `pictures` is where the pictures go, made small; '' leaves them. The drawings of
`fooling classify` are drawn here. All takes about ten minutes.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import finish, words
from PIL import Image, ImageDraw, ImageFilter

import fooling
from fooling.classifiers.base import predict
from fooling.commands import dispatch
from fooling.errors import guarded

Row = dict[str, Any]
NETWORKS = ("mnist_mlp", "mnist_cnn")
TWO = [(30, 50), (40, 25), (70, 20), (85, 45), (60, 80), (30, 115), (90, 115)]
FEW = ["pictured=0", "runs=5", "generations=100"]  # of the convolutional network, which is asked image by image


def run(name: str, given: list[str], folder: Path, kept: str = "") -> Row:
    """What a command finds; its picture goes to `kept`."""
    out = folder / f"{name}-{len(list(folder.iterdir()))}"
    line = [name, *given, f"out={out}", "quiet=true"]
    print("fooling", name, *given[:6], "…" if len(given) > 6 else "", flush=True)
    if guarded(dispatch, line):
        sys.exit(1)
    if kept:
        small = (
            Image.open(out / f"{name}.png").convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        )
        small.save(kept, optimize=True)
    return json.loads((out / f"{name}.json").read_text())


def main() -> None:
    """One command after the other."""
    chosen = words(data=os.environ.get("FOOLING_DATA", ""), pictures="", json=False)
    if not chosen["data"]:
        sys.exit("data=FOLDER: expected a folder with MNIST's four files (fooling data get mnist FOLDER)")
    data, result = f"data.path={chosen['data']}", {}

    def kept(name: str) -> str:
        return str(Path(chosen["pictures"]) / f"experiment-{name}.png") if chosen["pictures"] else ""

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        result["eigen"] = eigen(run("eigen", [data], folder, kept("eigen")))
        result["mean"] = mean(run("mean", [data], folder, kept("mean")))
        result["classify"] = classify(run("classify", draw(folder), folder, kept("classify")), chosen["data"])
        result["classify"]["evolved"] = evolved(folder)
        for name, network in enumerate(NETWORKS):
            own = [data, f"classifier={network}"]
            which = lambda what, first=not name: kept(what) if first else ""  # noqa: E731
            few = FEW if network == "mnist_cnn" else []
            result.setdefault("border", {})[network] = border(run("border", own, folder, which("border")))
            result.setdefault("scramble", {})[network] = scramble(run("scramble", own, folder, which("scramble")))
            result.setdefault("damage", {})[network] = damage(run("damage", [*own, *few], folder, which("damage")))
    finish("experiments", result, chosen)


def draw(folder: Path) -> list[str]:
    """A few drawings, as files: in the middle, in a corner, reaching the border, thin, faint on grey paper."""
    pictures = folder / "pictures"
    pictures.mkdir()
    big = [(x * 2, y * 2) for x, y in TWO]
    for name, points, size, width in (
        ("centred.png", [(x + 80, y + 70) for x, y in TWO], 280, 11),
        ("corner.png", [(x + 160, y + 140) for x, y in TWO], 280, 11),
        ("border.png", [(2.9 * x - 80, 2.9 * y - 55) for x, y in TWO], 280, 24),
        ("thin.png", [(x + 40, y) for x, y in big], 280, 3),
    ):
        picture = Image.new("L", (size, size), 255)
        ImageDraw.Draw(picture).line(points, fill=0, width=width, joint="curve")
        picture.save(pictures / name)
    random = np.random.default_rng(0)
    paper = 180 + np.linspace(-20, 20, 640)[None, :, None] + random.normal(0, 5, (480, 640, 3))
    photo = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(photo).line([(x * 2 + 300, y * 2 + 60) for x, y in TWO], fill=(50, 50, 110), width=15, joint="curve")
    photo.filter(ImageFilter.GaussianBlur(1.5)).save(pictures / "photo.jpg", quality=80)
    return [str(pictures / name) for name in ("centred.png", "corner.png", "border.png", "thin.png", "photo.jpg")]


def eigen(found: Row) -> Row:
    """Accuracies with their intervals, and what k eigen-images are worth."""
    rows = [{"name": one["name"], "k": one.get("components"), **one["accuracy"]} for one in [*found["pca"], *found["networks"]]]
    steps = [{key: step[key] for key in ("k", "explained", "error")} for step in found["steps"]]
    for step, whole in zip(steps, found["steps"], strict=True):
        step |= {method: whole[method]["share"] for method in ("means", "residual") if whole[method]}
    return {"accuracies": rows, "steps": steps}


def mean(found: Row) -> Row:
    """Correlations with the real mean, medians over the digits."""
    lists = {one["prior"]: [c["correlation"] for c in one["classes"]] for one in found["priors"]}
    lists["real images"] = found["real"]
    return {"numbers": found["numbers"], "rows": {name: np.median(rows, axis=0).tolist() for name, rows in lists.items()}}


def classify(found: Row, folder: str) -> Row:
    """What was read, and how many test images each network's usual threshold rejects."""
    pictures = [
        {
            "file": Path(one["file"]).name,
            **{way: {key: one[way][key] for key in ("label", "score", "rejected")} for way in ("plain", "fitted")},
        }
        for one in found["pictures"]
    ]
    test, rates = fooling.load_data(folder, split="test"), {}
    noise = np.random.default_rng(0).integers(0, 256, (1000, 28, 28, 1), dtype=np.uint8)
    for name, threshold in (("mnist_mlp", 0.5), ("mnist_cnn", 0.9)):
        network = fooling.load_classifier(name)
        scores = predict(network, test.images)
        right, sure = scores.argmax(axis=1) == test.labels, scores.max(axis=1) >= threshold
        rates[name] = {
            "threshold": threshold,
            "right_accepted": float(sure[right].mean()),
            "wrong_rejected": float((~sure[~right]).mean()),
            "noise_rejected": float((predict(network, noise).max(axis=1) < threshold).mean()),
        }
    return {"pictures": pictures, "rates": rates}


def evolved(folder: Path) -> Row:
    """Five images a digit without a prior: how many of them still fool, are read as another digit, or rejected, once fitted."""
    made = folder / "evolved"
    if guarded(dispatch, ["run", "digit=all", "prior=none", "runs=5", f"out={made}", "quiet=true"]):
        sys.exit(1)
    pictures = run("classify", sorted(map(str, made.glob("digit=*/images/*.png"))), folder)["pictures"]
    wanted = [one["file"].rpartition("digit=")[2][0] for one in pictures]
    found = {"images": len(pictures), "rejected": sum(one["fitted"]["rejected"] for one in pictures)}
    found["fool"] = sum(one["plain"]["score"] >= 0.9999 for one in pictures)
    kept = [
        not one["fitted"]["rejected"] and one["fitted"]["label"] == digit for one, digit in zip(pictures, wanted, strict=True)
    ]
    return {**found, "fool_fitted": sum(kept), "read_as_another": len(kept) - sum(kept) - found["rejected"]}


def border(found: Row) -> Row:
    """Along the four directions: accuracy and confidence, means; what is misread by then; over the scales."""
    rows = []
    for d in found["distances"]:
        there = [row for rows in found["ways"].values() for row in rows if row["distance"] == d]
        rows.append(
            {
                "pixels": d,
                "right": float(np.mean([row["accuracy"]["share"] for row in there])),
                "confidence": float(np.mean([row["confidence"] for row in there])),
                "misread": found["first_misread"]["by_distance"][str(d)]["share"],
                "ink": found["ink_kept"][str(d)],
            }
        )
    scales = [{"scale": one["scale"], "right": one["accuracy"]["share"]} for one in found["scaled"] if one["distance"] == 0]
    return {"images": found["images"], "clear": found["clear"], "moved": rows, "scaled": scales}


def scramble(found: Row) -> Row:
    """Accuracy and median confidence of each noise."""
    return {
        name: [
            {
                "share": row["share"],
                "right": row["accuracy"]["share"],
                "confidence": row["quartiles"][1],
                "largest": row["largest_score"],
                "read": f"{row['most_read_share']['share']:.0%} as {row['most_read']}",
            }
            for row in rows
        ]
        for name, rows in found["curves"].items()
    }


def damage(found: Row) -> Row:
    """Medians over the damaged networks, and the detector."""
    rows = []
    for dose in [{"dosage": 0, "neurons": 0, **found["whole"]}, *found["doses"]]:
        row = {"dosage": dose["dosage"], "neurons": dose["neurons"]}
        for group in ("real", "evolved"):
            row[group] = {key: dose[group][key]["median"] for key in ("accuracy", "confidence")}
            row[group] |= {"low": dose[group]["accuracy"]["quartiles"][0], "high": dose[group]["accuracy"]["quartiles"][1]}
        if "detector" in dose:
            row |= {"auroc": dose["detector"]["auroc"], "interval": dose["detector"]["auroc_interval"]}
            row["auroc_of_one"] = dose["detector"]["of_one"]["median"]
        rows.append(row)
    return {"all": found["neurons"]["all"], "kind": found["neurons"]["kind"], "repeats": found["repeats"], "rows": rows}


if __name__ == "__main__":
    main()
