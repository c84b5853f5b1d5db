"""Settings of the searches: one class for each algorithm; `search=NAME` chooses it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fooling.settings.detectors import check_evadable
from fooling.settings.fields import Bool, Float, Int, Judges, Names, SettingsModel, Side, Text, optional_to_list

NAME = "search algorithm"


class SearchSettings(SettingsModel):
    """What every search has."""

    name: str = Field(description=NAME)
    generations: Int = Field(ge=1, le=100_000_000, description="generations after the first one")

    @property
    def joint(self) -> bool:
        """Whether one job searches for several classes at once."""
        return False


class EvadingSettings(SearchSettings):
    """Searches that may evade detectors: adaptive attacks."""

    evade: Annotated[Names, AfterValidator(check_evadable)] = Field(
        description="detectors to evade, energy,mahalanobis: a run succeeds if its image also passes all of them where 95 % of "
        "the training images do; needs data.path, to whose training images they are fitted; [] = none"
    )
    evade_weight: Float = Field(ge=0, description="weight in the cost of how far an image is from passing the detectors")
    evade_layer: Text | None = Field(
        description="layer whose outputs are the detectors' features, see `fooling detect`; null = what the last layer takes"
    )


class PixelSettings(SearchSettings):
    """Searches whose images are pixels that are drawn."""

    draw: Literal["levels", "bins"] = Field(
        description="where random pixels come from: the class's 256 grey levels, or evenly within the bins of its histogram"
    )


class GeneticSettings(PixelSettings):
    """Populations of images: crossover and mutation."""

    population: Int = Field(ge=2, le=1_000_000, description="children per generation (λ)")
    crossover: Literal["uniform", "rectangle", "none"] = Field(
        description="uniform: each pixel from either parent; rectangle: a rectangle from the second parent; none: a copy"
    )
    rectangles: Float = Field(
        ge=0, le=1, description="share of the children that use rectangle crossover under crossover=uniform"
    )
    mutate_factor: Float = Field(ge=0, description="random-reset mutation: rate per pixel is min(0.5, 0.01·|best cost|·factor)")
    min_rate: Float = Field(ge=0, le=0.5, description="lower bound of that rate")
    gaussians: Float = Field(ge=0, description="Gaussian mutation: mean number of pixels per child")
    gaussian_sd: Float = Field(gt=0, le=255, description="standard deviation of Gaussian mutation, grey levels")
    polynomials: Float = Field(ge=0, description="polynomial mutation: mean number of pixels per child")
    polynomial_eta: Int = Field(
        ge=0, le=1000, description="distribution index of polynomial mutation: larger means smaller changes"
    )
    blurs: Float = Field(ge=0, description="smoothing mutation (3×3 mean): mean number of pixels per child")
    swaps: Float = Field(ge=0, description="swap mutation: mean number of pixel pairs per child")


class GaSettings(GeneticSettings, EvadingSettings):
    """Genetic algorithm with truncation selection."""

    name: Literal["ga"] = Field(description=NAME)
    selected: Int = Field(ge=1, le=1_000_000, description="number of parents (µ); at most population")
    elitism: Bool = Field(description="parents compete with their children")
    returns: Literal["best", "worst"] = Field(description="which of the last parents is returned by a run that reaches its end")


class ParetoSettings(GeneticSettings):
    """NSGA-II: classifier against prior."""

    name: Literal["pareto"] = Field(description=NAME)
    population: Int = Field(ge=4, le=1_000_000, description="children per generation (λ), and size of the front (µ)")


class AnnealSettings(PixelSettings):
    """Simulated annealing."""

    name: Literal["anneal"] = Field(description=NAME)
    proposals: Int = Field(ge=1, le=1_000_000, description="proposals per chain and generation")
    temperature: Float = Field(ge=0, description="initial temperature, in units of the cost")
    cooling: Float = Field(ge=0, description="exponent of the schedule: temperature = initial·(1 − progress)^cooling")
    swap_share: Float = Field(ge=0, le=1, description="share of the proposals that swap two pixels; the others redraw one")


class GradientSettings(PixelSettings):
    """Searches that keep real-valued pixels; one generation is one step."""

    generations: Int = Field(ge=1, le=100_000_000, description="number of steps")
    start: Literal["noise", "levels", "mean", "grey"] = Field(
        description="initial image: uniform noise, noise of the class's grey levels, the training set's mean image, mid-grey"
    )
    image: Text | None = Field(description="image file to start from instead")
    noise: Float = Field(
        ge=0, le=255, description="standard deviation of the noise added to a mean, grey or file start, grey levels"
    )
    rate: Float | None = Field(
        gt=0,
        le=255,
        description="step size: root-mean-square change of the pixels, grey levels; null = 20 for ascent (4 for images "
        "above 64×64, unless from an image file; 8 with adam), 10 for dream (6 from an image file), 2 for feedback",
    )
    decay: Float = Field(ge=0, lt=1, description="L2 decay: share of the distance from `ground` that a pixel loses per step")
    ground: Float = Field(ge=0, le=255, description="grey level that `decay` pulls towards")


class ClimbingSettings(GradientSettings):
    """Gradient ascent and what is built on it."""

    climb: Literal["log", "target"] = Field(
        description="loss to ascend besides the prior: log scores, whose gradient does not vanish, or the target term"
    )
    blur_sd: Float | None = Field(
        ge=0,
        le=64,
        description="standard deviation of the Gaussian blur before a step, pixels; 0 = none; null = 0.5, or none from an "
        "image file, with adam, and with ascent for images above 64×64",
    )
    blur_every: Int = Field(ge=1, le=1_000_000, description="steps between two blurs")
    total_variation: Float = Field(ge=0, description="weight of the total variation (mean difference of neighbouring pixels)")
    jitter: Int | None = Field(
        ge=0,
        le=4095,
        description="largest random shift of the image in each step, pixels; null = half a tile for a tiled dream, else none",
    )


class AscentSettings(ClimbingSettings):
    """Gradient ascent on the pixels."""

    name: Literal["ascent"] = Field(description=NAME)
    optimizer: Literal["steps", "adam"] = Field(
        description="steps: along the gradient, of a root-mean-square size of `rate`; adam: each pixel by its moments "
        "(Kingma & Ba 2015), by about `rate`"
    )
    surrogate: Annotated[Judges, Field(max_length=1)] = Field(
        description="classifier whose gradients are followed in place of the attacked one's, which shows its scores alone; "
        "written as one of judges, such as [{name: onnx, path: FILE.onnx}]; [] = none"
    )
    black_box: Int = Field(
        ge=0, le=100_000_000, description="images of search=es, by scores alone, that come before the first step; they count"
    )


class DreamSettings(ClimbingSettings):
    """Deep Dream: activation maximisation of a layer, channel or unit over several scales."""

    name: Literal["dream"] = Field(description=NAME)
    generations: Int = Field(ge=1, le=100_000_000, description="steps per round, divided among its octaves")
    size: Side | None = Field(
        description="longer side of the image, which is scaled to it, pixels; null = that of the file or the classifier's input"
    )
    layer: Text | None = Field(
        description="layer to maximise (`fooling examine layers=true` lists them); null = the output of the target class"
    )
    channel: Int | None = Field(ge=0, description="maximise only this channel of the layer")
    neuron: Annotated[tuple[Annotated[Int, Field(ge=0)], ...] | None, BeforeValidator(optional_to_list)] = Field(
        description="maximise only this unit of the layer: 17, or row,column,channel"
    )
    octaves: Int = Field(ge=1, le=32, description="number of scales, from small to large, if the input size allows")
    octave_scale: Float = Field(gt=1, le=8, description="ratio of the sides of successive octaves")
    again: Int = Field(ge=0, le=10_000, description="further rounds, each starting from the last result; one frame each")
    zoom: Float = Field(ge=0, lt=1, description="enlargement about the centre before each further round, as a share")

    @property
    def unit(self) -> str:
        """The layer, channel or unit that is raised, in words; '' for the output of the target class."""
        return unit_in_words(self) if self.layer else ""


def unit_in_words(search: Any) -> str:
    """The same of any object with layer, channel and neuron."""
    if search.neuron is not None:
        return f"layer {search.layer}, unit {','.join(map(str, search.neuron))}"
    return f"layer {search.layer}" + ("" if search.channel is None else f", channel {search.channel}")


class FeedbackSettings(GradientSettings):
    """Weight feedback into a perceptron's input."""

    name: Literal["feedback"] = Field(description=NAME)
    losers: Float = Field(ge=0, le=1, description="lateral inhibition: share of the other units' weights that is subtracted")


