"""Every number of a row leads to its runs, and they are the runs that it was made of."""

from __future__ import annotations

import re

from benchmark.analysis.analyse import analyse
from benchmark.behind import behind
from benchmark.report.page import page
from tests.analysis.fabricate import fabricate

EVIDENCE = fabricate(diverged=[("formants", 2, "", 3)])
HTML = page(analyse(EVIDENCE), {}, behind(EVIDENCE))


def test_every_key_of_the_evidence_is_listed_under_its_task() -> None:
    places = re.findall(r'<details id="runs-\d+" open><summary>([^ <]+).*?(<dl.*?</dl>)', HTML, re.DOTALL)
    listed = {label: set(re.findall(r"</i> ([0-9a-f]{16})", body)) for label, body in places}
    wanted = {task: set(mine) for task, mine in EVIDENCE.members.groupby("task")["key"]}
    assert listed == wanted


def test_runs_are_named_by_seed_and_point_and_what_became_of_them() -> None:
    members = EVIDENCE.members
    arm = members[(members["task"] == "formants") & (members["depth"] == 2)]
    confirmed = arm[arm["phase"] == "confirm"].set_index("seed")["key"]
    assert f"<i>0</i> {confirmed[0]}</span>" in HTML
    assert f"<i>3</i> {confirmed[3]} <b>diverged</b></span>" in HTML
    again = arm[arm["phase"] == "rerank"].iloc[0]
    assert f"<i>{again['point']}.{again['seed']}</i> {again['key']}</span>" in HTML


def test_every_group_of_rows_with_numbers_has_a_link_and_every_link_a_place() -> None:
    heads = re.findall(r'<tr class="group">(.*?)</tr>', HTML, re.DOTALL)
    assert len(heads) > 20 and all('class="runs"' in head for head in heads)
    places = set(re.findall(r' id="([^"]+)"', HTML))
    wanted = set(re.findall(r'href="#([^"]+)"', HTML))
    assert wanted <= places and sum(name.startswith("runs-") for name in wanted) == 5


def test_without_evidence_nothing_is_linked() -> None:
    bare = page(analyse(EVIDENCE), {})
    assert 'class="runs"' not in bare and 'id="runs' not in bare
