"""Other people's genetic algorithms on problem 2015, each as its documentation shows it, with the fitness given as a batch.

A program takes the fitness, the population, and `over()`, which says after each generation whether time is up (the first answer
starts the clock); it returns the lowest cost that it found. Images are float32 [N, 784] in [0, 1]. Operators are the nearest
that a library has to those of 2015: uniform crossover of good parents, a few pixels drawn anew.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Over = Callable[[], bool]

RATE = 2 / 784  # of pixels that are mutated
PARENTS = 5
SCANNED = 25  # generations in a call of what is compiled by JAX, as in engine=jax


class Fitness:
    """Problem 2015 in NumPy and in JAX: the same formula; counts what it is asked."""

    def __init__(self, objective: Any, levels: Floats) -> None:
        network = objective.classifier
        unit = np.float32(2.0**-network.fraction_bits)
        self.layers = (
            network.weights1.astype(np.float32) * unit,
            network.bias1.astype(np.float32) * unit / np.float32(255),
            *network.later_layers[0],
        )
        self.wanted = np.eye(network.num_classes, dtype=np.float32)[objective.digit]
        self.histogram = objective.arguments["histogram"][1].targets[0, 0].astype(np.float32)
        self.variogram = objective.arguments["variogram"][0].targets[0, 0].astype(np.float32)
        self.weights = [np.float32(objective.weights[name]) for name in ("target", "histogram", "variogram")]
        self.levels = levels  # [256], shares of the class's grey levels
        self.asked = 0

    def draw(self, random: np.random.Generator, shape: Any) -> Floats:
        """Pixels from the class's grey levels."""
        return (random.choice(256, size=shape, p=self.levels) / 255).astype(np.float32)

    def __call__(self, images: Floats) -> Floats:
        """Costs [N] of images [N, 784]."""
        self.asked += len(images)
        return self.cost(np.asarray(images, dtype=np.float32), np)

    def cost(self, images: Any, xp: Any) -> Any:
        """The same with NumPy or jax.numpy as `xp`."""
        w1, b1, w2, b2 = self.layers
        scores = sigmoid(sigmoid(images @ w1 + b1, xp) @ w2 + b2, xp)
        bins = xp.clip(xp.ceil(images * len(self.histogram)) - 1, 0, len(self.histogram) - 1)
        counts = xp.stack([(bins == b).mean(axis=1) for b in range(len(self.histogram))], axis=1)
        square, lags = images.reshape(-1, 28, 28), range(1, len(self.variogram) // 2 + 1)
        x = [xp.abs(square[:, :, k:] - square[:, :, :-k]).mean(axis=(1, 2)) for k in lags]
        y = [xp.abs(square[:, k:] - square[:, :-k]).mean(axis=(1, 2)) for k in lags]
        terms = (
            xp.abs(scores - self.wanted).sum(axis=1),
            xp.abs(counts - self.histogram).mean(axis=1),
            xp.abs(xp.stack([*x, *y], axis=1) - self.variogram).sum(axis=1) / len(lags),
        )
        return sum(weight * term for weight, term in zip(self.weights, terms, strict=True))


def sigmoid(z: Any, xp: Any) -> Any:
    """1/(1 + e⁻ᶻ)."""
    return 1 / (1 + xp.exp(-z))


def plain_jax(fitness: Fitness, population: int, over: Over, runs: int = 1) -> float:
    """A GA as one writes it in JAX: float32, one jitted scan over generations, `vmap` over runs."""
    import jax
    import jax.numpy as jnp

    cumulative = jnp.cumsum(jnp.asarray(fitness.levels, dtype=jnp.float32))

    def draw(key: Any, shape: Any) -> Any:
        return jnp.searchsorted(cumulative, jax.random.uniform(key, shape)).clip(0, 255).astype(jnp.float32) / 255

    def best(images: Any, costs: Any) -> Any:
        order = jnp.argsort(costs)[:PARENTS]
        return images[order], costs[order]

    def start(key: Any) -> Any:
        images = draw(key, (population, 784))
        return best(images, fitness.cost(images, jnp))

    def step(state: Any, key: Any) -> Any:
        parents, costs = state
        key_pair, key_cross, key_where, key_what = jax.random.split(key, 4)
        pair = jax.random.randint(key_pair, (population, 2), 0, PARENTS)
        mask = jax.random.bernoulli(key_cross, 0.5, (population, 784))
        children = jnp.where(mask, parents[pair[:, 0]], parents[pair[:, 1]])
        redraw = jax.random.bernoulli(key_where, jnp.minimum(0.5, 0.01 * costs[0]), (population, 784))
        children = jnp.where(redraw, draw(key_what, (population, 784)), children)
        found = fitness.cost(children, jnp)
        return best(jnp.concatenate([children, parents]), jnp.concatenate([found, costs])), None

    generations = jax.jit(jax.vmap(lambda state, key: jax.lax.scan(step, state, jax.random.split(key, SCANNED))[0]))
    state = jax.jit(jax.vmap(start))(jax.random.split(jax.random.key(0), runs))
    jax.block_until_ready(generations(state, jax.random.split(jax.random.key(1), runs)))  # compiled
    over()
    number = 0
    while not over():
        state = jax.block_until_ready(generations(state, jax.random.split(jax.random.key(2 + number), runs)))
        number += 1
        fitness.asked += SCANNED * runs * population
    return float(np.median(np.asarray(state[1])[:, 0]))


def evosax_simple_ga(fitness: Fitness, population: int, over: Over) -> float:
    """evosax's SimpleGA, with crossover and noise of 0.02 (its default of 1 never improves images in [0, 1])."""
    import jax
    import jax.numpy as jnp
    import optax
    from evosax.algorithms import SimpleGA

    algorithm = SimpleGA(population_size=population, solution=jnp.zeros(784), std_schedule=optax.constant_schedule(0.02))
    params = algorithm.default_params.replace(crossover_rate=0.5)
    first = jnp.asarray(fitness.draw(np.random.default_rng(0), (population, 784)))

    def step(state: Any, key: Any) -> Any:
        key_ask, key_tell = jax.random.split(key)
        images, state = algorithm.ask(key_ask, state, params)
        images = jnp.clip(images, 0, 1)
        return algorithm.tell(key_tell, images, fitness.cost(images, jnp), state, params)[0], None

    generations = jax.jit(lambda state, key: jax.lax.scan(step, state, jax.random.split(key, SCANNED))[0])
    state = algorithm.init(jax.random.key(0), first, fitness.cost(first, jnp), params)
    state = jax.block_until_ready(generations(state, jax.random.key(1)))
    over()
    number = 0
    while not over():
        state = jax.block_until_ready(generations(state, jax.random.key(2 + number)))
        number += 1
        fitness.asked += SCANNED * population
    return float(state.best_fitness)


def deap_ea_simple(fitness: Fitness, population: int, over: Over) -> float:
    """DEAP's eaSimple, a generation a call; individuals are NumPy arrays, all of a generation are scored at once."""
    import random

    from deap import algorithms, base, tools

    class Cost(base.Fitness):  # type: ignore[misc]
        weights = (-1.0,)

    class Individual(np.ndarray):  # type: ignore[type-arg]
        fitness: Any

        def __array_finalize__(self, made_from: Any) -> None:
            self.fitness = Cost()

        def __deepcopy__(self, memo: Any) -> "Individual":
            copy = self.copy()
            copy.fitness.wvalues = self.fitness.wvalues
            return copy

    def mate(one: Any, other: Any) -> Any:
        swapped = generator.random(784) < 0.5
        one[swapped], other[swapped] = other[swapped], one[swapped].copy()
        return one, other

    def mutate(one: Any) -> Any:
        where = generator.random(784) < RATE
        one[where] = fitness.draw(generator, int(where.sum()))
        return (one,)

    def evaluate_all(_: Any, individuals: Any) -> Any:
        found = list(individuals)
        return [(float(cost),) for cost in fitness(np.stack(found))] if found else []

    random.seed(0)
    generator = np.random.default_rng(0)
    toolbox = base.Toolbox()
    toolbox.register("mate", mate)
    toolbox.register("mutate", mutate)
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("evaluate", lambda one: one)
    toolbox.register("map", evaluate_all)
    people = [one.view(Individual) for one in fitness.draw(generator, (population, 784))]
    best = np.inf
    over()
    while not over():
        people, _ = algorithms.eaSimple(people, toolbox, cxpb=0.5, mutpb=1.0, ngen=1, verbose=False)
        best = min(best, *(one.fitness.values[0] for one in people))
    return best


def pymoo_ga(fitness: Fitness, population: int, over: Over) -> float:
    """pymoo's GA, with uniform crossover and its polynomial mutation."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.core.termination import Termination
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.mutation.pm import PM
    from pymoo.optimize import minimize

    class Fooling(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=784, n_obj=1, xl=0.0, xu=1.0)

        def _evaluate(self, x: Any, out: Any, *_: Any, **__: Any) -> None:
            out["F"] = fitness(x)[:, None]

    class UntilOver(Termination):  # type: ignore[misc]
        def _update(self, _: Any) -> float:
            return float(over())

    first = fitness.draw(np.random.default_rng(0), (population, 784)).astype(float)
    way = GA(pop_size=population, sampling=first, crossover=UX(), mutation=PM(prob=1.0, prob_var=RATE, eta=20))
    over()
    return float(minimize(Fooling(), way, UntilOver(), seed=0, verbose=False).F[0])


def pygad_ga(fitness: Fitness, population: int, over: Over) -> float:
    """PyGAD, with batch fitness, uniform crossover and random mutation of a pixel or two."""
    import pygad

    def stop(_: Any) -> Any:
        return "stop" if over() else None

    def batch(_: Any, images: Any, __: Any) -> Any:
        return (-fitness(np.asarray(images))).tolist()

    way = pygad.GA(
        num_generations=10**9,
        num_parents_mating=PARENTS,
        initial_population=fitness.draw(np.random.default_rng(0), (population, 784)),
        fitness_func=batch,
        fitness_batch_size=population,
        crossover_type="uniform",
        mutation_type="random",
        mutation_num_genes=2,
        mutation_by_replacement=True,
        random_mutation_min_val=0.0,
        random_mutation_max_val=1.0,
        keep_elitism=PARENTS,
        gene_type=np.float32,
        on_generation=stop,
        random_seed=0,
        suppress_warnings=True,
    )
    over()
    way.run()
    return -float(way.best_solution(way.last_generation_fitness)[1])


def evotorch_ga(fitness: Fitness, population: int, over: Over) -> float:
    """EvoTorch's GeneticAlgorithm, with two-point crossover and its Gaussian mutation, fitness in NumPy on the same memory."""
    import torch
    from evotorch import Problem
    from evotorch.algorithms import GeneticAlgorithm
    from evotorch.operators import GaussianMutation, TwoPointCrossOver

    def batch(images: Any) -> Any:
        return torch.from_numpy(np.asarray(fitness(images.numpy()), dtype=np.float32))

    class Fooling(Problem):  # type: ignore[misc]
        def _fill(self, values: Any) -> None:
            values.copy_(torch.from_numpy(fitness.draw(np.random.default_rng(0), tuple(values.shape))))

    logging.getLogger("evotorch").setLevel(logging.WARNING)
    problem = Fooling("min", batch, solution_length=784, initial_bounds=(0.0, 1.0), bounds=(0.0, 1.0), vectorized=True, seed=0)
    operators = [TwoPointCrossOver(problem, tournament_size=3), GaussianMutation(problem, stdev=0.3, mutation_probability=RATE)]
    way = GeneticAlgorithm(problem, operators=operators, popsize=population, re_evaluate=False)
    over()
    while not over():
        way.step()
    return float(way.status["best_eval"])


# name → (module that must be installed, program)
PROGRAMS: dict[str, tuple[str, Callable[..., float]]] = {
    "plain JAX": ("jax", plain_jax),
    "evosax SimpleGA": ("evosax", evosax_simple_ga),
    "DEAP eaSimple": ("deap", deap_ea_simple),
    "pymoo GA": ("pymoo", pymoo_ga),
    "PyGAD": ("pygad", pygad_ga),
    "EvoTorch GeneticAlgorithm": ("evotorch", evotorch_ga),
}
