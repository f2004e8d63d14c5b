"""Whether a depth diverges more often, against statsmodels."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from statsmodels.stats.contingency_tables import mcnemar  # type: ignore[import-untyped]

from benchmark.analysis.analyse import analyse
from benchmark.analysis.reliability import success_p
from tests.analysis.fabricate import fabricate

STATUS = some.sampled_from(["done", "diverged"])


def confirmed(one: list[str], two: list[str]) -> pd.DataFrame:
    """Confirmed runs of depths 1 and 2, seed by seed; rows of other arms must not matter."""
    rows = [(1, "", seed, status) for seed, status in enumerate(one)]
    rows += [(2, "", seed, status) for seed, status in enumerate(two)]
    rows += [(1, "aa", seed, "diverged") for seed in range(len(one))]
    return pd.DataFrame(rows, columns=["depth", "replica", "seed", "status"])


@given(some.lists(some.tuples(STATUS, STATUS), min_size=1, max_size=25), some.randoms())
def test_the_exact_test_of_mcnemar(pairs: list[tuple[str, str]], random: object) -> None:
    one, two = ([pair[at] for pair in pairs] for at in (0, 1))
    table = pd.crosstab(pd.Categorical(one, ["done", "diverged"]), pd.Categorical(two, ["done", "diverged"]))
    table = table.reindex(index=["done", "diverged"], columns=["done", "diverged"], fill_value=0)
    expected = mcnemar(table.to_numpy(), exact=True).pvalue
    rows = confirmed(one, two)
    assert success_p(rows, (2, "")) == pytest.approx(expected)
    assert success_p(rows.iloc[::-1], (2, "")) == success_p(rows, (2, "")), "the order of rows does not matter"


def test_a_seed_that_one_of_the_two_lacks_tells_nothing() -> None:
    rows = confirmed(["done"] * 6, ["diverged"] * 6)
    assert success_p(rows, (2, "")) == pytest.approx(2 / 2**6)
    kept = rows[(rows["depth"] == 2) | (rows["seed"] < 4)]
    assert success_p(kept, (2, "")) == pytest.approx(2 / 2**4)
    assert success_p(rows, (4, "")) == 1.0


def test_divergence_is_judged_beside_the_score_over_the_whole_family() -> None:
    """Ten of ten against none is p = 2 / 2^10; Holm counts every pair of the two primary contrasts."""
    found = analyse(fabricate(diverged=[("formants", 4, "", seed) for seed in range(10)]))
    contrast = next(one for one in found.contrasts if one.task == "formants")
    pairs = sum(len(one.pairs) for one in found.contrasts if one.role in ("natural", "dial"))
    assert [pair.p_success for pair in contrast.pairs] == pytest.approx([1.0, 2 / 2**10])
    assert contrast.pairs[1].p_success_adjusted == pytest.approx(pairs * 2 / 2**10)
    said = [note for note in found.notes if "a difference in reliability" in note]
    assert len(said) == 1 and said[0].startswith("formants: depth 4 comes to its end on 0 seeds and depth 1 on 10")


def test_one_training_that_diverged_is_no_difference_in_reliability() -> None:
    found = analyse(fabricate(diverged=[("formants", 4, "", 0)]))
    assert not any("a difference in reliability" in note for note in found.notes)