class GenomeSettings(EvadingSettings):
    """Searches that vary genomes."""

    detail: Int | None = Field(
        ge=1,
        le=256,
        description="frequencies or cells along the shorter side, hidden nodes of genome=cppn and mixed; no effect on single "
        "pixels; null = 8, hidden nodes 16",
    )


class EsSettings(GenomeSettings):
    """Evolution strategy on genomes, for large images and many classes."""

    name: Literal["es"] = Field(description=NAME)
    genome: Literal["auto", "cppn", "dct", "grid", "mixed", "pixels", "levels"] = Field(
        description="what is varied: dct = low frequencies, grid = a coarse picture that is enlarged, cppn = a network that "
        "draws patterns, mixed = such patterns and low frequencies, pixels = each pixel, levels = each pixel, all grey levels "
        "equally likely at the start; auto = mixed for more than 20 classes, else dct"
    )
    population: Int = Field(ge=4, le=1_000_000, description="images per run and generation (λ), in pairs")
    explore: Int | None = Field(
        ge=0,
        le=100_000_000,
        description="images per run that look for a place to start from: random ones, then children of an archive of all "
        "classes; 0 = start at mid-grey, null = 500 with genome=cppn and mixed, else 0",
    )
    restart: Int | None = Field(
        ge=0,
        le=100_000_000,
        description="generations without a better image after which the deviations of the best one widen again, to sigma / 2; "
        "0 = never, null = 15 with genome=cppn and mixed, else 0",
    )
    patch: Int | None = Field(
        ge=0,
        le=100_000_000,
        description="images per run after which the best one is changed by random patches, which stay where they help; "
        "0 = never, null = 700 with genome=cppn and mixed, else 0",
    )
    sigma: Float | None = Field(
        gt=0, le=100, description="standard deviation of each number at the start; null = 1, after exploring 0.3"
    )
    mean_rate: Float = Field(gt=0, le=10, description="learning rate of the mean, 1 = the weighted mean of the better half")
    sigma_rate: Float = Field(ge=0, le=10, description="learning rate of the deviations, as a multiple of the usual one")
    antithetic: Bool = Field(description="draw pairs of opposite steps, instead of each by itself")


