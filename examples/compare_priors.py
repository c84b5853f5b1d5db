"""Compares two priors: the same target and confidence, but do held-out networks read the images, too?

The control is the same job with the classifier's weight set to 0: what the prior alone produces.
"""

import fooling

JUDGES = ("mnist_cnn", "mnist_cnn2")  # held-out classifiers

for prior in ("variogram", "regional"):
    for control in (False, True):
        job = {"digit": 2, "prior": prior, "control": control, "judges": JUDGES, "runs": 10, "generations": 100}
        result = fooling.evolve(**job)
        read = [float((scores.argmax(axis=1) == 2).mean()) for scores in result.judges.values()]
        name = f"{prior}, {'control' if control else 'with the classifier'}"
        held_out = ", ".join(f"{judge} {share:.0%}" for judge, share in zip(JUDGES, read, strict=True))
        print(f"{name:<31}confidence {sorted(result.confidences)[5]:.4f}, read as a two by {held_out}")
