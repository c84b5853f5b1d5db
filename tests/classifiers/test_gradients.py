"""Gradients of classifiers that are no functions of JAX: of torch's modules and programs, and of objects with `gradient`."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from builders import random_network
from models import make_module, write_onnx, write_torch
from objectives import objective_of
from pairwise import rare
from PIL import Image

import fooling
from fooling.classifiers import load_classifier
from fooling.classifiers.adapters.autograd import with_initializers
from fooling.classifiers.ensemble import Ensemble
from fooling.classifiers.gradients import has_gradients, scores_function
from fooling.classifiers.layers import layer_shapes
from fooling.commands import dispatch
from fooling.errors import UserError, guarded
from fooling.search.gradient_ascent import AscentParams
from fooling.settings import load

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
SHAPE = (6, 5, 3)
IMAGES = np.random.default_rng(0).integers(1, 255, (4, *SHAPE), dtype=np.uint8)
NETWORK: Any = random_network(SHAPE, classes=4)


class Net(torch.nn.Module):
    """Images [N, 3, H, W] → three logits."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.Linear(8, outputs, bias=False)

    def forward(self, images: Any) -> Any:
        return self.last(torch.tanh(self.first(images - 0.5)).mean((2, 3))) * 20


class Cut(Net):
    """The same without a gradient."""

    def forward(self, images: Any) -> Any:
        return super().forward(images).detach()


def adapted(module: Any, **varied: Any) -> Any:
    return fooling.load_classifier(module, shape=SHAPE, **varied)


