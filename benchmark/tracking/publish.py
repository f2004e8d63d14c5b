"""The experiment that people read: the run `verdict`, a run per comparison and per arm, and notes that begin with the
answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmark.analysis.findings import Findings
from benchmark.tracking import projection as project
from benchmark.tracking.entries import entries
from benchmark.tracking.mlflow_api import Experiment, MlflowClient, Param
from benchmark.tracking.note import NOTE
from benchmark.tracking.store import PROJECT, born, search

PARTIAL = "partial"
"""State of the run `verdict` while trainings are missing."""
_SHOWN = ("report.html", "verdict.json", "runs.csv")  # what the UI can preview; Parquet has no preview


def introduce(client: MlflowClient, experiment: Experiment, study: str) -> None:
    """Tags of an experiment before it has a verdict."""
    tags = {"mlflow.experimentKind": "custom_model_development", "project": PROJECT, "study": study}
    if NOTE not in experiment.tags:
        tags[NOTE] = f"{study}: no verdict yet. The study is running, or was interrupted: the same command resumes it."
    _set_experiment_tags(client, experiment, tags)


def _set_experiment_tags(client: MlflowClient, experiment: Experiment, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        if experiment.tags.get(name) != value:
            client.set_experiment_tag(experiment.experiment_id, name, value)


def rows(client: MlflowClient, experiment: Experiment, findings: Findings, provenance: Mapping[str, str]) -> None:
    """One run per comparison and per arm; a run whose content or place changed is replaced, one that left is removed.

    They are listed below the verdict in the study's order, by the one order that MLflow's default page has: their
    start.
    """
    wanted = {
        entry.identity: (born(experiment) - 1000 * place, entry) for place, entry in enumerate(entries(findings), 1)
    }
    present = set()
    for run in search(client, experiment.experiment_id, "tags.kind != 'verdict'"):
        identity = run.data.tags.get("identity", "")
        start, entry = wanted.get(identity, (None, None))
        whole = run.info.status == "FINISHED" and identity not in present and run.info.start_time == start
        if entry is not None and whole and run.data.tags.get("digest") == entry.digest:
            present.add(identity)
        else:
            client.delete_run(run.info.run_id)
    for identity, (start, entry) in wanted.items():
        if identity in present:
            continue
        tags = {**provenance, **entry.tags, "kind": entry.kind, "identity": entry.identity, "digest": entry.digest}
        run_id = client.create_run(experiment.experiment_id, start, tags, entry.name).info.run_id
        params = [Param(name, value) for name, value in entry.params.items()]
        client.log_batch(run_id, project.measured(entry.finals, entry.curves), params)
        client.set_terminated(run_id, "FINISHED", start + round(1000 * (entry.finals.get("cost/seconds") or 0.0)))


def verdict(
    client: MlflowClient,
    experiment: Experiment,
    findings: Findings,
    provenance: Mapping[str, str],
    note: str,
    state: str,
) -> str:
    """The run `verdict`, one for ever, updated in place, so that a link to it stays good. Returns its id."""
    runs = search(client, experiment.experiment_id, "tags.kind = 'verdict'")
    counts = Counter(c.verdict for c in findings.contrasts)
    tags = {
        **provenance,
        "kind": "verdict",
        "state": state,
        "verdict": ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        "controls": findings.controls_line[:1000] if state != PARTIAL else "not judged yet",
        "protocol": findings.protocol,
        "look": f"{findings.look.seeds} seeds",
        "mlflow.runName": "verdict" if state != PARTIAL else "verdict (partial)",
        NOTE: note,
    }
    metrics = {
        "study/trainings": findings.trainings,
        "study/failures": len(findings.failures),
        "study/seconds": findings.seconds,
    }
    if state != PARTIAL:
        metrics["controls/passed"] = sum(control.passed for control in findings.controls)
        metrics["controls/failed"] = sum(not control.passed for control in findings.controls)
    run = runs[0] if runs else client.create_run(experiment.experiment_id, born(experiment), tags)
    run_id: str = run.info.run_id
    for name, value in tags.items():
        if run.data.tags.get(name) != value:
            client.set_tag(run_id, name, value)
    client.log_batch(run_id, project.measured({k: v for k, v in metrics.items() if run.data.metrics.get(k) != v}))
    client.set_terminated(run_id, "FINISHED", born(experiment) + round(1000 * findings.seconds))
    return run_id


def artifacts(client: MlflowClient, run_id: str, folder: Path) -> None:
    """The report, the tables and the pictures of a finished study, as far as a browser can show them."""
    for name in _SHOWN:
        if (folder / name).exists():
            client.log_artifact(run_id, str(folder / name))
    for figure in sorted((folder / "figures").glob("*.png")):
        client.log_artifact(run_id, str(figure), "figures")


def scores(client: MlflowClient, trainings: Experiment, findings: Findings) -> None:
    """`test/score` of every confirmed training: what the analysis made of its test loss, comparable between tasks.

    Not made when the training is recorded, since the score of a diverged one depends on the others (PROTOCOL 8).
    """
    wanted = {(arm.arm, str(seed)): score for arm in findings.arms for seed, score in arm.scores}
    for run in search(client, trainings.experiment_id, "tags.kind = 'training' and tags.phase = 'confirm'"):
        tags = run.data.tags
        shared = ((arm, tags.get("seed", "")) for arm in tags.get("arms", "").split(", "))
        found = [wanted[place] for place in shared if place in wanted]
        if run.info.status == "FINISHED" and found and run.data.metrics.get("test/score") != found[0]:
            client.log_metric(run.info.run_id, "test/score", found[0])


def notes(client: MlflowClient, study: Experiment, trainings: Experiment, first_line: str, note: str) -> None:
    """What stands, on both experiments: MLflow shows the first line, and the rest when unfolded."""
    every = f"{first_line}\n\nEvery training of the study. The answer is in the experiment `{study.name}`."
    _set_experiment_tags(client, study, {NOTE: note, "mlflow.experiment.primaryMetric.name": "score/mean"})
    _set_experiment_tags(
        client, trainings, {NOTE: every, "mlflow.experiment.primaryMetric.name": "final/validation_loss"}
    )
