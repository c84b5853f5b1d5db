"""How search=es and map_elites end: squares on their best images, which stay where they help."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import random_network
from objectives import objective_of, strategy_of

import fooling
from fooling.commands import dispatch
from fooling.errors import guarded
from fooling.records.record import read_image, read_run
from fooling.search import patches
from fooling.search.archive import VALUE
from fooling.search.evolution_strategy import ReferenceStrategy, StrategyParams
from fooling.search.map_elites import MapElitesParams, ReferenceElites
from fooling.search.offspring import OffspringParams
from fooling.search.state import GENOME
from fooling.settings import load

RATES: dict[str, Any] = {"sigma": 0.3, "mean_rate": 1.0, "sigma_rate": 1.0, "antithetic": True}
PARAMS = StrategyParams((9, 8, 3), "cppn", 5, population=6, explore=2, restart=3, patch=4, **RATES, seed=2)


def make(**varied: Any) -> ReferenceStrategy:
    return strategy_of(replace(PARAMS, **varied))


def patch(row: int, column: int, *signs: int, down: int = 0, right: int = 0, mirrored: int = 0) -> np.ndarray:
    return np.array([[row, column, down, right, mirrored, *signs]])


def test_squares_become_smaller() -> None:
    sides = [patches.side((100, 300, 3), shown) for shown in range(0, 5000, 100)]
    assert sides[0] == 12
    assert sides[5] == 6
    assert sides[-1] == patches.SMALLEST
    assert sides == sorted(sides, reverse=True)
    assert patches.side((3, 2, 1), 0) == 2, "never larger than the image"


def test_a_square_changes_its_place_alone() -> None:
    image = np.full((6, 7, 2), 230, dtype=np.uint8)
    change = patches.changes(image, patch(2, 3, 1, -1), 3)
    assert (change[1:4, 2:5] == [patches.LEVELS, -patches.LEVELS]).all()
    assert np.abs(change).sum() == 9 * 2 * patches.LEVELS
    corner = patches.changes(image, patch(0, 6, 1, 1), 3)
    assert np.abs(corner).sum() == 4 * 2 * patches.LEVELS, "what is outside of the image is cut off"
    two = np.concatenate([patch(2, 3, 1, -1), patch(0, 6, 1, 1)])
    assert np.array_equal(patches.changes(image, two, 3), change + corner)
    single = patches.singles(image, two, 3)
    assert single[0, 2, 3].tolist() == [255, 230 - patches.LEVELS]
    assert np.array_equal(single[1], patches.added(image, corner))
    many = np.repeat(patch(2, 3, 1, 1), 1000, axis=0)
    assert (patches.added(image, patches.changes(image, many, 3))[1:4, 2:5] == 255).all(), "however many there are"


def test_a_copy_shows_another_place() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    (copied,) = patches.singles(image, patch(3, 4, 1, 1, 1, down=5, right=6), 2)
    assert np.array_equal(copied[1:5, 2:6], image[6:10, 8:12]), "four pixels a side: twice as wide"
    copied[1:5, 2:6] = image[1:5, 2:6]
    assert np.array_equal(copied, image), "no other pixel changes"
    (mirrored,) = patches.singles(image, patch(3, 4, 1, 1, 1, down=5, right=6, mirrored=1), 2)
    assert np.array_equal(mirrored[1:5, 2:6], image[6:10, 8:12][:, ::-1])
    (across,) = patches.singles(image, patch(11, 13, 1, 1, 1, down=2, right=0), 2)
    assert np.array_equal(across[9:, 11:], image[[11, 0, 1], 11:]), "copies go on at the opposite border"
    (whole,) = patches.singles(image[:4, :4], patch(2, 2, 1, 1, 1, down=1), 4)
    assert np.array_equal(whole, np.roll(image[:4, :4], -1, axis=0)), "never larger than the image"


def test_all_that_helped_is_added_once_and_twice_as_strong() -> None:
    image = np.full((9, 9, 1), 100, dtype=np.uint8)
    two = np.concatenate([patch(1, 1, 1), patch(7, 7, -1)])
    once, twice = patches.together(image, two, np.array([True, False]), 1)[..., 0].astype(int)
    assert (once[1, 1], once[7, 7]) == (100 + patches.LEVELS, 100)
    assert (twice[1, 1], twice[7, 7]) == (100 + 2 * patches.LEVELS, 100)
    assert (patches.together(image, two, np.array([False, False]), 1) == image).all()


def test_every_place_sign_and_copy_is_drawn() -> None:
    drawn = patches.draw(np.random.default_rng(0), (4, 5, 3), 4000)
    places = {(y, x) for y in range(4) for x in range(5)}
    assert {tuple(one) for one in drawn[:, :2].tolist()} == places
    assert {tuple(one) for one in drawn[:, 2:4].tolist()} == places
    assert set(drawn[:, 4].tolist()) == {0, 1}
    signs = drawn[:, 5:]
    assert np.abs(signs).max() == np.abs(signs).min() == 1
    assert len({tuple(one) for one in signs.tolist()}) == 8
    grey = (signs == signs[:, :1]).all(axis=1).mean()
    assert grey == pytest.approx(patches.GREY + (1 - patches.GREY) / 4, abs=0.03)
    assert (drawn[:, 2:4] != 0).any(axis=1).mean() == pytest.approx(patches.COPIES * 19 / 20, abs=0.03)


def test_the_last_children_have_all_patches_that_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    search = make()
    state = search.init(np.arange(3, dtype=np.uint32))
    for _ in range(3):
        state = search.step(state)
    shown: list[np.ndarray] = []
    cost = search.objective.cost

    def counted(_self: Any, images: np.ndarray, *rest: Any) -> Any:
        shown.append(images)
        return cost(images, *rest)

    monkeypatch.setattr(type(search.objective), "cost", counted)
    following = search.step(state)
    single, joined = shown
    assert (len(single), len(joined)) == (3 * 4, 3 * 2), "a population each"
    costs, scores = cost(single, np.repeat(search.objective.which(state.runs), 4), search.kernels)
    values = search.values(costs, scores).reshape(3, 4)
    parents = state.images[:, 0].astype(np.int16)
    for run in range(3):
        differences = single.reshape(3, 4, 9, 8, 3)[run].astype(np.int16) - parents[run]
        helped = values[run] < state.aux["value"][run]
        overlap = (differences[helped] != 0).sum(axis=0) > 1
        for strength, image in zip((1, 2), joined.reshape(3, 2, 9, 8, 3)[run].astype(np.int16), strict=True):
            expected = parents[run] + strength * differences[helped].sum(axis=0)
            free = (parents[run] >= patches.LEVELS) & (parents[run] <= 255 - patches.LEVELS)  # nothing was cut off before
            inside = ~overlap & free & (expected >= 0) & (expected <= 255)
            assert inside.any()
            assert np.array_equal(image[inside], expected[inside])
    assert (following.aux["value"] <= state.aux["value"]).all()
    assert (following.changed == 6).all()
    assert np.array_equal(following.aux[GENOME], state.aux[GENOME])


def test_values_fall_and_runs_do_not_depend_on_each_other() -> None:
    search = make()
    state, alone = search.init(np.arange(4, dtype=np.uint32)), search.init(np.array([2], dtype=np.uint32))
    values = []
    for _ in range(30):
        state, alone = search.step(state), search.step(alone)
        values.append(state.aux["value"])
    assert (np.diff(values, axis=0) <= 0).all()
    assert values[-1].mean() < values[3].mean()
    assert np.array_equal(state.images[2], alone.images[0])


def test_the_record_draws_them_at_any_size(home: Path) -> None:
    network = random_network((12, 16, 3), classes=5)
    words: dict[str, Any] = {"search": "es", "genome": "cppn", "detail": 4, "explore": 40, "patch": 80, "stop": "end"}
    whole = fooling.evolve(digit=4, **words, classifier=network, runs=2, generations=30)
    fooling.evolve(digit=4, **words, classifier=network, runs=2, generations=9, out="r")
    again = fooling.evolve(digit=4, **words, classifier=network, runs=2, generations=30, out="r", resume=True)
    assert np.array_equal(again.images, whole.images)
    assert read_run(Path("r"))["images"][0]["evaluations"] == 31 * 20
    assert guarded(dispatch, ["render", "r", "size=16", "out=o", "quiet=true"]) == 0
    assert np.array_equal(read_image(Path("o/rendered/0001.png")), read_image(Path("r/images/0001.png")))
    assert guarded(dispatch, ["render", "r", "size=160", "out=p", "quiet=true"]) == 0
    large = read_image(Path("p/rendered/0001.png")).astype(float).reshape(12, 10, 16, 10, 3).mean(axis=(1, 3))
    small = read_image(Path("r/images/0001.png"))
    assert np.corrcoef(large.ravel(), small.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("classes", "words", "patch"), [(20, {}, 0), (21, {}, 35), (21, {"patch": "0"}, 0), (5, {"patch": "90"}, 5)]
)
def test_defaults_follow_the_number_of_classes(classes: int, words: dict, patch: int) -> None:

    objective = objective_of(random_network((9, 8, 1), classes=classes), None, weights={"target": 1.0})
    params = StrategyParams.from_settings(load(["search=es", *(f"{k}={v}" for k, v in words.items())]), objective)
    assert params.patch == patch


# --- the archive ------------------------------------------------------------------------------------------------------
def archive(**varied: Any) -> ReferenceElites:
    offspring = OffspringParams(12, 6, 0.5, 0.5, 0.5, "gaussian", 1.0, 0, 0.5, 15)
    params = MapElitesParams((9, 8, 3), "dct", 4, first=10, patch=2, offspring=offspring, seed=3)
    objective = objective_of(random_network((9, 8, 3), classes=7), None, weights={"target": 1.0}, digit="any")
    return ReferenceElites(replace(objective, classes=(4, 0, 6)), replace(params, **varied))


def test_patches_of_an_elite_are_offered_to_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    search = archive()
    state = search.step(search.init(np.arange(3, dtype=np.uint32)))
    shown: list[tuple[np.ndarray, np.ndarray]] = []
    offer = search.offer_images

    def noting(state: Any, images: np.ndarray, genomes: np.ndarray, parents: np.ndarray) -> Any:
        shown.append((state.images[parents[0], 0].copy(), images))
        return offer(state, images, genomes, parents)

    monkeypatch.setattr(search, "offer_images", noting)
    following = search.step(state)
    assert [len(images) for _, images in shown] == [4, 2, 4, 2], "two batches, each with images of all patches that helped"
    elite, images = shown[0]
    assert all((image != elite).any(axis=2).sum() <= (2 * patches.side((9, 8, 3), 0)) ** 2 for image in images)
    assert any((image != elite).any() for image in images)
    every = np.concatenate([state.images[:, 0], *(images for _, images in shown)])
    _, scores = search.objective.cost(every, np.zeros(len(every), dtype=np.int64), search.kernels)
    for cell, k in enumerate(search.classes):
        assert following.scores[cell, 0, k] == pytest.approx(scores[:, k].max(), abs=1e-6)
    assert set(map(bytes, following.aux[GENOME])) <= set(map(bytes, state.aux[GENOME]))


def test_all_classes_become_better() -> None:
    search = archive()
    state = search.init(np.arange(3, dtype=np.uint32))
    before = state.aux[VALUE]
    for _ in range(40):
        state = search.step(state)
    assert (state.aux[VALUE] < before).all()


@pytest.mark.parametrize(("patch", "generation"), [(None, 2), (0, 0), (10, 1), (11, 2), (5000, 26)])
def test_when_the_archive_begins_with_patches(patch: int | None, generation: int) -> None:
    objective = replace(objective_of(random_network((9, 8, 1), classes=7), None, weights={"target": 1.0}), classes=(1, 2, 3))
    words = [] if patch is None else [f"patch={patch}"]
    loaded = load(["search=map_elites", "first=10", "population=200", *words])
    assert MapElitesParams.from_settings(loaded, objective).patch == generation


def test_an_archive_with_patches_goes_on_and_is_drawn_at_any_size(home: Path) -> None:
    network = random_network((12, 16, 3), classes=5)
    words: dict[str, Any] = {"digit": "all", "search": "map_elites", "detail": 4, "population": 20, "batch": 5, "first": 20}
    words |= {"patch": 60, "stop": "end", "classifier": network}
    whole = fooling.evolve(**words, generations=12)
    fooling.evolve(**words, generations=5, out="r")
    again = fooling.evolve(**words, generations=12, out="r", resume=True)
    assert np.array_equal(again.images, whole.images)
    assert guarded(dispatch, ["render", "r", "size=16", "out=o", "quiet=true"]) == 0
    for image in read_run(Path("r"))["images"]:
        assert np.array_equal(read_image(Path("o/rendered") / Path(image["file"]).name), read_image(Path("r") / image["file"]))
