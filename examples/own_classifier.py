"""Attacks a model of scikit-learn, as a Python object with the interface of `fooling.Classifier`."""

import hashlib

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fooling


class Digits:
    """Logistic regression on scikit-learn's 8×8 digits, scaled to [0, 1]."""

    input_shape, num_classes = (8, 8, 1), 10
    labels = tuple(str(digit) for digit in range(10))

    def __init__(self) -> None:
        digits = load_digits()
        self.model = LogisticRegression(max_iter=1000).fit(digits.data / 16, digits.target)
        self.fingerprint = hashlib.sha256(self.model.coef_.tobytes()).hexdigest()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Scores float32 [N, 10] of images uint8 [N, 8, 8, 1]."""
        return self.model.predict_proba(images.reshape(len(images), 64) / 255).astype(np.float32)


result = fooling.evolve(classifier=Digits(), digit=5, prior="none", runs=5)
print("confidences:", result.confidences)
print("evaluations until 0.99:", result.evaluations_to[:, 1])
print(result.images[0, :, :, 0])
