"""Was the comparison fair? Named checks that the evidence answers by itself (PROTOCOL 1, 3, 4, 5 and 6).

They look at what was recorded and not at the code that recorded it, so they hold for evidence from anywhere; what a
table does not show is said, and is no failure. `benchmark.engine_checks` asks the running code, under the same names,
for what no table shows. EVIDENCE.md lists every check with the fault that it catches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmark.analysis.equal_size import TOLERANCE, spread
from benchmark.analysis.family import Declared
from benchmark.analysis.findings import Check
from benchmark.analysis.replicas import TUNED
from benchmark.analysis.uses import TUNING, Use, contrasts, grouped, trained_here, uses
from benchmark.evidence import Evidence

EFFORT, DATA, REGULARISATION = "equal tuning effort", "equal data and order", "equal regularisation"
TEST, SIZE = "test read once", "equal size"
NAMES = (EFFORT, DATA, REGULARISATION, TEST, SIZE)

SIZES = {"parameters": "parameters", "state": "state_size", "flops": "flops"}
"""What a `match` holds equal, and its column."""

_DIFFER = {"parameters": "parameters differ", "state": "total state differs", "flops": "FLOPs differ"}
_PAIRED = {"data_seed": "data seeds", "fold": "test folds", "data_hash": "data", "order_hash": "batches"}
_RATES, _RULES = ("dropout", "weight_decay"), ("dropout", "weight_decay", "clip_norm")


class _Found(NamedTuple):
    faults: list[str]
    untold: str
    """'' or what the evidence does not show."""
    words: str
    """What a check says that found neither."""


def checks(declared: Sequence[Declared], evidence: Evidence) -> list[Check]:
    """Every check of `NAMES` over the arms of the contrasts declared; the order of rows does not matter."""
    found = uses(declared, evidence)
    if not found:
        return [Check(name, None, "no trainings") for name in NAMES]
    tuned = _tuned(found)
    said = (
        _effort([use for use in found if use.replica != TUNED], tuned),
        _data([use for use in found if use.status == "done" and not use.superseded]),
        _regularisation(found, tuned),
        _test(found),
        _size(found),
    )
    return [_check(name, one) for name, one in zip(NAMES, said, strict=True)]


def unfair(found: Sequence[Check]) -> str:
    """'' or the checks that failed, in one line without a full stop."""
    failed = [f"{check.name}: {check.words}" for check in found if check.passed is False]
    return f"the comparison is not fair: {'; '.join(failed)}" if failed else ""


def line(found: Sequence[Check]) -> str:
    """What held and what the evidence does not show, in one line without a full stop; '' where nothing was checked."""
    passed = [check.name for check in found if check.passed]
    untold = [f"{check.name} ({check.words})" for check in found if check.passed is None]
    said = [f"{', '.join(passed)} passed"] if passed else []
    said += [f"not shown by this evidence: {', '.join(untold)}"] if untold else []
    return f"checks of fairness: {'; '.join(said)}" if said else ""


def _check(name: str, found: _Found) -> Check:
    if found.faults:
        also = f"; and {len(found.faults) - 1} more of this kind" if len(found.faults) > 1 else ""
        return Check(name, False, found.faults[0] + also)
    return Check(name, None, found.untold) if found.untold else Check(name, True, found.words)


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else "".join(items)


def _tuned(found: Iterable[Use]) -> set[str]:
    """The learning rate, and what else differs between the tuning points of any arm: the settings that are searched."""
    tuned = {"learning_rate"}
    for _, mine in grouped((use for use in found if use.phase == "tune"), lambda use: (use.place, use.arm)):
        values: dict[str, set[Any]] = {}
        for use in mine:
            for setting, value in use.hyperparameters.items():
                values.setdefault(setting, set()).add(value)
        tuned |= {setting for setting, several in values.items() if len(several) > 1}
    return tuned


class _Effort(NamedTuple):
    points: frozenset[Any]
    """(point, settings) of every tuning point asked."""
    tried: list[int]
    """Trainings of each phase of tuning."""


def _effort(found: Iterable[Use], tuned: set[str]) -> _Found:
    """Every arm is asked the same points at the same settings and gets as many second tries (PROTOCOL 5).

    A superseded use was asked all the same, so its point counts. Tries are counted in use: points beyond an edge
    replace second tries of one arm and not of another.
    """
    faults, untuned, compared = [], [], 0
    for place, arms in contrasts(found):
        efforts = {}
        for arm, mine in arms.items():
            points = {
                (use.point, *(use.hyperparameters.get(setting) for setting in sorted(tuned)))
                for use in mine
                if use.phase == "tune"
            }
            phases = [use.phase for use in mine if not use.superseded]
            efforts[arm] = _Effort(frozenset(points), [phases.count(phase) for phase in TUNING])
        (first, wanted), *others = efforts.items()
        faults += [f"{place}: {said}" for arm, effort in others if (said := _unequal(arm, effort, first, wanted))]
        untuned += [] if any(effort.points for effort in efforts.values()) else [place]
        compared += 1
    untold = f"no tuning trainings of {listed(untuned)}" if len(untuned) < compared else "no tuning trainings"
    said = "every arm of a contrast was asked the same points and got as many second tries"
    return _Found(faults, untold if untuned else "", said)


def _unequal(arm: str, effort: _Effort, first: str, wanted: _Effort) -> str:
    if len(effort.points) != len(wanted.points):
        return f"{arm} was asked {len(effort.points)} tuning points, {first} was asked {len(wanted.points)}"
    if effort.points != wanted.points:
        return f"{arm} was asked other settings than {first} at {len(effort.points - wanted.points)} tuning points"
    kinds = ("tuning trainings", "second tries")
    for kind, its, other in zip(kinds, effort.tried, wanted.tried, strict=True):
        if its != other:
            return f"{arm} got {its} {kind}, {first} got {other}"
    return ""


def _data(done: list[Use]) -> _Found:
    """On one seed every arm receives the same data in the same order (PROTOCOL 4)."""
    faults = []
    for place, arms in contrasts(done):
        # Tuning seeds may be numbered anew for every point.
        paired = grouped(
            (use for mine in arms.values() for use in mine),
            lambda use: (use.phase, use.seed, use.point if use.tunes else None),
        )
        differ = [(phase, seed, what) for (phase, seed, _), several in paired if (what := _differs(several))]
        if differ:
            phase, seed, what = differ[0]
            also = f" ({len(differ)} such seeds in all)" if len(differ) > 1 else ""
            faults.append(f"{place}: in phase {phase} the arms of seed {seed} got different {what}{also}")
    tested = [use for use in done if use.phase == "confirm"]
    lacking = [name for name in ("data_hash", "order_hash") if not all(getattr(use, name) for use in tested)]
    untold = f"no {listed(lacking)} of confirmed trainings" if lacking else "" if tested else "no confirmed trainings"
    return _Found(faults, untold, "on every seed all arms of a contrast received the same batches in the same order")


def _differs(several: Iterable[Use]) -> str:
    """'' or the first thing in which trainings on one seed differ, of those that were recorded."""
    for column, words in _PAIRED.items():
        if len({getattr(use, column) for use in several} - {None}) > 1:
            return words
    return ""


def _regularisation(found: Iterable[Use], tuned: set[str]) -> _Found:
    """What is not searched follows one rule over depths, and a rate that is not searched is 0 (PROTOCOL 3)."""
    faults, lacking = [], dict[str, None]()
    for place, arms in contrasts(found):
        every = [use for mine in arms.values() for use in mine]
        lacking |= dict.fromkeys(rule for rule in _RULES if not all(rule in use.hyperparameters for use in every))
        for setting in sorted({setting for use in every for setting in use.hyperparameters} - tuned):
            values = _values(every, setting)
            if len(values) > 1:
                said = [f"{listed(its)} at {arm}" for arm, mine in arms.items() if (its := _values(mine, setting))]
                faults.append(f"{place}: {setting} is {listed(said)}")
            elif setting in _RATES and values != ["0"]:
                faults += [f"{place}: {setting} is fixed at {values[0]}, where it must be 0 or tuned for every depth"]
    untold = f"{listed(list(lacking))} not recorded" if lacking else ""
    return _Found(faults, untold, "whatever was not tuned follows one rule for every depth")


def _values(several: Iterable[Use], setting: str) -> list[str]:
    """As a person reads them: 0 and 0.0 are one value."""
    values = {use.hyperparameters[setting] for use in several if setting in use.hyperparameters}
    return sorted({value if isinstance(value, str) else f"{value:.12g}" for value in values})


def _test(found: Iterable[Use]) -> _Found:
    """No tuning training read the test split, and none of its seeds is used again to confirm (PROTOCOL 6)."""
    faults, untold = [], "" if any(use.tunes for use in found) else "no tuning trainings"
    for task, mine in grouped(found, lambda use: use.task):
        if read := len({use.key for use in mine if use.tunes and use.test_loss is not None}):
            faults.append(f"{task}: {read} tuning trainings have a test loss")
        # Fixed data are the same for every data seed: there only both seeds together tell two trainings apart.
        drawn = all(use.replicates == "seeds" for use in mine)
        seeds = [(use.tunes, (use.data_seed, 0 if drawn else use.init_seed)) for use in mine]
        if any(None in its for _, its in seeds):
            untold = untold or "no seeds of some trainings"
        tuned, tested = ({its for tunes, its in seeds if tunes is wanted} for wanted in (True, False))
        if again := {its for its in tuned & tested if None not in its}:
            faults.append(f"{task}: {len(again)} seeds of tuning are used again to confirm")
    return _Found(faults, untold, "no tuning training has a test loss, and no seed of tuning is used to confirm")


def _size(found: Iterable[Use]) -> _Found:
    """Arms of a contrast are of one size, and counted as depth and width give it (PROTOCOL 1)."""
    faults, unsized, compared, follow = [], [], 0, []
    for place, arms in contrasts(found):
        match = next(iter(arms.values()))[0].match
        sizes = {arm: {size for use in mine if (size := getattr(use, SIZES[match]))} for arm, mine in arms.items()}
        faults += [f"{place}: trainings of {arm} have different sizes" for arm, its in sizes.items() if len(its) > 1]
        counts = [size for its in sizes.values() for size in its]
        if counts and (apart := spread(counts)) > TOLERANCE:
            said = f"{_DIFFER[match]} by {apart:.1%} between {min(counts):,} and {max(counts):,}"
            faults.append(f"{place}: {said}, more than {TOLERANCE:.0%}")
        unsized += [] if all(sizes.values()) else [place]
        compared += 1
    # Only of its own networks does Strata know how they are counted.
    ours = [use for use in found if use.variant == "plain" and trained_here(use.versions)]
    for task, mine in grouped(ours, lambda use: use.task):
        cells = sorted({(use.depth, use.width, use.parameters) for use in mine if use.width and use.parameters})
        if not cells:
            continue
        follow.append(stacked(cells))
        if follow[-1] is False:
            said = ", ".join(f"{depth} x {width}: {parameters:,}" for depth, width, parameters in cells)
            faults.append(f"{task}: no stacks of LSTM layers with a readout have the parameters recorded ({said})")
    untold = f"no sizes of {listed(unsized)}" if len(unsized) < compared else "no sizes"
    counted = "; their parameters are those that depth and width give" if any(follow) else ""
    return _Found(faults, untold if unsized else "", f"arms of a contrast differ by at most {TOLERANCE:.0%}{counted}")


def stacked(cells: Sequence[tuple[int, int, int]]) -> bool | None:
    """Whether (depth, width, parameters) are those of plain stacks on one task; None where one width tells nothing.

    With one bias per layer, `i` inputs and `o` outputs a stack has 4w(i + w + 1) + (d - 1) 4w(2w + 1) + o(w + 1)
    parameters, and a table of `vocabulary` times `i` where it looks tokens up. Neither `i` nor `o` is in the evidence,
    but what they add is a straight line in the width: its slope is 4i + o, and at width 0 it is o, or o and the table.
    """
    known = {(w, parameters - 4 * w * (w + 1) - (d - 1) * 4 * w * (2 * w + 1)) for d, w, parameters in cells}
    (low, rest), (high, more) = min(known), max(known)
    if low == high:
        return None if len(known) == 1 else False
    slope, left = divmod(more - rest, high - low)
    start = rest - slope * low
    if left or any(slope * w + start != added for w, added in known):
        return False
    shapes = ((outputs, divmod(slope - outputs, 4)) for outputs in range(1, min(start, slope - 4) + 1))
    return any(not odd and (start - outputs) % inputs == 0 for outputs, (inputs, odd) in shapes)