class MapElitesSettings(GenomeSettings):
    """MAP-Elites: an archive with an image for each class; every image is offered to all of them."""

    name: Literal["map_elites"] = Field(description=NAME)
    genome: Literal["auto", "cppn", "dct", "grid", "mixed", "pixels", "levels"] = Field(
        description="what is varied: auto = cppn for more than 20 classes, else dct; the others: search=es --help"
    )
    population: Int = Field(ge=1, le=1_000_000, description="images per generation, all classes together")
    batch: Int = Field(
        ge=1, le=1_000_000, description="images that are made from the same archive, in one call of the classifier"
    )
    first: Int = Field(ge=1, le=1_000_000, description="random images of the first generation")
    patch: Int | None = Field(
        ge=0,
        le=100_000_000,
        description="images of all classes after which children are elites with random patches, which stay where they help; "
        "0 = never, null = 60 per class",
    )
    mates: Float = Field(
        ge=0,
        le=1,
        description="share of the children whose other parent is one of the 16 images with the highest score for the class of "
        "the first; that of the others is drawn from all",
    )
    crossovers: Float = Field(
        ge=0,
        le=1,
        description="share of the children that have each number of one parent or the other; the others: see line_sd",
    )
    line_sd: Float = Field(
        ge=0, le=10, description="standard deviation of a child's step along the line to another parent, in its length"
    )
    mutation: Literal["gaussian", "polynomial"] = Field(
        description="normally distributed steps, or polynomial mutation of each number as a share of the normal distribution"
    )
    mutation_rate: Float = Field(ge=0, le=1, description="share of a child's numbers that are mutated")
    mutation_halved: Int = Field(ge=0, le=100_000_000, description="generations after which that share halves; 0 = never")
    mutation_sd: Float = Field(ge=0, le=100, description="standard deviation of gaussian mutation")
    mutation_eta: Int = Field(
        ge=0, le=1000, description="distribution index of polynomial mutation: larger means smaller changes"
    )

    @property
    def joint(self) -> bool:
        """One job for all classes."""
        return True


AnySearchSettings = Annotated[
    GaSettings
    | AnnealSettings
    | ParetoSettings
    | EsSettings
    | MapElitesSettings
    | AscentSettings
    | DreamSettings
    | FeedbackSettings,
    Field(discriminator="name"),
]
