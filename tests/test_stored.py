"""What the commit before the refactoring wrote is read, finished and resumed by this code; see stored/README.md."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden.images import ROOT, STORED, command, digest, machine, of_file, pixels, timeless
from pairwise import rare

import fooling

EXPECTED = json.loads((STORED / "expected.json").read_text(encoding="utf-8"))
SAME_MACHINE = EXPECTED["machine"] == machine()  # and the same versions: then floats are the same, too
NETWORKS = EXPECTED["networks"]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that is stored, as the working directory: names in the records are relative to it."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED, folder)
    monkeypatch.chdir(folder)
    return folder


def read(path: str | Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def images_of(record: str | Path) -> np.ndarray:
    return np.stack([pixels(path) for path in sorted(Path(record).glob("images/*.png"))])


def digest_of(record: str | Path) -> str:
    return digest(pixels(path) for path in sorted(Path(record).glob("images/*.png")))


def change(path: str, words: Callable[[Any], Any]) -> None:
    content = read(path)
    Path(path).write_text(json.dumps({**content, **words(content)}), encoding="utf-8")


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Every number and text of a JSON value by its place, without what the clock says."""
    if isinstance(value, dict | list):
        inner = timeless(value).items() if isinstance(value, dict) else enumerate(value)
        return {place: leaf for key, entry in inner for place, leaf in leaves(entry, f"{name}/{key}").items()}
    return {name: value}


def assert_alike(found: Any, expected: Any) -> None:
    # each search and each kind of classifier lists only its own settings now; data have more of them
    former = ("/settings/search/", "/settings/classifier/", "/settings/data/")
    now, then = (
        {place: leaf for place, leaf in leaves(content).items() if not place.startswith(former)}
        for content in (found, expected)
    )
    assert list(now) == list(then)
    for place, value in then.items():
        assert now[place] == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value), place


def times(folder: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(Path(folder).rglob("run.json"))}


# --- records that were interrupted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ga", "anneal", "pareto", "ascent", rare("dream"), rare("feeding")])
def test_an_interrupted_job_goes_on_as_if_nothing_had_been(stored: Path, name: str) -> None:
    assert read(f"{name}/run.json")["status"] == "interrupted"
    before = len(Path(f"{name}/metrics.jsonl").read_text().splitlines())
    result = fooling.evolve(f"{name}/config.yaml", out=name, resume=True)
    run = read(f"{name}/run.json")
    assert run["status"] == "done"
    assert len(Path(f"{name}/metrics.jsonl").read_text().splitlines()) > before
    assert np.array_equal(images_of(name), result.images)
    assert [entry["confidence"] for entry in run["images"]] == result.confidence.tolist()
    if name in ("ga", "anneal", "pareto") or SAME_MACHINE:
        assert digest(result.images) == EXPECTED["images"][name]
    else:
        assert result.confidence.min() > (0.5 if name != "dream" else 0)


def test_an_interrupted_front_is_finished(stored: Path) -> None:
    assert command("run", "pareto/config.yaml", "out=pareto", "resume=true") == 0
    lines = Path("pareto/front.csv").read_text().splitlines()
    assert len(lines) - 1 == len(list(Path("pareto/front").iterdir())) > 2


def test_an_interrupted_sweep_is_finished_by_the_command(stored: Path) -> None:
    before = times("sweep/digit=0")
    words = [sys.executable, "-m", "fooling.run", "sweep/config.yaml", "out=sweep", "resume=true", "quiet=true"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert times("sweep/digit=0") == before
    sweep = read("sweep/sweep.json")
    assert [sweep["status"], *(job["status"] for job in sweep["jobs"])] == ["done"] * 3
    for job in ("sweep/digit=0", "sweep/digit=1"):
        assert digest_of(job) == EXPECTED["images"][job]
    assert Path("sweep/contact_sheet.png").exists()


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("ga", "population=41", "search.population is 40 there, 41 here"),
        ("ga", "overwrite=true", "expected resume=true or overwrite=true"),
        ("anneal", "temperature=0.1", "search.temperature is 0.001 there, 0.1 here"),
    ],
)
def test_another_job_is_not_resumed(stored: Path, name: str, word: str, message: str) -> None:
    before = times(name)
    with pytest.raises(fooling.UserError, match=message):
        fooling.evolve(f"{name}/config.yaml", word, out=name, resume=True)
    with pytest.raises(fooling.UserError, match=r"holds an unfinished job \(interrupted\); resume=true continues it"):
        fooling.evolve(f"{name}/config.yaml", out=name)
    assert times(name) == before


