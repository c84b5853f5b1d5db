"""classifier=torch: a module that the user's function returns, with weights from safetensors; or a program in a file."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fooling.classifiers.adapters.files import advice, digest_of_files, is_file, model_file
from fooling.classifiers.adapters.layers import mean_over_places, unknown_layer
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.programs import open_program
from fooling.classifiers.adapters.python import source_of
from fooling.classifiers.serialization import check_safetensors, conversion
from fooling.errors import UserError
from fooling.settings.classifiers import TorchSettings
from fooling.settings.code import call_named
from fooling.settings.code import fingerprint as code_fingerprint
from fooling.settings.fields import described, foreign_code, user_path

WHAT = "a function without arguments that returns a torch.nn.Module"
PROGRAM = "expected module:function, a TorchScript file (.pt) or a file of torch.export (.pt2)"
SUFFIXES = (".pt", ".pt2", ".pth", ".ts", ".torchscript", ".ptc")  # of files that may hold a program


class OneOutput(torch.nn.Module):
    """One output of a module that may have several."""

    def __init__(self, whole: Any, place: int) -> None:
        super().__init__()
        self.whole, self.place = whole, place

    def forward(self, inputs: Any) -> Any:
        """The output."""
        answer = self.whole(inputs)
        return answer[self.place] if isinstance(answer, tuple | list) else answer


class Placed(NamedTuple):
    """A module on a device."""

    predict: Callable[[Any], Any]  # inputs → numbers
    pull: Callable[[Any, Any], Any]  # inputs, weights → gradient
    device: Any


def open_torch(settings: TorchSettings, threads: int) -> Model:
    """The module that module:function returns, or the program in a file, in evaluation mode. Raises UserError."""
    name = settings.path or ""
    where = f"classifier.path={name}"
    if ":" not in name and (Path(name).suffix.lower() in SUFFIXES or is_file(user_path(name))):
        return program_as_model(settings, threads)
    module = call_named("classifier.path", name, WHAT)
    if not isinstance(module, torch.nn.Module):
        raise UserError(f"{where}: expected {WHAT}, it returned {type(module).__name__}")
    if settings.weights:
        load_weights(module, settings.weights)
    return module_as_model(module, where, threads, f"runs the code of {name}", code_fingerprint(name))


def program_as_model(settings: TorchSettings, threads: int) -> Model:
    """The program in a file of TorchScript or torch.export, on the CPU. Raises UserError."""
    if user_path(settings.path or "").suffix == ".py":
        raise UserError(f"classifier.path={settings.path}: expected the function too, such as {settings.path}:make, {WHAT}")
    path, where = model_file(settings.path, "torch", PROGRAM)
    if settings.weights:
        raise UserError(f"{where}: holds its weights itself; leave classifier.weights out")
    program = open_program(path, where)
    if program is None:
        raise UserError(f"{where}: {PROGRAM}, got another kind of file, or a damaged one{advice(path, 'torch')}")
    torch.set_num_threads(threads)
    cpu = torch.device("cpu"), torch.float32
    predict, pull = predicting(program.module, where, *cpu, plain=True), pulling(program.module, where, *cpu)
    notes = (f"classifier: {program.kind}: a program of torch's operators, on the CPU",)
    return Model(predict, where, digest_of_files([path]), "NCHW", program.dims, program.batch, notes=notes, pull=pull)


def object_as_model(module: Any, where: str, settings: TorchSettings, threads: int) -> Model:
    """A module that a program made. Raises UserError."""
    del settings
    return module_as_model(module, where, threads)


def module_as_model(
    module: Any, where: str, threads: int, says: str = "a module of torch in evaluation mode", code: str = ""
) -> Model:
    """A module in evaluation mode, on a GPU if there is one; `where` begins messages. Raises UserError.

    `code`: the fingerprint of the file that it comes from.
    """
    predict, pull, device = placed(module, where, threads, plain=False)
    notes = (f"classifier: {says}, on {device}; its fingerprint is partial: its weights and the source of its classes",)
    layer = partial(layer_of, module, predict)
    return Model(predict, where, fingerprint(module, code), "NCHW", notes=notes, partial=True, layer=layer, pull=pull)


def placed(module: Any, where: str, threads: int, *, plain: bool = True) -> Placed:
    """A module in evaluation mode on its device: a GPU if there is one. Raises UserError."""
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with foreign_code(f"{where}: the module cannot be moved to {device}: "):
        module.eval().to(device)
    kind = next((tensor.dtype for tensor in module.parameters() if tensor.is_floating_point()), torch.float32)
    return Placed(predicting(module, where, device, kind, plain=plain), pulling(module, where, device, kind), device)


def predicting(module: Any, where: str, device: Any, kind: Any, *, plain: bool) -> Callable[[Any], Any]:
    """The function inputs → numbers of a module on a device, which takes tensors of a kind.

    NumPy leaves any stride along the channel of grey images, from which torch infers that channels come last; `view` in a
    module may fail then. `plain`: strides are those of the shape. Without, this is so from such a failure on: the strides
    decide how torch adds, and records made before must be repeated to the last bit.
    """
    state = {"plain": plain}

    def answer_of(inputs: Any) -> Any:
        tensor = torch.from_numpy(inputs)
        tensor = tensor.reshape(-1).view(tensor.shape) if state["plain"] else tensor
        try:
            return tensor_of(module(tensor.to(device, kind)))
        except RuntimeError as error:
            if state["plain"] or "view size" not in str(error):
                raise
        state["plain"] = True
        return answer_of(inputs)

    def predict(inputs: Any) -> Any:  # what the module keeps of inference_mode could not be part of a gradient later
        with foreign_code(f"{where}: the module failed on inputs {list(inputs.shape)}: "), torch.no_grad():
            answer = answer_of(inputs)
        if not isinstance(answer, torch.Tensor):
            raise UserError(f"{where}: expected the module to return a tensor of scores, got {type(answer).__name__}")
        with foreign_code(f"{where}: expected a tensor of scores, got one that NumPy cannot take: "):
            numbers = answer.detach().cpu()
            return (numbers.float() if numbers.is_floating_point() else numbers).numpy()

    return predict


def tensor_of(answer: Any) -> Any:
    """The logits of an answer that is no tensor but has them, as those of transformers do; any other answer itself."""
    return answer if isinstance(answer, torch.Tensor) else getattr(answer, "logits", answer)


def pulling(module: Any, where: str, device: Any, kind: Any) -> Callable[[Any, Any], Any]:
    """The function inputs, weights [N, K] → the gradient of Σ weights · numbers of a module, by torch's autograd."""

    def pull(inputs: Any, weights: Any) -> Any:
        with foreign_code(f"{where}: the module has no gradient on inputs {list(inputs.shape)}: "), torch.enable_grad():
            tensor = torch.tensor(inputs, device=device, dtype=kind, requires_grad=True)
            answer = tensor_of(module(tensor))
            along = torch.tensor(weights, device=device, dtype=answer.dtype).reshape(answer.shape)
            (found,) = torch.autograd.grad(answer, tensor, along)
        return found.cpu().float().numpy()

    return pull


