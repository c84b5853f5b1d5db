"""Fits the statistics of a data set with `fooling stats`, and evolves images that share them."""

import subprocess

import numpy as np

import fooling

# data.kind=sklearn: scikit-learn's 8×8 digits. Yours: data.path=FOLDER, with one folder of image files per class
subprocess.run(["fooling", "stats", "data.kind=sklearn", "out=digits.npz", "overwrite=true"], check=True)

JOB = {"digit": 4, "classifier": "digits_perceptron", "statistics": "digits.npz", "runs": 5, "generations": 100}
for prior in ("none", "variogram"):
    result = fooling.evolve(prior=prior, **JOB)
    confidence, term = np.median(result.confidences), np.median(result.terms["variogram"])
    print(f"prior={prior}: confidence {confidence:.4f}, distance from the variogram of a real four {term:.4f}")
