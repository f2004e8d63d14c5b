"""One training as MLflow shows it: name, tags, params, metrics. Pure functions; nothing here talks to a store."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from benchmark.analysis import replicas
from benchmark.analysis.selection import tuning_score
from benchmark.spec import RunResult, RunSpec
from benchmark.tracking.mlflow_api import Dataset, DatasetInput, InputTag, Metric, Param

DIGEST_LENGTH = 36
"""MLflow keeps no more of a dataset's digest."""


def cell_name(
    task: str, depth: int, width: int, *, variant: str = "plain", match: str = "parameters", replica: str = ""
) -> str:
    """`recall · L2×31`, and what sets the arm apart from the plain one at equal parameters."""
    parts = [task, f"L{depth}×{width}"]
    if variant != "plain":
        parts.append(variant)
    if match != "parameters":
        parts.append(f"equal {match}")
    if replica:
        parts.append(replicas.name(replica))
    return " · ".join(parts)


def run_name(spec: RunSpec, row: Mapping[str, Any], membership: Mapping[str, Any]) -> str:
    """`recall · L2×31 · seed 04`, with ` · tune p3` or ` · rerank p3` while tuning and ` · converge` after."""
    replica = str(membership["replica"])
    name = cell_name(str(row["task"]), spec.depth, spec.width, variant=spec.variant.name, replica=replica)
    name += f" · seed {spec.seeds.replicate:02d}"
    phase = membership["phase"]
    if phase in ("tune", "rerank"):
        return f"{name} · {phase} p{membership['point']}"
    return name if phase == "confirm" else f"{name} · {phase}"


def arm_tags(spec: RunSpec, row: Mapping[str, Any], membership: Mapping[str, Any]) -> dict[str, str]:
    """The facets that an arm and its trainings share: what a person filters and groups by."""
    return texts(
        {
            "task": row["task"],
            "family": row.get("family"),
            "control": row.get("control"),
            "depth": spec.depth,
            "width": spec.width,
            "cell": cell_name(
                membership["task"],
                spec.depth,
                spec.width,
                variant=spec.variant.name,
                match=membership["match"],
                replica=membership["replica"],
            ),
            "budget": membership["budget"],
            "match": membership["match"],
            "variant": spec.variant.name,
            "replica": membership["replica"],
            "arm": membership["arm"],
        }
    )


