"""Evolves ten threes that anyone can read, and saves a record with a contact sheet of them."""

import fooling

result = fooling.evolve(digit=3, prior="eigen", runs=10, generations=100, out="runs/ten-threes", overwrite=True)

for i, (confidence, runner_up) in enumerate(zip(result.confidences, result.runner_up, strict=True)):
    print(f"images/{i:04}.png: three with {confidence:.5f}, runner-up {runner_up}")
print(f"{result.folder}/contact_sheet.png")
