"""classifier=python: a callable that the user's function returns; objects of Python as models, with a derived fingerprint."""

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from fooling.classifiers.adapters.conversion import Output
from fooling.classifiers.adapters.model import Model
from fooling.errors import UserError
from fooling.settings.classifiers import PythonSettings
from fooling.settings.code import call_named, fingerprint
from fooling.settings.fields import foreign_code

WHAT = "a function without arguments that returns a callable: float32 [N, …] → scores [N, classes]"
METHODS: tuple[tuple[str, Output], ...] = (
    ("predict_proba", "probability"),
    ("decision_function", "logit"),
    ("predict", "label"),
)
DEEPEST = 50  # objects within one another whose state is part of a fingerprint


def open_python(settings: PythonSettings, threads: int) -> Model:
    """The callable that module:function returns. Raises UserError, also for any exception that the callable raises."""
    del threads
    name = settings.path or ""
    where = f"classifier.path={name}"
    scorer = call_named("classifier.path", name, WHAT)
    if not callable(scorer):
        raise UserError(f"{where}: expected {WHAT}, it returned {type(scorer).__name__}")
    note = f"classifier: runs the code of {name}; its fingerprint is that of this module's source alone"
    return Model(calling(scorer, where), where, fingerprint(name), "NHWC", notes=(note,), partial=True)


def calling(scorer: Callable[[Any], Any], where: str) -> Callable[[Any], Any]:
    """A function of inputs that raises UserError for whatever the user's function raises."""

    def predict(inputs: Any) -> Any:
        with foreign_code(f"{where}: raised on inputs {inputs.dtype} {list(inputs.shape)}: "):
            return scorer(inputs)

    return predict


def function_as_model(scorer: Callable[[Any], Any], where: str, settings: Any = None, threads: int = 1) -> Model:
    """A function, or an object that can be called, as a model."""
    del settings, threads
    digest, _ = digest_of(scorer)
    note = f"{where}: its fingerprint is partial: it covers the source and the data that it uses, not the modules that it calls"
    declared = getattr(scorer, "input_shape", None)  # of Keras: (None, H, W, C)
    dims = tuple(declared[1:]) if isinstance(declared, tuple) and len(declared) > 2 else None
    return Model(calling(scorer, where), where, digest, "NHWC", dims, notes=(note,), partial=True)


def estimator_as_model(estimator: Any, where: str, settings: Any = None, threads: int = 1, digest: str = "") -> Model:
    """An estimator of scikit-learn: its probabilities, or its decision function, or else its labels. Raises UserError."""
    del settings, threads
    method, output = next(((name, kind) for name, kind in METHODS if hasattr(estimator, name)), ("", None))
    if not method:
        expected = "expected a classifier with predict_proba, decision_function or predict"
        raise UserError(f"{where}: {expected}, got {type(estimator).__name__}; is it fitted?")

    def predict(inputs: Any) -> Any:
        with foreign_code(f"{where}: {method} of {list(inputs.shape)} raised "):
            return getattr(estimator, method)(inputs)

    dims = (int(estimator.n_features_in_),) if hasattr(estimator, "n_features_in_") else None
    labels = tuple(str(label) for label in estimator.classes_) if hasattr(estimator, "classes_") else None
    partial = False
    if not digest:
        digest, partial = digest_of(estimator)
    notes = (f"{where}: its fingerprint is partial: it lacks parts whose state is unknown",) if partial else ()
    bound = vote_bound(estimator, len(labels or ())) if method == "decision_function" else 1.0
    return Model(
        predict,
        where,
        digest,
        "flat",
        dims,
        None,
        np.float64,
        output=output,
        labels=labels,
        notes=notes,
        partial=partial,
        bound=bound,
    )


def vote_bound(estimator: Any, classes: int) -> float:
    """What a softmax of an estimator's decision function cannot exceed; 1 where that has no bound.

    Support vector machines of several classes count the votes of pairs of classes, plus less than 1/3 each for ties
    (`sklearn.utils.multiclass._ovr_decision_function`): K − 1 + 1/3 for the winner, and for the others at least
    (K − 2)/2 − 1/3 in the mean.
    """
    last = getattr(estimator, "best_estimator_", estimator)
    last = last.steps[-1][1] if hasattr(last, "steps") else last
    last = getattr(last, "best_estimator_", last)
    votes = type(last).__name__ in ("SVC", "NuSVC", "OneVsOneClassifier")
    if not votes or classes < 3 or getattr(last, "decision_function_shape", "ovr") != "ovr":
        return 1.0
    return float(1 / (1 + (classes - 1) * np.exp(-(classes / 2 + 2 / 3))))


