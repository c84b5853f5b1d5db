"""Adaptive attacks: what the term of the detectors adds, what passes, who ends when, records, resuming, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import ROOT
from jobs import run_recorded
from pairwise import rare

from fooling.classifiers.detectors import HELD_OUT, limit_of
from fooling.commands import dispatch
from fooling.errors import Interrupted, UserError, guarded
from fooling.run import evolve, prepare, run_job
from fooling.search import evasion as evasion_module
from fooling.search.evasion import open_evasion
from fooling.search.inputs import get_classifier
from fooling.settings import load
from fooling.settings.detectors import EVADABLE

STORED = ROOT / "tests" / "stored"
NETWORK = ("classifier=mlp", f"classifier.path={STORED / 'mlp.safetensors'}", "data.kind=sklearn", "prior=none")
JOB = (*NETWORK, "digit=3", "search.population=12")
SMALL = (*JOB, "runs=3", "search.generations=12")
EVADE = "search.evade=[knn_pixels,pixel_density]"


def job_of(*words: str) -> Any:
    (job,) = prepare(load([*SMALL, *words]))
    return job


@pytest.fixture(scope="module")
def evasion() -> Any:
    settings = load([*SMALL, f"search.evade=[{','.join(name for name in EVADABLE if name not in ('entropy', 'kl_matching'))}]"])
    return open_evasion(settings, get_classifier(settings))


def test_limits_accept_95_per_cent_of_training_images_that_no_fit_has_seen(evasion: Any) -> None:
    from fooling.data import load_data

    data = load_data(None, "sklearn", "train")
    held_out = data.images[HELD_OUT - 1 :: HELD_OUT]
    values = evasion.values(held_out, evasion.classifier(held_out))
    for limit, column in zip(evasion.limits, values.T, strict=True):
        assert 0.95 <= (column <= limit.value).mean() <= 0.97, limit.name
        assert limit.scale > 0


def test_the_term_is_0_for_what_passes_and_grows_with_the_distance(evasion: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    scores = evasion.classifier(images)
    values, excess = evasion.values(images, scores), evasion.excess(images, scores)
    limits, scales = (np.array([getattr(limit, key) for limit in evasion.limits]) for key in ("value", "scale"))
    expected = [sum(np.log(1 + max(0, x - a) / b) for x, a, b in zip(row, limits, scales, strict=True)) for row in values]
    assert excess == pytest.approx(expected)
    assert (excess > 1).all()  # noise passes nowhere
    assert not evasion.passes(images, scores).any()
    assert evasion.values(images[:0], scores[:0]).shape == (0, len(limits))
    assert evasion.passes(images[:0], scores[:0]).shape == (0,)
    at_limits = np.stack([limits, np.nextafter(limits, np.inf)])
    assert evasion.within(at_limits).tolist() == [True, False]
    costs = np.linspace(0, 1, 40, dtype=np.float32)
    assert evasion.added(costs, images, scores) == pytest.approx(costs + evasion.weight * excess, rel=1e-5)
    described = evasion.describe(images[:2], scores[:2])
    assert described[1]["detectors"] == pytest.approx(
        dict(zip([limit.name for limit in evasion.limits], values[1], strict=True))
    )


@pytest.mark.parametrize("words", [("search=ga",), rare(("search=es", "search.genome=dct"))])
def test_a_search_brings_images_nearer_to_passing(words: tuple[str, ...]) -> None:
    plain, adaptive, control = (
        evolve(*JOB, *words, "runs=3", "search.generations=60", *more) for more in ((), (EVADE,), (EVADE, "control=true"))
    )
    own = job_of(*words, EVADE).objective.evasion
    before, after, alone = (own.excess(found.images, found.scores) for found in (plain, adaptive, control))
    assert np.median(after) < np.median(before)
    assert np.median(alone) <= np.median(after)
    assert adaptive.terms["evade"] == pytest.approx(after, rel=1e-5)
    assert adaptive.cost == pytest.approx(adaptive.terms["target"] + 0.3 * after, rel=1e-4)
    assert control.cost == pytest.approx(0.3 * alone, rel=1e-4)
    assert plain.evaded is None


def test_engines_agree() -> None:
    found = [evolve(*SMALL, EVADE, f"engine={name}") for name in ("reference", "numba")]
    assert np.array_equal(found[0].images, found[1].images)
    assert found[0].cost == pytest.approx(found[1].cost, abs=1e-5)


def test_success_asks_for_both() -> None:
    loose = (*JOB, "threshold=0.2", "stop=threshold", "search.generations=150", "runs=4")
    plain, adaptive = evolve(*loose), evolve(*loose, EVADE)
    assert plain.converged.all()
    assert adaptive.evaded is not None
    passes = np.array([one["passes"] for one in adaptive.evaded])
    assert (adaptive.converged <= passes).all()
    assert adaptive.converged.any()
    assert np.median(adaptive.evaluations) > np.median(plain.evaluations)
    never = evolve(*SMALL, EVADE, "search.evade_weight=0", "threshold=0.2", "stop=threshold")
    assert (never.confidence >= 0.2).any()
    assert not never.converged.any()


@pytest.mark.exhaustive
def test_map_elites_evades(tmp_path: Path) -> None:
    small = ("search=map_elites", "digit=3,4", "runs=1", "search.first=40", "search.population=20", "search.batch=10")
    found = evolve(*NETWORK, *small, "search.generations=5", EVADE, f"out={tmp_path}/m")
    run = json.loads((tmp_path / "m/run.json").read_text())
    assert [set(image["detectors"]) for image in run["images"]] == [{"knn_pixels", "pixel_density"}] * 2
    assert run["passes"] == sum(image["passes"] for image in run["images"])
    assert found.evaded is not None


def test_a_record_names_the_detectors_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    job, counts = job_of(EVADE), iter(range(100))
    whole = run_job(job)
    with pytest.raises(Interrupted):
        run_recorded(job, tmp_path / "r", lambda: next(counts) == 5)
    again = run_recorded(job_of(EVADE), tmp_path / "r")
    assert np.array_equal(again.images, whole.images)
    assert np.array_equal(again.evaluations, whole.evaluations)
    run = json.loads((tmp_path / "r/run.json").read_text())
    assert set(run["evade"]) == set(run["detector_fingerprints"]) == {"knn_pixels", "pixel_density"}
    assert run["reproducible"] == "approximate"
    assert all(image["passes"] in (True, False) for image in run["images"])


def test_a_fit_that_is_rounded_otherwise_is_the_same_job(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load([*SMALL, "search.evade=largest_logit"])
    classifier = get_classifier(settings)
    first = open_evasion(settings, classifier)
    monkeypatch.setattr(evasion_module, "limit_of", lambda values: np.nextafter(limit_of(values), np.inf))
    second = open_evasion(settings, classifier)
    assert first is not None
    assert second is not None
    assert first.limits[0].value != second.limits[0].value
    assert first.fingerprints == second.fingerprints


@pytest.mark.exhaustive
def test_other_training_images_are_another_job() -> None:
    fingerprints = [job_of(EVADE, *words).fingerprints["detector_fingerprints"] for words in ((), (), ("data.scale=0.5",))]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
    assert "detector_fingerprints" not in job_of().fingerprints


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search.evade=enrgy",), "search.evade.*energy"),
        (("search.evade=simple_statistics",), "search.evade.*simple_statistics"),
        (("search.evade=energy", "engine=jax"), "search.evade.*engine=jax"),
        (("search=anneal", "search.evade=energy"), "evade"),
        (("search.evade=mahalanobis", "search.evade_layer=relu7"), "layer=relu7"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        job_of(*words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["kl_matching", "entropy"])
def test_detectors_need_data_and_what_they_look_at(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(dispatch, ["run", "search.evade=energy", "out=nowhere"]) == 2
    assert "data.path" in capsys.readouterr().err
    with pytest.raises(UserError, match=rf"search.evade: {name}.*sum to 1"):
        prepare(
            load(["classifier=mlp", f"classifier.path={STORED / 'sigmoid.safetensors'}", *SMALL[2:], f"search.evade={name}"])
        )