def by_differences(classifier: Any, images: np.ndarray, weights: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    """The slope of Σ weights · scores along a pixel, of whole levels one up and one down."""
    step = np.zeros(images.shape[1:], dtype=np.int16)
    step[place] = 1
    up, down = (np.asarray(classifier((images + sign * step).astype(np.uint8)), dtype=float) for sign in (1, -1))
    return np.asarray(((up - down) * weights).sum(axis=1) / 2)


@pytest.mark.parametrize(
    ("outputs", "varied"),
    [
        (3, {"output": "logit"}),
        (3, {"output": "sigmoid", "mean": "0.1,0.2,0.3", "std": "0.5,1,2", "channels": "BGR"}),
        (3, {"output": "logit", "order": "2,0,1"}),
        (1, {"output": "logit"}),
    ],
)
def test_the_gradient_of_a_module_is_the_slope_of_its_scores(outputs: int, varied: dict) -> None:
    found = adapted(Net(outputs), **varied)
    weights = np.random.default_rng(1).normal(size=(4, found.num_classes)).astype(np.float32)
    gradient = found.gradient(IMAGES.astype(np.float32), weights)
    assert (gradient.shape, gradient.dtype) == (IMAGES.shape, np.float32)
    for place in ((0, 0, 0), (3, 2, 1), (5, 4, 2)):
        assert gradient[:, *place] == pytest.approx(by_differences(found, IMAGES, weights, place), rel=0.02, abs=2e-7)
    function = scores_function(found)
    assert np.asarray(jax.jit(function)(IMAGES.astype(np.float32))) == pytest.approx(found(IMAGES), abs=1e-5)
    assert not hasattr(found, "jax_fn"), "engine=jax would leave its compiled loop"


def test_batches_of_a_fixed_size_are_filled_up() -> None:
    module = Net()
    fixed, free = adapted(module, output="logit", batch_size="fixed:3"), adapted(module, output="logit")
    weights = np.ones((4, 3), dtype=np.float32) * [1, 2, -3]
    images = IMAGES.astype(np.float32)
    assert fixed.gradient(images, weights) == pytest.approx(free.gradient(images, weights), abs=1e-7)


@pytest.mark.parametrize("kind", ["TorchScript", "torch.export"])
def test_programs_in_files_have_gradients(home: Path, kind: str) -> None:
    module, given = Net().eval(), torch.rand(2, 3, 6, 5)
    if kind == "TorchScript":
        with pytest.warns(DeprecationWarning, match="torch.jit"):
            torch.jit.save(torch.jit.trace(module, given), "net.pt")
    else:
        batch = {"images": {0: torch.export.Dim("batch")}}
        torch.export.save(torch.export.export(module, (given,), dynamic_shapes=batch), "net.pt2")
    path = "net.pt" if kind == "TorchScript" else "net.pt2"
    found: Any = load_classifier("torch", path, shape=SHAPE, output="logit")
    weights, images = np.ones((4, 3), dtype=np.float32) * [1, 2, -3], IMAGES.astype(np.float32)
    assert found.gradient(images, weights) == pytest.approx(adapted(module, output="logit").gradient(images, weights), abs=1e-7)
    result = fooling.evolve(classifier=found, search="ascent", digit=1, runs=2, generations=30)
    assert (result.confidences > 0.9).all()


@pytest.mark.parametrize("words", [{"climb": "target"}, rare({"jitter": 1, "total_variation": 0.1, "blur_sd": 1})])
def test_a_module_is_climbed_and_goes_on_bit_for_bit(home: Path, words: dict) -> None:
    given: dict[str, Any] = {"classifier": Net(), "shape": SHAPE, "output": "logit", "search": "ascent", "digit": 2, "runs": 2}
    given |= {"stop": "end", **words}
    whole = fooling.evolve(**given, generations=12)
    fooling.evolve(**given, generations=5, out="r")
    again = fooling.evolve(**given, generations=12, out="r", resume=True)
    assert np.array_equal(again.images, whole.images)
    assert whole.own["gradients"].tolist() == [12, 12]
    assert (whole.confidences > 0.5).all()


# --- objects that tell their gradient ------------------------------------------------------------------------------------
class Own:
    """A classifier with a gradient of its own, by numbers that the test counts."""

    input_shape, num_classes, labels, fingerprint = SHAPE, 4, tuple("abcd"), "own"

    def __init__(self, gradient: Any = None) -> None:
        self.told, self.calls = gradient, 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(NETWORK(images))

    def gradient(self, images: np.ndarray, weights: np.ndarray) -> Any:
        self.calls += 1
        if self.told:
            return self.told(images, weights)
        _, pulled = pulled_back(images)
        return np.asarray(pulled(weights)[0])


def pulled_back(images: np.ndarray) -> Any:
    return jax.vjp(NETWORK.jax_fn, images)


def test_an_object_with_a_gradient_is_climbed_as_a_function_of_jax_is() -> None:
    given: dict[str, Any] = {"search": "ascent", "digit": 1, "runs": 2, "generations": 12}
    own = Own()
    result, other = fooling.evolve(classifier=own, **given), fooling.evolve(classifier=NETWORK, **given)
    assert own.calls > 12
    assert result.confidences == pytest.approx(other.confidences, abs=0.05), "its scores are those of the nearest levels"
    assert layer_shapes(own) == {"scores": (4,)}


@pytest.mark.parametrize("search", ["ascent", "dream"])
def test_an_error_in_the_middle_is_one_line(search: str) -> None:
    own = Own()

    def breaks(images: np.ndarray, weights: np.ndarray) -> Any:
        if own.calls == 9:
            return images[:0]
        return pulled_back(images)[1](weights)[0]

    own.told = breaks
    more: dict[str, Any] = {"size": 9} if search == "dream" else {}
    with pytest.raises(
        UserError, match=r"^generation|^classifier: expected a gradient float32 \[.*, got float32 \[0, 6, 5, 3\]"
    ):
        fooling.evolve(classifier=own, search=search, digit=1, runs=1, generations=20, **more)
    assert own.calls >= 9


def test_an_error_of_one_classifier_is_not_that_of_the_next() -> None:
    bad, images = adapted(Cut(), output="logit"), IMAGES.astype(np.float32)
    slopes = jax.grad(lambda pixels: scores_function(bad)(pixels).sum())(images)
    assert np.isnan(slopes).all()
    assert np.isfinite(adapted(Net(), output="logit").gradient(images, np.ones((4, 3), dtype=np.float32))).all()


REFUSED = [
    (lambda images, _weights: images[:, :2], r"expected a gradient float32 \[1, 6, 5, 3\], got float32 \[1, 2, 5, 3\]"),
    (lambda images, _weights: images.astype(int), r"expected a gradient float32 .*, got int64"),
    (lambda _images, _weights: 1 / 0, "its gradient raised ZeroDivisionError"),
    (lambda images, _weights: images * np.nan, "the classifier's gradient is not finite"),
    (lambda images, _weights: images * 0, "the gradient is zero for noise, black and white images"),
]


@pytest.mark.parametrize(("told", "said"), REFUSED)
def test_gradients_that_are_none_are_one_line(told: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fooling.evolve(classifier=Own(told), search="ascent", digit=1, runs=1, generations=2)


def test_a_module_without_a_gradient_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"^classifier: object Cut: the module has no gradient on inputs"):
        fooling.evolve(classifier=Cut(), shape=SHAPE, output="logit", search="ascent", digit=1, runs=1, generations=2)


def test_what_only_answers_has_none() -> None:
    found = adapted(Net(), output="logit", samples=2)
    assert not has_gradients(found), "a mean over calls is no function of the module"
    with pytest.raises(UserError, match=r"has no gradients: they would pass classifier.price, .* by; leave these out"):
        fooling.evolve(classifier=found, search="ascent", digit=1, runs=1, generations=2)


@pytest.mark.parametrize("combine", ["mean", "minimum"])
def test_an_ensemble_has_the_gradient_of_its_members(combine: Any) -> None:
    members = {"a": adapted(Net(), output="logit"), "b": adapted(Net(), output="logit", scale="1/300")}
    both = Ensemble(members, combine, ("a", "b", "c"))
    assert not hasattr(both, "jax_fn"), "as a member has none"
    slopes = np.asarray(jax.grad(lambda pixels: scores_function(both)(pixels)[:, 1].sum())(IMAGES.astype(np.float32)))
    weights = np.array([[0, 1, 0]] * 4)
    assert slopes[:, 3, 2, 1] == pytest.approx(by_differences(both, IMAGES, weights, (3, 2, 1)), rel=0.05, abs=5e-7)


@pytest.mark.parametrize(
    ("shape", "words", "expected"),
    [
        ((64, 64, 3), {}, (20, 0.5)),
        ((65, 8, 1), {}, (4, 0)),
        ((65, 8, 1), {"rate": "7", "blur_sd": "1"}, (7, 1)),
        ((65, 8, 1), {"start": "grey"}, (4, 0)),
        ((65, 8, 1), {"image": "a.png"}, (20, 0)),
    ],
)
def test_large_images_have_smaller_steps_and_no_blur(home: Path, shape: Any, words: dict, expected: tuple) -> None:
    Image.new("L", (8, 65), 90).save("a.png")
    settings = load(["search=ascent", *(f"{name}={value}" for name, value in words.items())])
    image = np.full(shape, 90, dtype=np.uint8) if "image" in words else None
    objective = objective_of(random_network(shape, classes=3), None, weights={"target": 1.0})
    params = AscentParams.from_settings(settings, objective, start_image=image)
    assert (params.step_size.rate, params.blur_sd) == expected


def test_what_a_module_keeps_of_its_first_call_is_part_of_its_gradient() -> None:
    class Keeps(Net):
        kept: Any = None

        def forward(self, images: Any) -> Any:
            if self.kept is None:
                self.kept = torch.linspace(0, 1, 5)
            return super().forward(images * self.kept)

    found = adapted(Keeps(), output="logit")
    assert np.isfinite(found.gradient(IMAGES.astype(np.float32), np.ones((4, 3), dtype=np.float32) * [1, 0, 0])).all()


# --- ONNX ----------------------------------------------------------------------------------------------------------------
def with_onnx2torch(monkeypatch: pytest.MonkeyPatch, convert: Any) -> None:
    """Puts a module called onnx2torch in the place of the package, which comes with no test environment."""
    module = ModuleType("onnx2torch")
    module.__spec__ = ModuleSpec("onnx2torch", None)
    module.convert = convert  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnx2torch", module)


def lenet(home: Path) -> Any:
    return load_classifier("onnx", str(write_onnx(home / "lenet.onnx")), scale="1/255")


def test_an_onnx_model_has_the_gradient_of_what_onnx2torch_makes_of_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file

    module = make_module()
    module.load_state_dict(load_file(write_torch(home / "w.safetensors")))
    with_onnx2torch(monkeypatch, lambda _model: module)
    found, network = lenet(home), fooling.load_classifier("mnist_cnn")
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(3, 10)).astype(np.float32)
    expected = jax.vjp(network.jax_fn, images)[1](weights)[0]  # type: ignore[attr-defined]
    assert found.gradient(images, weights) == pytest.approx(np.asarray(expected), abs=1e-6)
    result = fooling.evolve(classifier=found, search="ascent", digit=4, prior="none", runs=1, generations=30)
    assert result.confidence[0] > 0.99


