"""Strata against the real services of a cluster, all on loopback: SLURM, PostgreSQL, an MLflow server.

Run by `make test-cluster`, which installs what is missing. Nothing here is skipped: what is not there is a failure.
"""
