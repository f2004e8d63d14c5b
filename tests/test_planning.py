"""What `strata plan` says beside the numbers."""

from __future__ import annotations

import pytest

from benchmark import shipped
from benchmark.plan import groups
from benchmark.planning import natural_copy_missing
from benchmark.study import Study
from tests.studies import tiny_study

NATURAL = {"task": "formants", "parameters": {"speakers": 16, "time": 16}, "steps": 12}
NULL = {"task": "recall", "parameters": {"time": 6, "train": 64}, "control": "null", "steps": 12}


def said(**changes: object) -> str:
    asked = {"tasks": [NULL, NATURAL], "purpose": "study", "depths": [1, 2], "budgets": [3000]} | changes
    study = tiny_study(**asked)
    return natural_copy_missing(study, groups(study))


def test_a_full_study_is_told_that_a_natural_task_should_carry_a_a_too() -> None:
    assert said(a_a="recall") == "no A/A on a natural task: name one in a_a beside the null control, such as formants"
    assert said(a_a=["recall", "formants"]) == ""


def test_a_screen_and_a_study_without_natural_tasks_are_told_nothing() -> None:
    assert said(a_a="recall", purpose="screen") == ""
    assert said(a_a="recall", tasks=[NULL]) == ""


@pytest.mark.parametrize("name", shipped.configurations())
def test_every_study_that_comes_with_strata_can_be_planned(name: str) -> None:
    """Its tasks are there and every depth finds a width: a study that nobody has run is refused by nobody else."""
    study = Study.load(name)
    planned = groups(study)
    assert len(planned) == sum(len(study.places(entry)) for entry in study.tasks) * len(study.variants)
