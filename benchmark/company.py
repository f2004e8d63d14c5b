"""How many trainings of one arm are stepped side by side."""

POPULATION = 5
"""Most trainings of one job: with more, what a step keeps for its way back leaves a core's caches."""
