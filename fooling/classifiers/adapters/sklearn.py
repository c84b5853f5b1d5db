"""classifier=sklearn: an estimator or pipeline in a file of skops, of types that skops trusts. Nothing is ever unpickled."""

import hashlib
import zipfile
from typing import Any

import numpy as np
import skops.io

from fooling.classifiers.adapters.adapter import Model
from fooling.classifiers.adapters.conversion import Output
from fooling.data.npz import archive_of, check_total
from fooling.errors import UserError
from fooling.settings.fields import described, foreign_code, user_path
from fooling.settings.schema import SklearnSettings

METHODS: tuple[tuple[str, Output], ...] = (
    ("predict_proba", "probability"),
    ("decision_function", "logit"),
    ("predict", "label"),
)


def open_sklearn(settings: SklearnSettings, threads: int) -> Model:
    """The estimator in a file: its probabilities, or its decision function, or else its labels. Raises UserError."""
    del threads
    path = user_path(settings.path or "")
    where = f"classifier.path={path}"
    hint = "expected a scikit-learn model saved by skops.io.dump (.skops)"
    if not path.is_file():
        raise UserError(f"{where}: no such file; {hint}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{where}: {hint}; got another kind of file, or a damaged one (a pickle is never opened)")
    try:
        with archive_of(path) as archive:
            check_total(path, archive, "model")
        untrusted = skops.io.get_untrusted_types(file=path)
        if untrusted:
            raise UserError(
                f"{where}: holds types that skops does not trust: {', '.join(untrusted[:5])}; expected scikit-learn's own"
            )
        model: Any = skops.io.load(path, trusted=[])
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where}: {hint}; it cannot be read ({described(error)})") from error
    method, output = next(((name, kind) for name, kind in METHODS if hasattr(model, name)), ("", None))
    if not method:
        raise UserError(
            f"{where}: expected a classifier with predict_proba, decision_function or predict, got {type(model).__name__}"
        )

    def predict(inputs: Any) -> Any:
        with foreign_code(f"{where}: {method} of {list(inputs.shape)} raised "):
            return getattr(model, method)(inputs)

    dims = (int(model.n_features_in_),) if hasattr(model, "n_features_in_") else None
    labels = tuple(str(label) for label in model.classes_) if hasattr(model, "classes_") else None
    fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    return Model(predict, where, fingerprint, "flat", dims, None, np.float64, output=output, labels=labels)
