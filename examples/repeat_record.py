"""Repeats a job from the config.yaml of its record: the images are equal, bit for bit."""

from pathlib import Path

import fooling

fooling.evolve(digit=7, runs=4, generations=50, seed=1, out="runs/first", overwrite=True)
fooling.evolve("runs/first/config.yaml", out="runs/repeated", overwrite=True)

for image in sorted(Path("runs/first/images").iterdir()):
    same = image.read_bytes() == Path("runs/repeated/images", image.name).read_bytes()
    print(f"{image.name}: {'equal' if same else 'different'}")
