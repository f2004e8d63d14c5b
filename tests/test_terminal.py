"""What a person meets on a terminal: one screen of help, a display, the end of a sweep; and the same for a program."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmark import complete, guide, shipped
from benchmark.analysis.analyse import analyse
from benchmark.analysis.findings import Findings
from benchmark.analysis.outcome import Look
from benchmark.cli import app, main
from benchmark.conduct import conduct, score
from benchmark.ending import NEXT, Ending
from benchmark.errors import UserError
from benchmark.forecast import Cost
from benchmark.journal import Journal
from benchmark.plan import Group, groups
from benchmark.planning import Plan, print_plan
from benchmark.progress import Progress
from benchmark.report.terminal import print_verdict
from benchmark.spec import RunResult, RunSpec, failed
from benchmark.standing import Standing
from benchmark.study import Study
from benchmark.terminal import make_console, plain_table, print_plain, say, warn
from benchmark.workspace import Workspace
from tests.analysis.fabricate import fabricate
from tests.conftest import ROOT
from tests.studies import tiny_study

COMMAND = typer.main.get_command(app)


def verbs() -> list[str]:
    return list(COMMAND.commands)  # type: ignore[attr-defined]


def printed(show: Any, **how: Any) -> str:
    """What `show` prints on a console that is no terminal."""
    console = Console(file=io.StringIO(), **({"width": 80} | how))
    show(console)
    return console.file.getvalue()  # type: ignore[attr-defined]


# --- help -------------------------------------------------------------------------------------------------------------


def test_the_help_is_one_screen_of_the_flow_and_every_verb(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 80
    text = "\n".join(lines)
    places = [text.index(command) for command, _ in guide.FLOW]
    assert places == sorted(places)
    for command, purpose in guide.FLOW:
        assert re.search(rf"{re.escape(command)} +{re.escape(purpose)}", text), "a line of the flow is broken in two"
    for name, verb in guide.VERBS.items():
        assert re.search(rf"{name} +{re.escape(verb.line)}", text), f"{name} needs more than its line"


def test_every_verb_is_in_the_guide_in_its_order() -> None:
    assert verbs() == list(guide.VERBS)
    order = [verb.group for verb in guide.VERBS.values()]
    assert [group for group, after in zip(order, [*order[1:], ""], strict=True) if group != after] == [
        guide.RUN, guide.JUDGE, guide.LEARN, guide.MAKE,
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(guide.VERBS))
def test_every_example_is_shown_and_is_a_command_that_exists(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed by the real command line: an option that is renamed makes its example fail."""
    monkeypatch.setenv("COLUMNS", "80")
    example = guide.VERBS[name].example
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: {example}" in " ".join(text.split()) and max(map(len, text.splitlines())) <= 80
    program, verb, *words = shlex.split(example)
    assert (program, verb) == ("strata", name)
    COMMAND.commands[name].make_context(name, list(words))  # type: ignore[attr-defined]


# --- completion -------------------------------------------------------------------------------------------------------


