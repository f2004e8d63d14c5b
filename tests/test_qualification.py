"""What a control must have shown before a study may rest on it, and what a study says when it has not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark import qualification
from benchmark.cli import main
from benchmark.plan import Group, groups
from benchmark.planning import chance
from benchmark.qualification import citations, cite, judge
from benchmark.study import Study
from tasks import registry

MARGIN = 0.02


Skill = dict[str, list[float]]


def around(centre: float, spread: float = 0.001) -> list[float]:
    return [centre - spread, centre, centre + spread]


def qualifies(kind: str, skill: Skill, memoryless: float = 0.2) -> bool:
    return all(criterion.met for criterion in judge(kind, skill, 4, memoryless, MARGIN))


def test_a_depth_control_must_beat_one_layer_and_one_four_times_as_large() -> None:
    good = {
        "L1": around(0.7),
        "L2": around(0.9),
        "L4": around(0.8),
        "4x": around(0.8),
        "narrow": around(0.5),
    }
    assert qualifies("depth", good)
    assert not qualifies("depth", good | {"4x": around(0.87)})  # width closes the gap: it was memory, not depth
    assert not qualifies("depth", good | {"L1": around(0.87)})
    assert not qualifies("depth", {name: [v - 0.25 for v in values] for name, values in good.items()})
    assert not qualifies("depth", good, memoryless=0.95)
    assert not qualifies("depth", good | {"narrow": around(0.95)})


def test_a_depth_control_is_measured_beside_a_layer_four_times_as_large_wherever_it_stands() -> None:
    main_group = groups(Study.load("laptop", ["tasks.0.places={parameters: [3000]}"]))[0]
    (larger,) = [group for group in qualification.qualifying_groups(main_group, "depth") if group.budget == 12000]
    assert [(arm.depth, arm.match, arm.replica) for arm in larger.arms] == [(1, "parameters", "")]


def test_a_width_control_must_lose_with_depth() -> None:
    good = {"L1": around(0.9), "L2": around(0.88), "L4": around(0.8), "narrow": around(0.5)}
    assert qualifies("width", good)
    assert not qualifies("width", good | {"L4": around(0.87)})
    assert not qualifies("width", good | {"L2": around(0.93)})


def test_a_null_control_must_be_quiet() -> None:
    good = {"L1": around(0.99), "L2": around(0.985), "L4": around(0.98), "aa": around(0.99)}
    assert qualifies("null", good)
    assert not qualifies("null", good | {"L4": [0.95, 0.98, 1.0]})  # its spread would drown a margin
    assert not qualifies("null", good | {"aa": [0.95, 0.98, 1.0]})
    assert not qualifies("null", good | {"L4": around(0.96)})
    assert not qualifies("null", {name: [v - 0.2 for v in values] for name, values in good.items()})


# --- the committed tables and the studies that cite them -------------------------------------------------------------


def controls(study: str = "laptop", *overrides: str) -> dict[str, Group]:
    return {g.entry.label: g for g in groups(Study.load(study, list(overrides))) if g.entry.control}


@pytest.mark.parametrize("table", qualification.shipped_tables(), ids=lambda table: table["task"] + table["kind"])
def test_a_committed_table_is_what_its_numbers_say(table: dict[str, Any]) -> None:
    """Judged again from the skills it holds; at least 20 development seeds; of the task as it is now."""
    skill = {arm["arm"]: arm["skills"] for arm in table["arms"]}
    assert table["seeds"] >= qualification.SEEDS == min(len(values) for values in skill.values())
    assert table["digest"] == registry.digest(table["task"])
    memoryless = next(float(c["measured"]) for c in table["criteria"] if "memoryless" in c["rule"])
    again = judge(table["kind"], skill, max(table["depths"]), memoryless, table["margin"])
    assert [dataclasses.asdict(c) for c in again] == table["criteria"]
    assert table["qualified"] == all(c.met for c in again)


def test_the_laptop_study_rests_on_qualified_controls() -> None:
    found = controls()
    assert {group.entry.control for group in found.values()} == {"depth", "width", "null"}
    for group in found.values():
        assert cite(group).startswith("qualified (20 development seeds")
        assert int(chance(group).split()[-1].rstrip("%")) >= 80


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["tasks.0.steps=1000"], "2,000 steps, this study takes 1,000"),
        (["budgets=[30000]"], "beyond a factor of 2"),
        (["tasks.0.parameters.cells=9"], "no table for stacked_teacher with these parameters"),
    ],
)
def test_a_control_that_is_not_the_measured_one(overrides: list[str], words: str) -> None:
    assert words in cite(controls("laptop", *overrides)["two_layer_teacher"])


def test_a_control_must_be_qualified_at_every_budget() -> None:
    everywhere = Study.load("laptop", ["budgets=[3000, 6000]"])
    assert all(said.startswith("qualified") for said in citations(groups(everywhere)).values())
    for budgets in ("[30000, 3000]", "[3000, 30000]"):
        found = citations(groups(Study.load("laptop", [f"budgets={budgets}"])))
        assert set(found) == set(controls()) and all("beyond a factor of 2" in said for said in found.values())


def test_another_source_of_the_task_is_not_qualified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "digest", lambda reference: "0123456789abcdef")
    assert "source has changed" in cite(controls()["recall"])


def test_the_verb_measures_writes_and_resumes(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["qualify", "smoke", "--seeds", "2", "--workers", "0", "--out", "tables"]
    assert main(command) == 1  # so small a study qualifies nothing
    text = capsys.readouterr().out
    assert "MISSED" in text and "does not qualify as a null control" in text
    table = json.loads((workspace / "tables" / "recall_2500.json").read_text())
    assert not table["qualified"] and [arm["arm"] for arm in table["arms"]] == ["L1", "L2", "aa"]
    journal = (workspace / "results" / "qualify-smoke" / "journal.jsonl").read_bytes()
    assert main(command) == 1
    assert (workspace / "results" / "qualify-smoke" / "journal.jsonl").read_bytes() == journal
    assert json.loads((workspace / "tables" / "recall_2500.json").read_text()) == table