def layer_of(module: Any, predict: Callable[[Any], Any], name: str | None) -> Callable[[Any], Any]:
    """The outputs of the layer `name`, by default the inputs of the last linear one: inputs → activations [n, D].

    The layer tells them by a hook while the module predicts. Raises UserError for a layer that the module has not.
    """
    parts = {own: part for own, part in module.named_modules() if own}
    linear = [part for part in parts.values() if isinstance(part, torch.nn.Linear)]
    if name is not None and name not in parts:
        raise unknown_layer(name, list(parts))
    if name is None and not linear:
        raise UserError("the module has no linear layer; name a layer: layer=NAME")
    part: Any = parts[name] if name is not None else linear[-1]

    def activations(inputs: Any) -> Any:
        caught: list[Any] = []
        if name is None:
            handle = part.register_forward_pre_hook(lambda _part, given: caught.append(given[0]))
        else:
            handle = part.register_forward_hook(lambda _part, _given, found: caught.append(found))
        try:
            predict(inputs)
        finally:
            handle.remove()
        if not caught or not isinstance(caught[-1], torch.Tensor):
            got = type(caught[-1]).__name__ if caught else "none, as the module does not call it"
            raise UserError(f"layer={name}: expected a layer that returns a tensor, got {got}; name another layer")
        return mean_over_places(caught[-1].detach().cpu().float().numpy(), channels=1)

    return activations


def load_weights(module: Any, text: str) -> None:
    """Loads the tensors of a .safetensors file into a module. Raises UserError for a file that does not fit it."""
    path = user_path(text)
    where = f"classifier.weights={path}"
    if not path.is_file():
        raise UserError(f"{where}: no such file; expected the module's state_dict saved by safetensors.torch.save_file")
    check_safetensors(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = f"it cannot be read ({described(error)}){conversion(path)}"
        raise UserError(f"{where}: expected a .safetensors file, {reason}") from error
    try:
        result = module.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise UserError(f"{where}: its tensors do not fit the module ({described(error)})") from error
    for what, names in (("lacks", result.missing_keys), ("has, and the module has not,", result.unexpected_keys)):
        if names:
            raise UserError(f"{where}: does not fit the module: it {what} {', '.join(names[:5])}")


def fingerprint(module: Any, code: str = "") -> str:
    """SHA-256 of a module's tensors with their names, of the source of its classes that are not torch's own, and of `code`."""
    digest = hashlib.sha256(code.encode())
    kinds = {type(part) for part in module.modules()}
    for kind in sorted(kinds, key=lambda kind: (kind.__module__, kind.__qualname__)):
        if not kind.__module__.startswith("torch."):
            digest.update(source_of(kind).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        if isinstance(tensor, torch.Tensor):
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(tensor).encode())
    return digest.hexdigest()