def test_other_weights_statistics_and_pictures_are_not_resumed(stored: Path) -> None:
    shutil.copy("perceptron.safetensors", "softmax.safetensors")
    with pytest.raises(fooling.UserError, match="was begun with another classifier under the same name"):
        fooling.evolve("feeding/config.yaml", out="feeding", resume=True)
    assert command("stats", "data.kind=sklearn", "components=3", "out=digits.npz", "overwrite=true", "quiet=true") == 0
    with pytest.raises(fooling.UserError, match="was begun with another statistics under the same name"):
        fooling.evolve("anneal/config.yaml", out="anneal", resume=True)
    shutil.copy(Path("finished/images/0000.png"), "four.png")
    with pytest.raises(fooling.UserError, match="was begun with another picture under the same name"):
        fooling.evolve("dream/config.yaml", out="dream", resume=True)


# --- finished records ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["finished", "small", "feedback"])
def test_a_finished_record_is_repeated_by_its_settings(stored: Path, name: str) -> None:
    assert digest_of(name) == EXPECTED["images"][name]
    result = fooling.evolve(f"{name}/config.yaml", out="again")
    if name != "feedback" or SAME_MACHINE:
        assert np.array_equal(result.images, images_of(name))
        assert of_file(Path("again")) == of_file(Path(name))
    then, now = read(f"{name}/run.json"), read("again/run.json")
    new = ("files", "checkpoint_format", "stopped_by", "label")
    left_out = ("versions", "seconds", "evaluations_per_second", *new)
    assert [key for key in then if key not in left_out] == [key for key in now if key not in left_out]
    assert {key: then[key] for key in then if key.endswith("fingerprint")} == {
        key: now[key] for key in now if key.endswith("fingerprint")
    }
    if name != "feedback" or SAME_MACHINE:
        images = [{key: entry[key] for key in entry if not key.endswith("label")} for entry in now["images"]]
        for entry, before in zip(images, then["images"], strict=True):
            if before["runner_up"] == before["predicted"]:  # as older code had it where the target had not the largest score
                assert entry["runner_up"] != entry.pop("predicted") == before.pop("predicted")
                del entry["runner_up"], before["runner_up"]
        assert timeless(images) == timeless(then["images"])


