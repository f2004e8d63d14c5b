"""From a study to jobs of a cluster's queue: a driver with its scheduler, and workers that may come and go."""

from benchmark.cluster.queue import submit
from benchmark.cluster.scripts import Asked, Scripts, write

__all__ = ["Asked", "Scripts", "submit", "write"]
