"""search=ga, the genetic algorithm: one file for each engine that computes it."""
