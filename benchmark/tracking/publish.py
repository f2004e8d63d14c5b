"""The experiment that people read: a run per arm, the run `verdict`, and notes whose first line is the answer."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.analysis.findings import Arm, Findings
from benchmark.analysis.outcome import Contrast, Pair
from benchmark.analysis.replicas import A_A
from benchmark.tracking import projection as project
from benchmark.tracking.mlflow_api import Experiment, MlflowClient, Param
from benchmark.tracking.note import note
from benchmark.tracking.store import PROJECT, born, search

ARMS_ON_A_PAGE = 99
"""MLflow shows 100 runs at a time: with more arms than this beside the verdict, there is a run per task and budget."""

_NOTE = "mlflow.note.content"
_SHOWN = ("report.html", "verdict.json", "runs.csv")  # what the UI can preview; Parquet has no preview


@dataclass
class _Entry:
    """One run to be seen; `identity` is stable from one publication to the next."""

    identity: str
    name: str
    kind: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    finals: dict[str, float | None] = field(default_factory=dict)
    curves: list[tuple[str, float, int]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        content = [self.name, self.kind, self.tags, self.params, self.finals, self.curves]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def introduce(client: MlflowClient, experiment: Experiment, study: str) -> None:
    """Tags of an experiment before it has a verdict."""
    tags = {"mlflow.experimentKind": "custom_model_development", "project": PROJECT, "study": study}
    if _NOTE not in experiment.tags:
        tags[_NOTE] = f"{study}: no verdict yet. The study is running, or was interrupted: the same command resumes it."
    _set_experiment_tags(client, experiment, tags)


def _set_experiment_tags(client: MlflowClient, experiment: Experiment, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        if experiment.tags.get(name) != value:
            client.set_experiment_tag(experiment.experiment_id, name, value)


def arms(client: MlflowClient, experiment: Experiment, findings: Findings, provenance: Mapping[str, str]) -> None:
    """One run per arm with its aggregates; a run whose content changed is replaced, one that left is removed."""
    entries = list(_arm_entries(findings) if len(findings.arms) <= ARMS_ON_A_PAGE else _group_entries(findings))
    present = {}
    for run in search(client, experiment.experiment_id, "tags.kind != 'verdict'"):
        identity = run.data.tags.get("identity", "")
        entry = next((e for e in entries if e.identity == identity), None)
        whole = run.info.status == "FINISHED" and identity not in present
        if entry is not None and whole and run.data.tags.get("digest") == entry.digest:
            present[identity] = run
        else:
            client.delete_run(run.info.run_id)
    for place, entry in enumerate(entries, start=1):
        if entry.identity in present:
            continue
        # Listed below the verdict in the study's order, by the one order that MLflow's default page has.
        start = born(experiment) - 1000 * place
        tags = {**provenance, **entry.tags, "kind": entry.kind, "identity": entry.identity, "digest": entry.digest}
        run_id = client.create_run(experiment.experiment_id, start, tags, entry.name).info.run_id
        params = [Param(name, value) for name, value in entry.params.items()]
        client.log_batch(run_id, project.measured(entry.finals, entry.curves), params)
        client.set_terminated(run_id, "FINISHED", start + round(1000 * (entry.finals.get("cost/seconds") or 0.0)))


def _arm_entries(findings: Findings) -> Iterator[_Entry]:
    several_budgets = len({arm.budget for arm in findings.arms}) > 1
    for arm in findings.arms:
        contrast, pair = _judged(findings, arm)
        name = project.cell_name(
            arm.task, arm.depth, arm.width, variant=arm.variant, match=arm.match, replica=arm.replica
        )
        learning_rate = arm.hyperparameters.get("learning_rate")
        finals: dict[str, float | None] = {
            "score/mean": arm.score_mean,
            "score/low": arm.score_low,
            "score/high": arm.score_high,
            "score/median": arm.score_median,
            "runs/confirmed": arm.runs,
            "runs/successes": arm.successes,
            "final/train_loss": arm.train_loss,
            "final/validation_loss": arm.validation_loss,
            "final/clipped_share": arm.clipped_share,
            "test/loss": arm.test_loss,
            "cost/seconds": arm.seconds,
            "cost/parameters": arm.parameters,
            "cost/state_size": arm.state_size,
            "cost/flops": arm.flops,
        }
        if pair is not None:
            finals |= {
                "difference/mean": pair.difference,
                "difference/low": pair.low,
                "difference/high": pair.high,
                "difference/p": pair.p_adjusted,
            }
        curves = []
        for step, mean, lowest, highest in arm.curve:
            for curve, value in (("mean", mean), ("lowest", lowest), ("highest", highest)):
                curves.append((f"validation/loss_{curve}", value, step))
        if not arm.replica and arm.score_mean is not None:
            # The step of these is the depth, so that the arms of a task together make a line over depth.
            curves.append(("depth/score", arm.score_mean, arm.depth))
            if arm.seconds is not None:
                curves.append(("depth/seconds", arm.seconds, arm.depth))
        yield _Entry(
            identity=arm.arm,
            name=name + (f" · budget {arm.budget}" if several_budgets else ""),
            kind="arm",
            tags=project.texts(
                {
                    "task": arm.task,
                    "family": contrast.family if contrast else None,
                    "role": arm.role,
                    "depth": arm.depth,
                    "width": arm.width,
                    "budget": arm.budget,
                    "match": arm.match,
                    "variant": arm.variant,
                    "replica": arm.replica,
                    "arm": arm.arm,
                    "state": "complete" if arm.complete else "incomplete",
                    "verdict": contrast.verdict if contrast else None,
                    "reason": contrast.reason if contrast else None,
                    "against_depth_1": pair.judged if pair else None,
                    "tuned_at_edge": "yes" if arm.at_edge else "no",
                }
            ),
            params={
                "depth": str(arm.depth),
                "width": str(arm.width),
                "budget": str(arm.budget),
                **{name: project.number(value) for name, value in arm.hyperparameters.items()},
                **({"log10_lr": f"{math.log10(learning_rate):.4g}"} if learning_rate else {}),
            },
            finals=finals,
            curves=curves,
        )


def _group_entries(findings: Findings) -> Iterator[_Entry]:
    """A run per task and budget whose metrics run over depth: the step is the depth, not a training step."""
    groups: dict[tuple[str, int], list[Arm]] = defaultdict(list)
    for arm in findings.arms:
        groups[arm.task, arm.budget].append(arm)
    for (task, budget), members in groups.items():
        contrasts = [c for c in findings.contrasts if (c.task, c.budget) == (task, budget)]
        curves = []
        for arm in members:
            # Arms that differ from the plain one at equal parameters get a line of their own.
            parts = (arm.variant, "plain"), (arm.match, "parameters"), (arm.replica, "")
            suffix = "".join(f" {value}" for value, usual in parts if value != usual)
            values = {
                "depth/score": arm.score_mean,
                "depth/score_low": arm.score_low,
                "depth/score_high": arm.score_high,
                "depth/seconds": arm.seconds,
                "depth/width": arm.width,
            }
            curves += [(name + suffix, float(v), arm.depth) for name, v in values.items() if v is not None]
        scored = [arm for arm in members if arm.score_mean is not None and not arm.replica]
        best = max(scored, key=lambda arm: arm.score_mean or 0.0, default=None)
        yield _Entry(
            identity=f"{task}/{budget}",
            name=f"{task} · budget {budget}",
            kind="group",
            tags=project.texts(
                {
                    "task": task,
                    "budget": budget,
                    "family": contrasts[0].family if contrasts else None,
                    "role": members[0].role,
                    "arms": len(members),
                    "state": "complete" if all(arm.complete for arm in members) else "incomplete",
                    "verdict": ", ".join(dict.fromkeys(c.verdict for c in contrasts)),
                }
            ),
            params={"budget": str(budget)},
            finals={
                "score/mean": best.score_mean if best else None,
                "score/best_depth": best.depth if best else None,
                "cost/seconds": sum(arm.seconds or 0.0 for arm in members),
            },
            curves=curves,
        )


def _judged(findings: Findings, arm: Arm) -> tuple[Contrast | None, Pair | None]:
    """The contrast that an arm belongs to, and its own pair against depth 1."""
    place = (arm.task, arm.budget, arm.match, arm.variant)
    for contrast in findings.contrasts:
        same = place == (contrast.task, contrast.budget, contrast.match, contrast.variant)
        if same and (contrast.role == "A/A") == (arm.replica == A_A):
            pairs = (p for p in contrast.pairs if (p.depth, p.replica) == (arm.depth, arm.replica))
            return contrast, next(pairs, None)
    return None, None


def verdict(
    client: MlflowClient, experiment: Experiment, findings: Findings, folder: Path, provenance: Mapping[str, str]
) -> str:
    """The run `verdict`, one for ever, updated in place, so that a link to it stays good. Returns its id."""
    runs = search(client, experiment.experiment_id, "tags.kind = 'verdict'")
    counts = Counter(c.verdict for c in findings.contrasts)
    tags = {
        **provenance,
        "kind": "verdict",
        "state": "exploratory" if findings.exploratory else findings.purpose,
        "verdict": ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        "controls": findings.controls_line[:1000],
        "protocol": findings.protocol,
        "look": f"{findings.look.seeds} seeds",
        _NOTE: note(findings),
    }
    metrics = {
        "study/trainings": findings.trainings,
        "study/failures": len(findings.failures),
        "study/seconds": findings.seconds,
        "controls/passed": sum(control.passed for control in findings.controls),
        "controls/failed": sum(not control.passed for control in findings.controls),
    }
    if runs:
        run, run_id = runs[0], runs[0].info.run_id
    else:
        run = client.create_run(experiment.experiment_id, born(experiment), tags, "verdict")
        run_id = run.info.run_id
    for name, value in tags.items():
        if run.data.tags.get(name) != value:
            client.set_tag(run_id, name, value)
    client.log_batch(run_id, project.measured({k: v for k, v in metrics.items() if run.data.metrics.get(k) != v}))
    for name in _SHOWN:
        if (folder / name).exists():
            client.log_artifact(run_id, str(folder / name))
    for figure in sorted((folder / "figures").glob("*.png")):
        client.log_artifact(run_id, str(figure), "figures")
    client.set_terminated(run_id, "FINISHED", born(experiment) + round(1000 * findings.seconds))
    return run_id


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


def notes(client: MlflowClient, study: Experiment, trainings: Experiment, findings: Findings) -> None:
    """The answer on both experiments: MLflow shows the first line, and the rest when unfolded."""
    every = f"{findings.headline}\n\nEvery training of the study. The answer is in the experiment `{findings.study}`."
    _set_experiment_tags(client, study, {_NOTE: note(findings), "mlflow.experiment.primaryMetric.name": "score/mean"})
    _set_experiment_tags(
        client, trainings, {_NOTE: every, "mlflow.experiment.primaryMetric.name": "final/validation_loss"}
    )