def training_tags(
    spec: RunSpec, result: RunResult, row: Mapping[str, Any], memberships: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Facets, identity and provenance of one training."""
    first = memberships[0]
    return {
        **arm_tags(spec, row, first),
        **texts(
            {
                "kind": "training",
                "key": spec.key,
                "arms": join_arms(memberships),
                "phase": first["phase"],
                "seed": spec.seeds.replicate,
                "fold": spec.fold,
                "state": result.status,
                "error": last_line(result.error),
                "metric": row.get("metric"),
                "unit": row.get("unit"),
                "second_metric": row.get("second_metric_name"),
                "task_digest": spec.task_digest,
                "order_hash": result.order_hash,
                "protocol": spec.protocol,
                "precision": spec.precision,
                "device": result.device_type,
                "engine": result.engine,
                **{f"version.{name}": version for name, version in result.versions.items()},
            }
        ),
    }


def join_arms(memberships: Iterable[Mapping[str, Any]]) -> str:
    """The arms that share a training, the first one first."""
    return ", ".join(dict.fromkeys(str(m["arm"]) for m in memberships))


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags of the values that are there: None and '' are left out."""
    return {name: str(value) for name, value in values.items() if value is not None and value != ""}


def number(value: str | float) -> str:
    """A whole number in full, another one to four digits: MLflow's charts take numeric params as an axis."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def training_params(spec: RunSpec, membership: Mapping[str, Any]) -> list[Param]:
    """The same params for every training. MLflow has no logarithmic param axis: the learning rate comes twice."""
    setting = spec.hyperparameters
    values: dict[str, str | float] = {
        "task": membership["task"],
        "depth": spec.depth,
        "width": spec.width,
        "budget": int(membership["budget"]),
        "learning_rate": setting.learning_rate,
        "log10_lr": math.log10(setting.learning_rate),
        "weight_decay": setting.weight_decay,
        "dropout": setting.dropout,
        "batch_size": setting.batch_size,
        "clip_norm": setting.clip_norm,
        "warmup_share": setting.warmup_share,
        "seed": spec.seeds.replicate,
        "steps": spec.steps,
    }
    if membership.get("point") is not None:
        values["point"] = int(membership["point"])
    return [Param(name, number(value)) for name, value in values.items()]


def training_metrics(spec: RunSpec, result: RunResult) -> list[Metric]:
    """Curves by training step, and what stands at the end; every float as measured.

    `train/loss` and `validation/loss` are curves, whose last point a table shows; the losses of the best-validation
    weights, from which the evidence is made, are `final/…` and `test/…`. `validation/score` is what tuning compares;
    a training that is not `done` has none, so that its stated worst value does not squash every chart.
    """
    score = None
    if result.status == "done" and result.trivial_validation_loss is not None:
        score = tuning_score(
            result.validation_loss,
            result.trivial_validation_loss,
            result.best_validation_loss,
            result.status,
            spec.divergence_multiple,
        )
    finals: dict[str, float | None] = {
        "final/train_loss": result.train_loss,
        "final/validation_loss": result.validation_loss,
        "final/best_step": result.best_step,
        "final/steps": result.steps,
        "final/clipped_share": result.clipped_share,
        "validation/score": score,
        "test/loss": result.test_loss,
        "test/second_metric": result.second_metric,
        "reference/trivial_validation_loss": result.trivial_validation_loss,
        "reference/best_validation_loss": result.best_validation_loss,
        "reference/trivial_loss": result.trivial_loss,
        "reference/best_loss": result.best_loss,
        **{f"baseline/{allowed(name)}": loss for name, loss in result.baselines.items()},
        "cost/seconds": result.seconds,
        "cost/parameters": result.parameters,
        "cost/state_size": result.state_size,
        "cost/flops": result.flops,
    }
    return [*curve_metrics(result.curves), *measured(finals)]


def curve_metrics(curves: Iterable[tuple[int, str, int, float]]) -> list[Metric]:
    """Rows of a training's curves; those of a layer (-1: the whole network) under a name of their own."""
    return measured(
        {},
        [(allowed(name if layer < 0 else f"{name}_layer{layer}"), value, step) for step, name, layer, value in curves],
    )


def measured(finals: Mapping[str, float | None], curves: Iterable[tuple[str, float, int]] = ()) -> list[Metric]:
    """Metrics of the values that are there, at step 0, and of curve points (name, value, step)."""
    now = milliseconds()
    points = [Metric(name, value, now, step) for name, value, step in curves]
    return points + [Metric(name, float(value), now, 0) for name, value in finals.items() if value is not None]


def milliseconds() -> int:
    """Now, as MLflow counts time."""
    return time.time_ns() // 1_000_000


def allowed(name: str) -> str:
    """The name with every character that MLflow refuses in a metric's name replaced by `_`."""
    return "".join(c if c.isalnum() or c in "_-. :/" else "_" for c in name)


def dataset(spec: RunSpec, result: RunResult, row: Mapping[str, Any]) -> DatasetInput | None:
    """The data by their hash; None for a training that failed before it had any."""
    if not result.data_hash:
        return None
    source = {"task": spec.task, "parameters": spec.task_parameters, "seed": spec.seeds.data, "fold": spec.fold}
    return DatasetInput(
        Dataset(
            name=str(row["task"]),
            digest=result.data_hash[:DIGEST_LENGTH],
            source_type="code",
            source=json.dumps({"tags": source}, default=dict),
            profile=json.dumps({"data_hash": result.data_hash, "unit": row.get("unit"), "target": row.get("metric")}),
        ),
        [InputTag("mlflow.data.context", "training")],
    )


def spec_as_yaml(spec: RunSpec) -> str:
    """Everything that was asked, under its key; through JSON, which has no tuples."""
    return yaml.safe_dump({"key": spec.key, **json.loads(json.dumps(spec.to_dict()))}, sort_keys=False)


def last_line(error: str | None) -> str:
    """What a traceback ends with."""
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else ""