# --- fingerprints -----------------------------------------------------------------------------------------------------
def digest_of(thing: Any) -> tuple[str, bool]:
    """SHA-256 of what an object consists of, and whether that is only a part: code is known by its source alone."""
    state = State()
    state.add(thing)
    return state.digest.hexdigest(), state.partial


class State:
    """A digest of objects: numbers, texts, arrays and containers by value, others by their class and their attributes."""

    def __init__(self) -> None:
        self.digest, self.partial, self.depth = hashlib.sha256(), False, 0
        self.seen: dict[int, Any] = {}  # keeps them alive: the number of a dead object is given again

    def add(self, value: Any) -> None:
        """Adds one object."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self.digest.update(f"{type(value).__name__} {value!r};".encode())
            return
        if id(value) in self.seen or self.depth > DEEPEST:
            self.digest.update(f"again {type(value).__name__};".encode())
            self.partial |= id(value) not in self.seen
            return
        self.seen[id(value)] = value
        self.depth += 1
        self.add_object(value)
        self.depth -= 1

    def add_object(self, value: Any) -> None:
        """Adds an array, a container, code, or the state of any other object."""
        if isinstance(value, np.ndarray | np.generic):
            self.add_array(np.asarray(value))
        elif isinstance(value, dict):
            for key in sorted(value, key=repr):
                self.add(key)
                self.add(value[key])
        elif isinstance(value, list | tuple | set | frozenset):
            self.digest.update(f"{type(value).__name__} {len(value)};".encode())
            for one in sorted(value, key=repr) if isinstance(value, set | frozenset) else value:
                self.add(one)
        elif isinstance(value, FunctionType | MethodType | functools.partial | CodeType):
            self.add_code(value)
        elif isinstance(value, type | ModuleType):
            self.digest.update(f"{getattr(value, '__module__', '')}.{value.__name__};".encode())
        else:
            self.add_state(value)

    def add_array(self, array: Any) -> None:
        """Adds an array; of records each field, as the bytes between them are arbitrary."""
        self.digest.update(f"{array.dtype.str} {array.shape};".encode())
        if array.dtype.names:
            for name in array.dtype.names:
                self.add_array(array[name])
        elif array.dtype == object:
            self.add(array.tolist())
        else:
            self.digest.update(np.ascontiguousarray(array).tobytes())

    def add_code(self, value: Any) -> None:
        """Adds a function: its source, or else its bytes, its constants, and the data that it refers to."""
        self.partial = True
        if isinstance(value, MethodType):
            self.add(value.__self__)
            self.add(value.__func__)
        elif isinstance(value, functools.partial):
            self.add([value.func, value.args, value.keywords])
        elif isinstance(value, CodeType):
            self.digest.update(value.co_code)
            self.add([*value.co_names, *value.co_consts])
        else:
            source = source_of(value)
            self.add(source or value.__code__)
            self.add([value.__defaults__, value.__kwdefaults__, *(cell_content(cell) for cell in value.__closure__ or ())])
            used = [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
            for one in used:
                if isinstance(one, np.ndarray | int | float | str | FunctionType) or is_model(one):
                    self.add(one)

    def add_state(self, value: Any) -> None:
        """Adds an object by its class and its attributes; the tensors of a module of torch."""
        kind = type(value)
        self.digest.update(f"{kind.__module__}.{kind.__qualname__};".encode())
        if is_torch(value, "nn.Module"):
            self.partial = True
            self.add(list(value.state_dict().items()))
        elif is_torch(value, "Tensor"):
            self.add_array(value.detach().cpu().contiguous().reshape(-1).view(sys.modules["torch"].uint8).numpy())
        else:
            if callable(value):
                self.partial = True
                self.add(source_of(kind))
            try:
                state = value.__getstate__()
            except Exception:  # the state of foreign objects may be out of reach
                state = None
            self.partial |= state is None and kind.__module__ != "builtins"
            self.add(state)


def source_of(code: Any) -> str:
    """The source of a function or class, '' where there is none."""
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return ""


def cell_content(cell: Any) -> Any:
    """What a variable of an enclosing function holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def is_model(value: Any) -> bool:
    """Whether an object is a module of torch, a tensor, or an estimator of scikit-learn."""
    estimator = hasattr(value, "get_params") and any(hasattr(value, name) for name, _ in METHODS)
    return estimator or is_torch(value, "nn.Module") or is_torch(value, "Tensor")


def is_torch(value: Any, name: str) -> bool:
    """Whether an object is a Tensor or nn.Module of torch, which is not imported for this."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module if name == "nn.Module" else torch.Tensor)
