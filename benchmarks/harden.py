"""Does hardening help? `fooling harden` with each method and several seeds: the rounds of each, over all seeds together.

python benchmarks/harden.py data=FOLDER methods=none_class,uniform,margin seeds=2 rounds=1 epochs=4 runs=2 json=false

Small by default. A claim takes seeds=5 rounds=3 epochs=8 runs=10; on two idle cores about 4 minutes a seed and round. Measuring
seeds are those of training plus 1000000. `resume=true` goes on in the same work=FOLDER.
"""

import os
from pathlib import Path
from typing import Any

from measure import finish, table, words

from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.records.files import read_json
from fooling.statistics.intervals import proportion_with_ci


def carried_out(method: str, seed: int, chosen: dict[str, Any]) -> dict[str, Any]:
    """harden.json of one training."""
    place = Path(chosen["work"]) / f"{method}-{seed}"
    given = [f"{name}={chosen[name]}" for name in ("rounds", "epochs", "runs", "evolve", "hidden", "classifier")]
    given += [f"method={method}", f"seed={seed}", f"data.path={chosen['data']}", f"out={place}", "resume=true", "quiet=true"]
    if guarded(dispatch, ["harden", *given]):
        raise SystemExit(f"{method}, seed {seed}: failed")
    return read_json(place / "harden.json")


def over_seeds(found: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """A round over all seeds: accuracies, classes not within the budget, and the images of each attack that are believed."""
    rounds = [one["rounds"][number] for one in found]
    classes = [row for one in rounds for row in one["q"]["classes"]]
    believed: dict[str, dict[str, Any]] = {}
    for row in rounds[0]["attacks"]:
        rows = [other for one in rounds for other in one["attacks"] if other["name"] == row["name"]]
        together, accepted = (pooled([other[key] for other in rows]) for key in ("believed", "accepted"))
        believed[row["name"]] = {**together, "accepted": accepted, "trained": row["trained"]}
    lost = [
        before["accuracy"]["share"] - one["accuracy"]["share"]
        for one, before in zip(rounds, (f["rounds"][0] for f in found), strict=True)
    ]
    return {
        "round": number,
        "accuracy": [one["accuracy"]["share"] for one in rounds],
        "points_lost": [100 * value for value in lost],
        "not_within": proportion_with_ci(sum(row["median9999"] is None for row in classes), len(classes)),
        "believed": believed,
    }


def pooled(shares: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares together."""
    return proportion_with_ci(sum(share["part"] for share in shares), sum(share["of"] for share in shares))


def main() -> None:
    """Every method with every seed."""
    chosen = words(
        data=os.environ.get("FOOLING_DATA", ""),
        methods="none_class,uniform,margin",
        seeds=2,
        rounds=1,
        epochs=4,
        runs=2,
        hidden=150,
        classifier="mlp",
        evolve="none,cppn",
        work="runs/harden",
        json=False,
    )
    results, rows = {}, []
    for method in chosen["methods"].split(","):
        found = [carried_out(method, 10_000 * seed, chosen) for seed in range(chosen["seeds"])]
        results[method] = [over_seeds(found, number) for number in range(chosen["rounds"] + 1)]
        for one in results[method]:
            mean, most = sum(one["points_lost"]) / chosen["seeds"], max(one["points_lost"])
            shares = [
                f"{100 * share['share']:.0f} % ({100 * share['low']:.0f}–{100 * share['high']:.0f})"
                for share in one["believed"].values()
            ]
            beyond = one["not_within"]
            rows.append(
                [method, one["round"], f"{mean:.2f} (at most {most:.2f})", f"{beyond['part']} of {beyond['of']}", *shares]
            )
    names = [f"{name}{'*' * share['trained']}" for name, share in one["believed"].items()]
    print(table(["method", "round", "points lost", "classes not within", *names], rows))
    finish(
        "harden",
        {"settings": {k: v for k, v in chosen.items() if k not in ("data", "work", "out")}, "results": results},
        chosen,
    )


if __name__ == "__main__":
    main()
