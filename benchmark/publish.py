"""The verb `strata publish`: keep a finished study's evidence and report where its numbers may be quoted from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmark import instrument
from benchmark.errors import UserError
from benchmark.evidence import OPTIONAL, TABLES

KEPT = ("study.yaml", "environment.json", *(f"{name}.parquet" for name in TABLES), "runs.csv", "verdict.json")


def publish(folder: Path, out: Path, instrument_file: Path | None) -> Path:
    """Copy evidence, verdict, report and figures of the study in `folder` to `out`/NAME; returns that folder.

    With `instrument_file`, its controls become those that studies without controls cite. Raises UserError for a study
    that has not ended, was run from a working tree with changes, or did not pass its controls.
    """
    if missing := [name for name in (*KEPT, "report.html") if not (folder / name).is_file()]:
        raise UserError(
            f"{folder} holds no {missing[0]}: finish the study, or `strata report` it, before publishing it"
        )
    ran = json.loads((folder / "environment.json").read_text())
    if any(machine.get("dirty", True) for machine in (ran, *ran.get("parts", []))):
        raise UserError(
            f"{folder.name} was run from a working tree with changes, or a merged part was: commit, then run it again "
            "(PROTOCOL 20)"
        )
    record = instrument.record(folder) if instrument_file is not None else None
    if record is not None:
        checks = json.loads((folder / "verdict.json").read_text())["checks"]
        if failed := [check for check in checks if check["passed"] is False]:
            raise UserError(
                f"{folder.name} cannot be cited as a checked instrument: its check of fairness {failed[0]['name']!r} "
                f"failed ({failed[0]['words']})"
            )
        carried = {control["kind"] for control in record["controls"] if control["passed"]}
        if lacking := sorted({"depth", "width", "null", "A/A"} - carried):
            raise UserError(
                f"{folder.name} cannot be cited as a checked instrument: no {lacking[0]} control passed in it"
            )
    target = out / folder.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder / "figures", target / "figures")
    measured = [f"{name}.parquet" for name in OPTIONAL if (folder / f"{name}.parquet").is_file()]
    for name in (*KEPT, *measured, "report.html"):
        shutil.copy2(folder / name, target / name)
    if record is not None and instrument_file is not None:
        instrument.write(record, instrument_file)
    return target
