"""The claims: what is said, where, and the rule that decides, written down before the data (PROTOCOL 20).

A rule reads the findings of the studies that count and nothing else. Its words here and its function change together,
and only with a reason in the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.analysis.claims import by_score, costs, gaps, growth, halflives, seasons
from benchmark.analysis.claims.claim import Ruling
from benchmark.analysis.findings import Findings

NATURAL = (
    "Natural tasks only, in at least two families with at least two decided tasks each, settings of one task counting "
    "once, and more than half of their tasks decided. Supported: all decided tasks for it. Contradicted: all against. "
    "Depends: some for and some against, and Cochran's Q over their differences is significant."
)
FAMILIES = "configs/full.yaml with a second task of each family (say formants_ctc and market)"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim with its rule."""

    id: str
    statement: str
    said: str
    rule: str
    needs: str
    settle: str
    """The study that would settle it: a configuration that comes with Strata, and what it would have to add."""
    rules: Callable[[Sequence[Findings]], Ruling]


TABLE: list[Row] = [
    Row(
        id="depth-over-width",
        statement="Depth matters more than the number of cells in a layer.",
        said="Graves, Mohamed and Hinton 2013, of speech (TIMIT): depth is more important than layer size.",
        rule="A task is for it where some depth is better than one layer at equal parameters and at equal total state, "
        f"against it where none is at either. {NATURAL} Where natural tasks decide nothing, a significant interaction "
        "of depth with the known depth of a task, at both matches, makes it depend on that.",
        needs="Contrasts at equal parameters and at equal total state, or the mixed model at both.",
        settle=f"a study of several families at equal parameters and equal state: {FAMILIES}",
        rules=by_score.depth_over_width,
    ),
    Row(
        id="two-layers-suffice",
        statement="Two layers are usually enough; a third adds little.",
        said="Common advice; so read the tables of Karpathy, Johnson and Li 2015 (gain from one to two layers, little "
        "from two to three).",
        rule="Every depth beyond two is judged against two layers as the verdict judges it against one. A task is for "
        "it where all are equivalent or worse at equal parameters and at equal state, against it where one is better "
        f"at both. {NATURAL}",
        needs="Depths 1, 2 and at least one more, at equal parameters and at equal total state.",
        settle=f"a study of depths 1, 2, 3 and 4 at equal parameters and equal state: {FAMILIES}",
        rules=by_score.two_layers_suffice,
    ),
    Row(
        id="one-layer-for-simple",
        statement="On simple sequential tasks one layer is enough.",
        said="Common advice; Merrill 2024 and Grazzi 2024 say which sequences linear layers fail and one nonlinear "
        "recurrent layer does (parity, permutations).",
        rule="Simple is a generator of known depth 1 that is no control. A task is for it where no depth is better "
        "than one layer at equal parameters or at equal state, against it where one is at both. At least two "
        "generators with two decided settings each; then as for natural tasks.",
        needs="Dials of known depth 1, at equal parameters and at equal total state.",
        settle="configs/phase.yaml as a study (purpose: study) at equal parameters and equal state, with two settings "
        "each of stacked_teacher (layers: 1) and parity (iterations: 1) that are not too easy",
        rules=by_score.one_layer_for_simple,
    ),
    Row(
        id="deeper-overfits",
        statement="Each added layer widens the gap between train and test; regularisation closes it.",
        said="Common advice; Graves 2013 reports 1.42 bits per character on train and 1.67 on "
        "validation with 7 layers.",
        rule="Of the gap (test loss minus train loss, on the score's scale) against one layer's on the same seeds, at "
        "equal parameters. First part: for where every deeper depth's is wider by a margin with its interval off "
        "zero, against where none is; trainings without dropout and weight decay. Second part: with them, for where "
        f"none is wider by a margin, against where one is. Each part: {NATURAL} Both must hold; one contradicted "
        "contradicts the claim.",
        needs="Train and test losses of confirmed trainings, in a study without regularisation and in one whose tuned "
        "settings have some.",
        settle=f"two studies that differ in whether dropout is tuned (tuning.dropout): {FAMILIES}",
        rules=gaps.deeper_overfits,
    ),
    Row(
        id="layer-timescales",
        statement="Each layer works at its own timescale, and upper layers are slower.",
        said="Hermans and Schrauwen 2013, of stacked RNNs on Wikipedia's characters.",
        rule="One input is changed, and the half-life of its trace taken in every layer, trained against the same "
        "network untrained, with seeds as units. A task is for it where training slowed the highest layer against the "
        f"lowest at some depth (sign flips, p adjusted), against it where it made it faster. {NATURAL}",
        needs="Half-lives by layer of confirmed networks: `strata timescales`.",
        settle=f"`strata timescales` on a study of several families: {FAMILIES}",
        rules=halflives.layer_timescales,
    ),
    Row(
        id="deep-is-efficient",
        statement="For the same error, a deeper stack needs fewer cells and trains faster.",
        said="Lizaire et al. 2026, of memory per parameter; against it, Graves, Mohamed and Hinton 2013 trained three "
        "layers for more epochs than one of the same size.",
        rule="Scores at equal total cells, and at equal seconds, read between tuned budgets at three places of the "
        "shared range. A task is for it where some depth is above one layer by a margin at all of them with its "
        f"interval off zero, against it where none can be above by a margin at any. Each part: {NATURAL} Both parts "
        "must hold. Seconds are those of an idle timing run only.",
        needs="At least three tuned budgets per depth, and seconds of an idle, interleaved timing run.",
        settle=f"three budgets and a timing run on an idle machine: {FAMILIES}",
        rules=costs.deep_is_efficient,
    ),
    Row(
        id="exponentially-efficient",
        statement="On some functions the width that a shallow stack needs grows exponentially.",
        said="Levine et al. 2017, a proof for recurrent arithmetic circuits.",
        rule="The width that one layer needs to score what k layers score on a task of known depth k, over one "
        "layer's of that size, for at least three known depths from 2 on. A generator is for it where the width "
        "rises by more than in proportion to k and faster than any power of k, against it where it rises by less "
        "than in proportion. Supported by one generator, contradicted by two and all; budgets that cross make it "
        "depend on the budget.",
        needs="Exchange rates (three tuned budgets) of networks of 2, 3 and 4 layers on one generator of as many "
        "known depths. Start-end similarity, the proof's own task, has no known depth and is not read.",
        settle="configs/phase.yaml as a study (purpose: study) of depths 1, 2, 3 and 4 at three budgets or more, with "
        "teachers of 2, 3 and 4 layers, none of them a control",
        rules=growth.exponentially_efficient,
    ),
    Row(
        id="seasonality-needs-depth",
        statement="On financial series one layer follows the trend but misses seasonal and irregular structure.",
        said="Common advice on forecasting with LSTMs; no controlled comparison of it is known to us.",
        rule="Financial tasks whose season is a switch. A task is for it where, with the season, some depth is better "
        "than one layer at equal parameters and at equal state, and by a margin more than without the season; against "
        "it where with the season no depth is better at either. At least two decided tasks; then as for natural tasks. "
        "A real series has no switch and is not read.",
        needs="A financial task with its season on and off, at equal parameters and at equal total state.",
        settle="configs/finance.yaml as a study (purpose: study) at equal parameters and equal state, with the market "
        "at 4 components and at 1, each with yearly and intraday on and off",
        rules=seasons.seasonality_needs_depth,
    ),
    Row(
        id="deeper-costs-more",
        statement="Each layer costs time, memory and tuning effort.",
        said="Common advice; GNMT (Wu et al. 2016) found plain stacks fine to 4 layers, barely to 6 and very poor "
        "beyond 8.",
        rule="At equal parameters, against one layer: seconds of a training and total state higher by 5 % or more, "
        "and what tuning still gains from half the points to all of them higher by a margin. A task is for a part "
        "where all deeper depths are, against it where none is. Each part over natural tasks and dials, in at least "
        "two families or generators with two decided tasks each. All parts must hold; one contradicted contradicts "
        "it. Costs that go by budget (Alexander and Govern's test) make it depend on the budget. Seconds are those "
        "of an idle timing run only.",
        needs="State of the arms, tuning trainings, and seconds of an idle, interleaved timing run.",
        settle=f"a study with a timing run on an idle machine: {FAMILIES}",
        rules=costs.deeper_costs_more,
    ),
    Row(
        id="deeper-generalises",
        statement="Stacking improves generalisation.",
        said="Common advice; against it, Shu and Miura 2016 saw plain stacking of a decoder degrade, and Cahuantzi et "
        "al. saw depth not help memorisation.",
        rule="Generalisation is the gap between train and test, as in deeper-overfits; a better score alone is "
        "depth-over-width. A task is for it where some depth's gap is narrower than one layer's by a margin, with its "
        "interval off zero, and its test score equivalent or better; against it where no depth's is narrower by a "
        f"margin. {NATURAL}",
        needs="Train and test losses of confirmed trainings at equal parameters.",
        settle=f"a study of several families with its training losses: {FAMILIES}",
        rules=gaps.deeper_generalises,
    ),
]
