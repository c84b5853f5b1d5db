"""How the images of a job compare with the test images of the class that they are to resemble."""

from typing import Any

from fooling.classifiers.detection import MAX_IMAGES, of_class, plausibility, summary
from fooling.data import load_data
from fooling.errors import UserError
from fooling.kernels.tables import Bytes
from fooling.search.job import Job
from fooling.settings.schema import data_options


def compare_with_real(job: Job, images: Bytes) -> tuple[dict[str, Any], str]:
    """The key `plausibility` of run.json where data are given, or a note why there is none.

    Against the test images of the class of the term targets; at most MAX_IMAGES on either side, which takes little time.
    """
    settings = job.read or job.settings
    data = settings.data
    if not data.given:
        return {}, ""
    classifier = job.objective.classifier
    try:
        digit = job.prior_digit
        options = data_options(settings) | {"shape": tuple(map(int, job.fitted.shape)), "labels": classifier.labels}
        real = of_class(load_data(data.path, data.kind, "test", **options), digit)
        rows = plausibility(images[:MAX_IMAGES], real[:MAX_IMAGES], job.fitted, digit, classifier)
    except UserError as error:  # of the data: the job is done
        return {"plausibility": None}, f"run.json has no plausibility: {str(error).removeprefix('plausibility: ')}"
    return {"plausibility": summary(rows)}, ""
