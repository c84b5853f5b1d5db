"""The front of `search=pareto`: confidence against plausibility."""

import csv
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fooling.plots.sheets import STOPS, evenly_spaced, percent, scale
from fooling.records import FRONT, read_image, read_run
from fooling.records.files import write_atomically
from fooling.search.pareto_front import nondominated


def draw_front(folder: Path) -> None:
    """front.png from front.csv: target term against distance from the prior, the fronts of the runs and that of all of them."""

    with (folder / FRONT).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points = np.array([(float(row["target"]), float(row["prior"])) for row in rows])
    runs, pooled = np.array([int(row["run"]) for row in rows]), nondominated(points)
    shown = pooled[evenly_spaced(points[pooled], STOPS)]
    figure = Figure(figsize=(8, 6), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, len(shown), height_ratios=(4, 1))
    axes = figure.add_subplot(grid[0, :])
    for run in range(runs.max() + 1):
        axes.plot(*points[runs == run].T, color="0.7", linewidth=0.8, label="" if run else "front of each run")
    axes.plot(*points[pooled].T, color="black", linewidth=2, label="front of all runs")
    axes.plot(*points[shown].T, "o", color="tab:red")
    scale(axes.set_xscale, points[:, 0])
    scale(axes.set_yscale, points[:, 1])
    axes.set(xlabel="target term (left: the classifier is surer)", ylabel="distance from the prior (down: nearer)")
    axes.legend(frameon=False)
    about = read_run(folder)
    axes.set_title(
        f"digit {about['digit']}, prior {about['prior']}: {len(rows)} images of {runs.max() + 1} fronts, "
        f"median hypervolume {about['hypervolume_median']:.4f}",
        fontsize=10,
    )
    for place, number in enumerate(shown):
        image, row = read_image(folder / rows[number]["file"]), rows[number]
        axes.annotate(f"{place + 1}", points[number], (5, 5), textcoords="offset points", color="tab:red")
        tile = figure.add_subplot(grid[1, place])
        tile.imshow(image[:, :, 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        tile.set_axis_off()
        tile.set_title(f"{place + 1}\n{percent(float(row['confidence']))}\nprior {float(row['prior']):.3g}", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(folder / "front.png", buffer.getvalue())
