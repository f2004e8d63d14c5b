"""Does a depth diverge more often? Asked beside the score, of the same seeds (PROTOCOL 8): never instead of it."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from benchmark.analysis.skill import SUCCESS


def success_p(confirm: pd.DataFrame, arm: tuple[int, str]) -> float:
    """Two-sided p of "an arm, (depth, replica), diverges as often as depth 1", by McNemar's exact test.

    Only seeds on which one of the two diverged and the other did not tell anything: each is as likely to be either's
    when there is no difference (McNemar 1947; exact as a binomial of the smaller count). 1 where there are none.
    """
    mine, one = _diverged(confirm, *arm), _diverged(confirm, 1, "")
    both = [(mine[seed], one[seed]) for seed in sorted(mine.keys() & one.keys())]
    only_mine, only_one = both.count((True, False)), both.count((False, True))
    if not only_mine + only_one:
        return 1.0
    return float(stats.binomtest(only_mine, only_mine + only_one, 0.5).pvalue)


def _diverged(confirm: pd.DataFrame, depth: int, replica: str) -> dict[int, bool]:
    """Of every scored seed of an arm, whether it diverged."""
    of_arm = (confirm["depth"] == depth) & (confirm["replica"] == replica)
    seeds, diverged = confirm["seed"].to_numpy()[of_arm], (confirm["status"] != SUCCESS).to_numpy()[of_arm]
    return dict(zip(seeds.tolist(), diverged.tolist(), strict=True))
