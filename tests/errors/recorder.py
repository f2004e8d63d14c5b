"""A plugin for pytest that writes down every line made for a person, and the test in which: `-p tests.errors.recorder`.

Errors are noted as they are made, so that a line counts wherever it is caught, and by whatever name it is raised.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmark.errors import UserError
from benchmark.tracking.store import TrackingUnavailable
from tasks.own.files import SeriesError
from tasks.registry import TaskNameClash, TaskNotFound, TaskParameterError
from tasks.speech.sphere import UnreadableSound
from tasks.speech.timit_layout import Layout

OUT = "ERROR_LINES"
"""Environment variable with the file to write to, one JSON record a line."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in (
            *(UserError, TrackingUnavailable, SeriesError, TaskNotFound, TaskNameClash, TaskParameterError),
            *(UnreadableSound, Layout),
        ):

            def noted(error: Exception, *given: Any, kind: type[Exception] = kind) -> None:
                super(kind, error).__init__(*given)
                made.extend(map(str, given[:1]))

            patch.setattr(kind, "__init__", noted)
        yield
    with open(os.environ[OUT], "a") as file:
        for said in dict.fromkeys(made):
            file.write(json.dumps({"test": item.nodeid.split("[")[0], "said": said}) + "\n")