def completed(*words: str, cwd: Path) -> list[str]:
    """What bash would be offered for the last of `words`, in a process of its own as at a Tab."""
    script = (
        "import sys; from benchmark.cli import main; code = None\n"
        "try: main([])\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'mlflow', 'optuna', 'pandas', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    environment = {
        "_STRATA_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["strata", *words]) if words[-1] else " ".join(["strata", *words]),
        "COMP_CWORD": str(len(words)),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_shell_completes_verbs_and_studies_and_loads_nothing_heavy(tmp_path: Path) -> None:
    assert completed("pl", cwd=tmp_path) == ["plan"]
    assert completed("sweep", "lap", cwd=tmp_path) == ["laptop"]


def test_studies_that_can_be_run_and_that_were_started(workspace: Path) -> None:
    assert complete.studies("") == shipped.configurations() and complete.started("") == []
    (workspace / "mine.yaml").touch()
    (workspace / "other.txt").touch()
    (workspace / "deep").mkdir()
    (workspace / "deep" / "below.yml").touch()
    for name in ("laptop", "mine"):
        (workspace / "results" / name).mkdir(parents=True)
    (workspace / "results" / "mine" / "study.yaml").touch()
    assert complete.studies("mi") == ["mine.yaml"] and complete.studies("deep/") == ["deep/below.yml"]
    assert complete.started("") == ["mine"] and complete.started("lap") == []


# --- consoles ---------------------------------------------------------------------------------------------------------


def test_a_pipe_gets_no_colour_and_a_table_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    table = plain_table("first", "second")
    table.add_row("a" * 90, "b" * 90)
    print_plain(table, console)
    console.print("red", style="red")
    out = capsys.readouterr().out
    assert "\x1b" not in out and "…" not in out
    assert out.splitlines() == [f"{'first':<90}  {'second':>90}", f"{'a' * 90}  {'b' * 90}", "red"]


def test_no_color_is_respected_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = re.compile(r"\x1b\[[\d;]*3[0-7]")
    painted = {"force_terminal": True, "color_system": "standard", "_environ": {"TERM": "xterm"}}
    assert colour.search(printed(lambda console: console.print("red", style="red"), **painted))
    painted["_environ"] = {"TERM": "xterm", "NO_COLOR": "1"}
    assert not colour.search(printed(lambda console: console.print("red", style="red"), **painted))


def test_what_must_be_known_is_said_even_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console(quiet=True)
    say(console, "everything else")
    warn(console, "MLflow does not answer")
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "MLflow does not answer\n"


@given(text=st.text("ab [/]", max_size=300), mark=st.sampled_from(["", "- "]), width=st.integers(20, 100))
def test_a_paragraph_loses_no_word_and_keeps_to_its_width(text: str, mark: str, width: int) -> None:
    said = printed(lambda console: say(console, text, mark), width=width)
    assert all(len(line) <= width for line in said.splitlines())
    # A word longer than a line is broken: then its letters are there, in order.
    assert "".join(said.removeprefix(mark).split()) == "".join(text.split())


# --- the display of a sweep -------------------------------------------------------------------------------------------


def result_of(spec: RunSpec, loss: float, status: str = "done") -> RunResult:
    """A training whose losses are `loss`, where the trivial predictor has 1 and the best possible is 0."""
    return RunResult(
        key=spec.key,
        status=status,  # type: ignore[arg-type]
        validation_loss=loss,
        trivial_validation_loss=1.0,
        best_validation_loss=0.0,
        test_loss=loss if spec.reads_test else None,
    )


def swept(planned: list[Group], seeds: int) -> list[tuple[Any, RunResult]]:
    """Every training of a study with the result that is made for it, in the order of asking, none twice."""
    found: dict[str, tuple[Any, RunResult]] = {}
    for group in planned:
        asks, answers = conduct(group, seeds), {}
        batch = next(asks)
        while True:
            for request in batch:
                loss = 0.2 + 0.1 * request.spec.depth + request.spec.seeds.replicate * 0.001
                found.setdefault(request.spec.key, (request, result_of(request.spec, loss)))
                answers[request.spec.key] = found[request.spec.key][1]
            try:
                batch = asks.send(answers)
            except StopIteration:
                break
    return list(found.values())


def study_of_all() -> Study:
    """Two budgets, two matches, A/A, one layer tuned more: every way in which arms share trainings."""
    return tiny_study(
        depths=[1, 2, 3],
        budgets=[3000, 6000],
        match=["parameters", "state"],
        sensitivity={"one_layer_trials": True},
        confirmation={"seeds": 5, "looks": [5], "doubled": 5},
    )


def test_the_standing_is_what_the_plan_asked() -> None:
    """Arms are confirmed when all have been answered, not before; the best is the best tuning score of each depth."""
    planned = groups(study_of_all())
    standing, everything = Standing(planned, 5), swept(planned, 5)
    assert standing.arms == sum(len(group.alike) for group in planned)
    best: dict[tuple[str, int, str, int], float] = {}
    for request, result in everything:
        standing.take(request.spec, result)
        if request.phase in ("tune", "rerank") and not request.arm.replica:
            place = (request.arm.task, request.arm.budget, request.arm.match, request.arm.depth)
            best[place] = max(score(request, result), best.get(place, -9.0))
    assert standing.arms_confirmed == standing.arms
    for one in standing.groups:
        assert sorted(one.best) == [1, 2, 3]
        for depth, found in one.best.items():
            # A cell that two groups share is asked under one's name and shown under both.
            asked = best.get((one.group.entry.label, one.group.budget, one.group.match, depth))
            assert asked is None or found == pytest.approx(asked)
    fewer = Standing(planned, 5)
    confirmations = [(request, result) for request, result in everything if request.phase == "confirm"]
    for request, result in everything:
        if request is not confirmations[-1][0]:
            fewer.take(request.spec, result)
    assert fewer.arms_confirmed < fewer.arms


def test_a_test_score_a_replica_a_failure_and_a_further_point_move_no_best_score() -> None:
    group = groups(tiny_study())[0]
    arm, point = group.arms[0], group.study.points()[0]
    standing = Standing([group], 2)
    standing.take(spec := group.spec(arm, point, "tune", 0), result_of(spec, 0.5))
    (one,) = standing.groups
    assert one.best == {1: pytest.approx(0.5)}
    copy = next(arm for arm in group.arms if arm.replica)
    confirm, replica = group.spec(arm, point, "confirm", 0), group.spec(copy, point, "tune", 0)
    further = group.spec(arm, {"learning_rate": 0.0123}, "tune", 0)
    for spec in (confirm, replica, further):
        standing.take(spec, result_of(spec, 0.0))
    standing.take(spec := group.spec(arm, point, "tune", 1), failed(spec.key, "planted"))
    assert one.best == {1: pytest.approx(0.5)} and one.scores() == ["0.500", "-"]


def progress(console: Console, planned: list[Group], seeds: int = 2) -> Progress:
    costs = {arm.name: Cost(0.0, 0.01, 0.15) for group in planned for arm in group.arms}
    return Progress(console, planned, costs, seeds, workers=1)


def test_the_line_of_a_log_counts_trainings_arms_failures_and_names_the_best() -> None:
    planned = groups(tiny_study())
    console = Console(file=io.StringIO(), width=100)
    shown = progress(console, planned)
    everything = swept(planned, 2)
    for request, result in everything[:4]:
        shown.result(request.spec, result)
    request = everything[4][0]
    shown.retry(request.spec, failed(request.spec.key, "planted"))
    shown.result(request.spec, failed(request.spec.key, "planted"))
    shown.log()
    said = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "5 of 30 trainings, 0 of 5 arms confirmed, 1 failed, 1 failed and tried again, less than a minute" in said
    assert re.search(r"best on validation so far, recall: 0\.\d{3} \(1 layer\), (0\.\d{3}|-) \(2 layers\)", said)


def test_the_display_fits_a_small_terminal_and_is_wiped_at_the_end() -> None:
    planned = groups(study_of_all())
    terminal = Console(
        file=io.StringIO(), width=80, height=12, force_terminal=True, color_system=None, _environ={"TERM": "xterm"}
    )
    with progress(terminal, planned, 5) as shown:
        for request, result in swept(planned, 5):
            shown.result(request.spec, result)
            lines = terminal.render_lines(shown._display(), pad=False)
            assert len(lines) <= 11
        text = "\n".join("".join(segment.text for segment in line) for line in lines)
    assert "1 layer" in text and "3 layers" in text and "more" in text
    assert f"{shown.standing.arms} of {shown.standing.arms} arms confirmed" in text


def test_a_try_that_failed_before_a_restart_is_not_counted_as_done() -> None:
    planned = groups(tiny_study())
    (request, done), (other, _), (third, _) = swept(planned, 2)[:3]
    shown = progress(Console(file=io.StringIO()), planned)
    journal = {
        request.spec.key: (request.spec, done),
        other.spec.key: (other.spec, failed(other.spec.key, "once")),
        third.spec.key: (third.spec, failed(third.spec.key, "thrice")),
    }
    shown.already_done(journal, {other.spec.key: 1, third.spec.key: 3})
    assert (shown.done, shown.failed) == (2, 1)


# --- the end of a sweep -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged() -> Findings:
    """Findings of made-up evidence."""
    return dataclasses.replace(analyse(fabricate()), study="mine")


def ending(findings: Findings, **how: Any) -> Ending:
    return Ending(findings, Path("results") / findings.study, asked_as="mine.yaml", workers=2, **how)


@pytest.mark.parametrize("purpose", ["study", "screen", "smoke"])
@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("failures", [False, True])
def test_three_commands_come_next_and_the_command_line_knows_them(
    purpose: str, looks: bool, failures: bool, judged: Findings
) -> None:
    findings = dataclasses.replace(
        judged,
        purpose=purpose,
        next_look=Look(seeds=99, alpha=0.01) if looks else None,
        failures=[{"key": "k"}] if failures else [],
    )
    steps = ending(findings, workspace=("--workspace", "/else/where")).steps()
    assert len(steps) == NEXT
    for step in steps:
        program, verb, *words = shlex.split(step.command)
        assert program == "strata"
        COMMAND.commands[verb].make_context(verb, list(words))  # type: ignore[attr-defined]
        assert verb in ("plan", "claims") or words[-2:] == ["--workspace", "/else/where"]
    said = [step.command for step in steps]
    assert failures == said[0].startswith("strata runs mine --failed")
    assert looks == any(f"strata sweep mine.yaml --seeds +{99 - findings.look.seeds}" in one for one in said)


def test_the_end_reads_well_in_80_columns_and_as_json(judged: Findings) -> None:
    made = ending(judged)
    text = printed(made.show)
    assert max(map(len, text.splitlines())) <= 80 and "\x1b" not in text
    assert text.index("difference, interval") < text.index("report: ") < text.index("next:")
    record = json.loads(json.dumps(made.record(), allow_nan=False))
    assert [one["command"] for one in record["next"]] == [step.command for step in made.steps()]
    assert record["contrasts"] and record["headline"] and record["report"].endswith("report.html")


@pytest.fixture
def swept_at_once(judged: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that is over as soon as it has begun; the real one is in test_verbs.py."""

    def sweep(
        study: Study, place: Workspace, console: Console, *, asked_as: str, options: list[str], **_: Any
    ) -> Ending:
        console.print("12 of 24 trainings")
        findings = dataclasses.replace(judged, next_look=Look(seeds=99, alpha=0.01))
        ending = Ending(findings, place.folder(study.name), asked_as, 2, options)
        ending.show(console)
        return ending

    monkeypatch.setattr("benchmark.session.sweep", sweep)


SWEEP = ["sweep", "smoke", "--workers", "0", "--set", "description=a b", "--workspace", "."]


@pytest.mark.usefixtures("swept_at_once", "workspace")
def test_json_keeps_stdout_for_itself_and_next_commands_repeat_what_was_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SWEEP, "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert "12 of 24 trainings" in captured.err
    commands = [step["command"] for step in record["next"]]
    (again,) = [command for command in commands if command.startswith("strata sweep")]
    assert re.fullmatch(r"strata sweep smoke --set 'description=a b' --seeds \+\d+ --workspace \.", again)
    assert "strata ui mine --workspace ." in commands


@pytest.mark.usefixtures("swept_at_once", "workspace")
def test_quiet_prints_the_verdict_and_nothing_else(judged: Findings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out == printed(lambda console: print_verdict(judged, console), width=100)
    for sentence in (contrast.sentence for contrast in judged.contrasts if contrast.role == "natural"):
        assert sentence in " ".join(captured.out.split())
    assert "difference, interval" not in captured.out and "next:" not in captured.out


@pytest.mark.usefixtures("swept_at_once", "workspace")
def test_saving_a_study_and_json_cannot_both_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--csv", "a.csv", "--target", "b", "--save", "c.yaml", "--json"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- a plan, printed and as JSON ----------------------------------------------------------------------------------


def test_a_plan_prints_what_its_json_says() -> None:
    study = study_of_all()
    planned = groups(study)
    plan = Plan(study, planned, {arm.name: Cost(0.1, 0.01, 0.15) for group in planned for arm in group.arms}, 2)
    record = json.loads(json.dumps(plan.record(), allow_nan=False))
    text = printed(lambda console: print_plan(plan, console))
    assert [arm["arm"] for arm in record["arms"]] == [arm.name for group in planned for arm in group.arms]
    for arm in record["arms"]:
        assert re.search(rf"{arm['arm']} +{arm['width']} +{arm['trainings']} ", text)
    (look,) = record["looks"]
    assert f"{look['trainings']} trainings" in text and look["trainings"] == sum(a["trainings"] for a in record["arms"])
    minutes = sum(arm["minutes"] for arm in record["arms"])
    assert look["minutes"] == pytest.approx(minutes / 2) and "on 2 workers" in text
    assert {one["task"] for one in record["controls"]} == {"recall"}
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text


def test_status_reads_a_journal_that_is_being_written_and_leaves_it_alone(tmp_path: Path) -> None:
    """A record that a running sweep has half written is neither read nor cut off."""
    spec = groups(tiny_study())[0].spec(groups(tiny_study())[0].arms[0], tiny_study().points()[0], "tune", 0)
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append({"kind": "result", "spec": spec.to_dict(), "result": result_of(spec, 0.5).to_dict()})
    path.write_bytes(written := path.read_bytes() + b'{"kind": "result", "spe')
    assert list(Journal.read(path).results()) == [spec.key]
    assert path.read_bytes() == written
    with pytest.raises(UserError, match="cannot read the journal"):
        Journal.read(tmp_path / "nowhere.jsonl")
    assert not (tmp_path / "nowhere.jsonl").exists()