def test_a_finished_record_is_read_again_and_not_made_anew(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = times("finished")
    assert command("run", "finished/config.yaml", "out=finished", "quiet=false", "resume=true") == 0
    assert "finished is finished: nothing to resume" in capsys.readouterr().out
    assert times("finished") == before
    assert command("run", "finished/config.yaml", "out=finished") == 2
    assert "holds a finished job; overwrite=true replaces it" in capsys.readouterr().err
    result = fooling.evolve("finished/config.yaml", out="finished", resume=True)
    assert digest(result.images) == EXPECTED["images"]["finished"]
    assert command("run", "finished/config.yaml", "digit=1", "out=finished", "overwrite=true") == 0
    assert read("finished/run.json")["digit"] == 1


def test_plausibility_reads_a_record(stored: Path) -> None:
    assert command("plausibility", "small", "data.kind=sklearn", "quiet=true") == 0
    found = read("small/plausibility.json")
    assert (found["digit"], found["evolved_images"], found["split"]) == (3, 12, "test")
    assert {name: row["auroc"] for name, row in found["statistics"].items()} == pytest.approx(EXPECTED["aurocs"], abs=0.02)
    assert command("plausibility", "finished", "data.kind=sklearn", "quiet=true") == 2  # images of another size


def test_an_evolved_image_gets_the_score_of_its_record(stored: Path) -> None:
    assert command("classify", "finished/images/0001.png", "out=read", "quiet=true") == 0
    entry = read("finished/run.json")["images"][1]
    (found,) = read("read/classify.json")["pictures"]
    assert (found["plain"]["read"], found["plain"]["score"]) == (entry["predicted"], entry["confidence"])


LADDER = """digit=3 classifier=digits_perceptron prior.statistics=digits.npz rungs=[none,eigen] arms=[with,control]
judges=[mlp.safetensors] runs=2 population=10 generations=5 proposals=40 quiet=true"""


@pytest.mark.parametrize(("name", "words"), [("matrix", "matrix/config.yaml"), ("ladder", LADDER)])
def test_a_finished_command_is_put_together_again(stored: Path, name: str, words: str) -> None:
    before, result = times(name), read(f"{name}/{name}.json")
    Path(f"{name}/{name}.json").unlink()
    change(f"{name}/sweep.json", lambda _: {"status": "interrupted"})
    assert command(name, *words.split(), f"out={name}", "resume=true") == 0
    assert_alike(read(f"{name}/{name}.json"), result)
    assert read(f"{name}/sweep.json")["status"] == "done"
    assert Path(f"{name}/{name}.png").exists()
    assert times(name) == before


def test_the_jobs_of_a_command_are_repeated(stored: Path) -> None:
    for job in ("matrix/prior=3,digit=4", "ladder/rung=eigen,arm=control,digit=3", "ladder/rung=none,arm=with,digit=3"):
        result = fooling.evolve(f"{job}/config.yaml")
        assert digest(result.images) == EXPECTED["images"][job]


def test_an_experiment_is_repeated_by_its_settings(stored: Path) -> None:
    then = read("eigen/eigen.json")
    assert command("eigen", "eigen/config.yaml", "out=eigen") == 2
    assert command("eigen", "eigen/config.yaml", "out=eigen", "overwrite=true") == 0
    now = read("eigen/eigen.json")
    assert Path("eigen/eigen.png").exists()
    assert_alike(now, then)
    if SAME_MACHINE:
        changed = {"eigen.json numbers"}  # Wilson intervals are scipy's now: z = 1.95996, not 1.96
        then_files, now_files = (of_file(folder) for folder in (STORED / "eigen", Path("eigen")))
        assert {k: v for k, v in now_files.items() if k not in changed} == {
            k: v for k, v in then_files.items() if k not in changed
        }
        then_exact, now_exact = (
            {k: v for k, v in leaves(one).items() if k[-4:] not in ("/low", "high")} for one in (then, now)
        )
        assert now_exact == then_exact


# --- networks and statistics --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NETWORKS)
def test_a_stored_network_gives_its_scores(stored: Path, path: str) -> None:
    images = fooling.load_data(None, "sklearn", "test").images[:2]
    found = fooling.load_classifier(NETWORKS[path]["name"], path)(images)
    exact = "cnn" not in path and "pca" not in path
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(NETWORKS[path]["scores"]), rel=0 if exact else 1e-4, abs=0 if exact else 1e-6)


def test_stored_statistics_are_those_of_their_data(stored: Path) -> None:
    assert command("stats", "data.kind=sklearn", "components=8", "exemplars=15", "out=again.npz", "quiet=true") == 0
    then, now = np.load("digits.npz"), np.load("again.npz")
    assert {*then, "sample", "resize"} == set(now)
    for name in then:
        signs = np.abs if name == "eigen" else np.asarray
        assert then[name].dtype == now[name].dtype
        if then[name].dtype.kind == "U":
            assert np.array_equal(then[name], now[name])
        else:
            assert signs(now[name]) == pytest.approx(signs(then[name]), rel=1e-3, abs=2 if name == "eigen" else 1e-9)
    statistics = fooling.Statistics.load(Path("digits.npz"))
    assert statistics.fingerprint == read("small/run.json")["statistics_fingerprint"]


def test_bundled_files_are_those_of_the_records(stored: Path) -> None:
    assert fooling.load_classifier("mnist_mlp").fingerprint == read("finished/run.json")["classifier_fingerprint"]
    assert fooling.load_classifier("digits_perceptron").fingerprint == read("small/run.json")["classifier_fingerprint"]
