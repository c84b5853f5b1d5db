"""classifier=sklearn: an estimator or pipeline in a file of skops, of types that skops trusts. Nothing is ever unpickled."""

import zipfile
from typing import Any

import skops.io

from fooling.classifiers.adapters.files import advice, digest_of_files, model_file
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.python import estimator_as_model
from fooling.data.npz import archive_of, check_total
from fooling.errors import UserError
from fooling.settings.classifiers import SklearnSettings
from fooling.settings.fields import described

OTHER_WAYS = "export it to ONNX (skl2onnx, zipmap=False) for classifier=onnx, or give the object in Python"


def open_sklearn(settings: SklearnSettings, threads: int) -> Model:
    """The estimator in a file: its probabilities, or its decision function, or else its labels. Raises UserError."""
    del threads
    hint = "expected a scikit-learn model saved by skops.io.dump (.skops)"
    path, where = model_file(settings.path, "sklearn", hint)
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"{where}: {hint}; got another kind of file, or a damaged one (a pickle is never opened){advice(path, 'sklearn')}"
        )
    try:
        with archive_of(path) as archive:
            check_total(path, archive, "model")
        untrusted = skops.io.get_untrusted_types(file=path)
        if untrusted:
            types = f"holds types that skops does not trust: {', '.join(untrusted[:5])}"
            raise UserError(f"{where}: {types}; {OTHER_WAYS}")
        model: Any = skops.io.load(path, trusted=[])
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where}: {hint}; it cannot be read ({described(error)}){advice(path, 'sklearn')}") from error
    return estimator_as_model(model, where, digest=digest_of_files([path]))
