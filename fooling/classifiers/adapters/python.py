"""classifier=python: a callable that the user's function returns."""

from typing import Any

from fooling.classifiers.adapters.adapter import Model
from fooling.errors import UserError
from fooling.settings.fields import call_named, fingerprint, foreign_code
from fooling.settings.schema import PythonSettings

WHAT = "a function without arguments that returns a callable: float32 [N, …] → scores [N, classes]"


def open_python(settings: PythonSettings, threads: int) -> Model:
    """The callable that module:function returns. Raises UserError, also for any exception that the callable raises."""
    del threads
    name = settings.path or ""
    where = f"classifier.path={name}"
    scorer = call_named("classifier.path", name, WHAT)
    if not callable(scorer):
        raise UserError(f"{where}: expected {WHAT}, it returned {type(scorer).__name__}")

    def predict(inputs: Any) -> Any:
        with foreign_code(f"{where}: raised on inputs {inputs.dtype} {list(inputs.shape)}: "):
            return scorer(inputs)

    note = f"classifier: runs the code of {name}; its fingerprint is that of this module's source alone"
    return Model(predict, where, fingerprint(name), "NHWC", notes=(note,))
