"""classifier=python: a callable that the user's own function returns."""

from typing import Any

from fooling.classifiers.adapters.adapter import Model
from fooling.errors import UserError
from fooling.settings.classifiers import PythonSettings as Chosen
from fooling.settings.fields import CRASHES, call_named, fingerprint

WHAT = "a function without arguments that returns a callable: float32 [N, …] → scores [N, classes]"


def open_python(chosen: Chosen, threads: int) -> Model:
    """The callable that module:function returns. Raises UserError, also for whatever it raises when it is called."""
    del threads
    name = chosen.path or ""
    where = f"classifier.path={name}"
    found = call_named("classifier.path", name, WHAT)
    if not callable(found):
        raise UserError(f"{where}: expected {WHAT}, it returned {type(found).__name__}")

    def predict(inputs: Any) -> Any:
        try:
            return found(inputs)
        except CRASHES as error:
            said = f"{type(error).__name__}: {error}"
            raise UserError(f"{where}: raised on inputs {inputs.dtype} {list(inputs.shape)}: {said}") from error

    return Model(predict, where, fingerprint(name), "NHWC", notes=(f"classifier: runs the code of {name}",))
