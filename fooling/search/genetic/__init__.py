"""search=ga, the genetic algorithm: its parameters, and one file for each engine that computes it."""
