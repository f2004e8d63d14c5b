"""How many layers of how many cells for a problem like this: what published verdicts say, and whether they know."""
