"""`fooling stats`: fits a data set's statistics."""

import sys

from fooling.commands.output import print_table, written_whole
from fooling.paths import user_path
from fooling.settings import StatsSettings, load

SUMMARY = "fit the statistics of a data set's classes"
USAGE = "fooling stats data.path=PATH key=value …"


def main(arguments: list[str]) -> int:
    """The command: → exit code."""
    if {"--help", "-h", "help"} & set(arguments):
        from fooling.settings_help import help_text

        sys.stdout.write(help_text(StatsSettings, "stats", USAGE))
        return 0
    settings = load(arguments, StatsSettings, "stats")
    from fooling.data import load_data
    from fooling.fit import fit

    with written_whole(user_path(settings.out), settings.overwrite) as part:
        data = load_data(settings.data.path, settings.data.kind)
        statistics = fit(data, **settings.model_dump(include={"bins", "lags", "components", "grid", "reach", "exemplars"}))
        statistics.save(part)
    if not settings.quiet:
        lags = range(min(3, statistics.lags))
        columns = [
            "class",
            "images",
            "first bin",
            "last bin",
            *(f"g_x({k + 1})" for k in lags),
            *(f"g_y({k + 1})" for k in lags),
        ]
        shares = statistics.histogram.mean(axis=1)
        g_x, g_y = statistics.variogram_x.mean(axis=1), statistics.variogram_y.mean(axis=1)
        rows = [
            [label, f"{count:,}", *(f"{v:.3f}" for v in (shares[k, 0], shares[k, -1], *g_x[k, :3], *g_y[k, :3]))]
            for k, (label, count) in enumerate(zip(statistics.labels, statistics.count, strict=True))
        ]
        print_table(columns, rows)
        for name, kept in (("components", statistics.eigen.shape[1]), ("exemplars", statistics.exemplars)):
            if kept < getattr(settings, name):
                images = f"{statistics.count.min()} images"
                print(f"{name}={kept}, not {getattr(settings, name)}: the smallest class has {images}")
        print(f"→ {settings.out}: use it with prior.statistics={settings.out}")
    return 0
