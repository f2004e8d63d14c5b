"""Whether a lever changes what a study finds: `python -m tests.precision FOLDER WITH [--margin 0.02]`.

Two sweeps of one study, the second with another arithmetic, say. By arm: the mean difference in test skill of the same
seeds, its 90 % interval (paired t), and whether that lies within the margin (two one-sided tests at 0.05); and how many
arms chose another setting. Then both verdicts, task by task.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from scipy import stats

from benchmark import evidence
from benchmark.analysis.skill import joined
from benchmark.terminal import plain_table, print_plain

ARM = ["task", "budget", "match", "variant", "depth"]


def interval(differences: np.ndarray) -> tuple[float, float]:
    """The 90 % interval of a mean; of no spread at all it is the mean."""
    mean, error = differences.mean(), stats.sem(differences)
    if error == 0:
        return float(mean), float(mean)
    low, high = stats.t.interval(0.9, len(differences) - 1, loc=mean, scale=error)
    return float(low), float(high)


def confirmed(folder: Path) -> pd.DataFrame:
    """Confirmed trainings of depth and seed, with their scores and settings."""
    tables = evidence.read(folder)
    rows = joined(tables, range(10**6), 10.0)
    return rows[(rows["phase"] == "confirm") & (rows["replica"] == "")].set_index([*ARM, "seed"])


def compared(without: Path, with_it: Path) -> pd.DataFrame:
    """A row an arm: seeds, difference, its interval's ends, whether the setting is another."""
    before, after = confirmed(without), confirmed(with_it)
    both = before[["score", "point"]].join(after[["score", "point"]], rsuffix="_with", how="inner").reset_index()
    rows = []
    for arm, runs in both.groupby(ARM, sort=True):
        differences = (runs["score_with"] - runs["score"]).to_numpy(dtype=float)
        low, high = interval(differences)
        other = bool((runs["point"] != runs["point_with"]).any())
        rows.append([*arm, len(runs), float(differences.mean()), low, high, other])
    return pd.DataFrame(rows, columns=[*ARM, "seeds", "difference", "low", "high", "other"])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("without", type=Path)
    parser.add_argument("with_it", type=Path)
    parser.add_argument("--margin", type=float, default=0.02)
    asked = parser.parse_args()
    console, found = Console(), compared(asked.without, asked.with_it)
    table = plain_table("task", "layers", "seeds", "difference in skill", "within the margin", "setting")
    for row in found.itertuples():
        within = "yes" if -asked.margin < row.low and row.high < asked.margin else "not shown"
        told = f"{row.difference:+.4f} ({row.low:+.4f} to {row.high:+.4f})"
        table.add_row(row.task, str(row.depth), str(row.seeds), told, within, "another" if row.other else "the same")
    print_plain(table, console)
    verdicts = [json.loads((folder / "verdict.json").read_text()) for folder in (asked.without, asked.with_it)]
    for before, after in zip(*(one["contrasts"] for one in verdicts), strict=True):
        console.print(f"{before['task']}: {before['verdict']}, with it {after['verdict']}")


if __name__ == "__main__":
    main()
