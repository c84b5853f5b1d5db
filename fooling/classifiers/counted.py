"""A classifier that counts: what an examination and a valuation cost, beside what the search counts itself."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fooling.classifiers.base import Classifier

Bytes = npt.NDArray[np.uint8]


class Counted:
    """A classifier that counts the images that it is shown; all else is the classifier's own."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier, self.evaluations = classifier, 0

    def __call__(self, images: Bytes) -> Any:
        """Scores float32 [N, K] of images uint8 [N, H, W, C]."""
        self.evaluations += len(images)
        return self.classifier(images)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.classifier, name)
        return self.counting(found) if name == "logits" else found

    def counting(self, logits: Any) -> Any:
        """`logits` of the classifier, which sees the images too."""

        def counted(images: Bytes) -> Any:
            self.evaluations += len(images)
            return logits(images)

        return counted