def test_other_numbers_than_those_of_onnxruntime_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_onnx2torch(monkeypatch, lambda _model: make_module())  # with other weights
    with pytest.raises(UserError, match=r"lenet.onnx: what onnx2torch makes of it gives other numbers \(by .*\); no gradients"):
        fooling.evolve(classifier=lenet(home), search="ascent", digit=4, prior="none", runs=1, generations=2)


def test_what_cannot_be_converted_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    def convert(_model: Any) -> Any:
        raise NotImplementedError("no converter for Loop")

    with_onnx2torch(monkeypatch, convert)
    words = ["run", "classifier=onnx", f"classifier.path={write_onnx(home / 'lenet.onnx')}", "digit=4", "prior=none"]
    assert guarded(dispatch, [*words, "search=ascent", "out=r"]) == 2
    error = capfd.readouterr().err
    assert "onnx2torch cannot convert it for gradients: NotImplementedError: no converter for Loop" in error
    assert error.count("\n") == 1, "and no traceback of JAX"


def test_weights_in_nodes_become_initializers() -> None:
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.ones((2, 3), dtype=np.float32), "anything")
    nodes = [
        onnx.helper.make_node("Constant", [], ["w"], value=weight),
        onnx.helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", side]) for name, side in (("x", 2), ("y", 3))
    ]
    model = with_initializers(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])))
    assert [one.op_type for one in model.graph.node] == ["MatMul"]
    assert [one.name for one in model.graph.initializer] == ["w"]
    onnx.checker.check_model(model)
