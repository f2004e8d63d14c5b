"""Saved views: dashboards that MLflow (3.15 and later) keeps as experiment tags.

The format is MLflow's own and undocumented (read from 3.17, pinned in constraints.txt); where another version does not
know it, a link to one opens on MLflow's default page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from benchmark.analysis.findings import Findings
from benchmark.tracking import store
from benchmark.tracking.mlflow_api import Experiment, MlflowClient

TAG = "mlflow.sharedViewState."
TAG_LENGTH = 5000
"""MLflow refuses longer views."""

_PAGE: dict[str, Any] = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": [],
    "columnOrder": [],
    "columnWidths": {},
    "runsHiddenMode": "SHOWALL",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": True,  # keeps our section above those that the UI makes of every metric
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
}
_LINE: dict[str, Any] = {
    "type": "LINE",
    "lineSmoothness": 0,
    "scaleType": "linear",
    "xAxisScaleType": "linear",
    "range": {},
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}


@dataclass(frozen=True)
class View:
    """A named page of one experiment; with `charts` it opens on them, else on the table."""

    name: str
    columns: tuple[str, ...]
    filter: str
    order_by: str
    ascending: bool = False
    group_by: tuple[str, ...] = ()
    section: str = ""
    charts: tuple[dict[str, Any], ...] = ()
    charts_a_row: int = 1

    @property
    def key(self) -> str:
        """Stable, so that a link stays good."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:20]

    def state(self) -> dict[str, Any]:
        """The page as MLflow's UI keeps it."""
        state = {
            **_PAGE,
            "searchFilter": self.filter,
            "orderByKey": self.order_by,
            "orderByAsc": self.ascending,
            "selectedColumns": list(self.columns),
            "columnOrder": list(self.columns),
            "columnWidths": {column: _width(column) for column in self.columns},
        }
        if self.group_by:
            keys = [{"mode": "tag", "groupByData": tag} for tag in self.group_by]
            state["groupBy"] = {"aggregateFunction": "average", "groupByKeys": keys}
        if self.charts:
            common = {"deleted": False, "isGenerated": False}
            section = {"uuid": "s1", "name": self.section, "display": True, "isReordered": False, **common}
            state["compareRunSections"] = [{**section, "columns": self.charts_a_row, "cardHeight": 560}]
            state["compareRunCharts"] = [
                {"uuid": f"c{i}", "metricSectionId": "s1", "runsCountToCompare": 100, **common, **chart}
                for i, chart in enumerate(self.charts)
            ]
        return state


def _width(column: str) -> int:
    """Pixels that show the column's name, and a tag's value."""
    kind, name = column.split(".", 1)
    return max(150 if kind == "tags" else 90, 40 + 8 * len(name.strip("`")))


def _tag(name: str) -> str:
    return f"tags.`{name}`"


def _param(name: str) -> str:
    return f"params.`{name}`"


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _line(metric: str, title: str, **settings: Any) -> dict[str, Any]:
    return {**_LINE, "metricKey": metric, "selectedMetricKeys": [metric], "displayName": title, **settings}


def _axis(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "key": name}


def _scatter(x: dict[str, str], y: dict[str, str], title: str) -> dict[str, Any]:
    return {"type": "SCATTER", "displayName": title, "xaxis": x, "yaxis": y}


def _bar(metric: str, title: str) -> dict[str, Any]:
    return {"type": "BAR", "metricKey": metric, "displayName": title}


def study_views(findings: Findings | None = None) -> list[View]:
    """Views of the experiment that people read."""
    arms = findings.arms if findings else []
    # A line per task, and per whatever else the study varies beside depth.
    varied = [tag for tag in ("budget", "match", "variant") if len({getattr(arm, tag) for arm in arms}) > 1]
    of_arms = "tags.kind != 'verdict' and tags.kind != 'contrast'"
    score = _axis("METRIC", "score/mean")
    return [
        View(
            "1 Verdict by task",
            (
                _tag("verdict"),
                _metric("difference/mean"),
                _metric("difference/low"),
                _metric("difference/high"),
                _tag("reason"),
                _metric("study/seeds"),
                _tag("role"),
                _metric("difference/depth"),
                _metric("difference/p"),
            ),
            filter="tags.kind != 'arm' and tags.kind != 'group'",
            order_by="attributes.start_time",
        ),
        View(
            "2 Leaderboard of arms",
            (
                _tag("task"),
                _tag("against_depth_1"),
                _metric("score/mean"),
                _metric("score/low"),
                _metric("score/high"),
                _metric("runs/successes"),
                _metric("cost/parameters"),
                _metric("cost/seconds"),
                _tag("state"),
            ),
            filter=of_arms,
            order_by=_metric("score/mean"),
        ),
        View(
            "3 Score by depth",
            (_metric("score/mean"),),
            filter=of_arms,
            order_by=_tag("task"),
            ascending=True,
            group_by=("task", *varied),
            section="Step: the number of layers",
            charts=(
                _line("depth/score", "Score (mean over seeds)"),
                _line("depth/seconds", "Seconds of a training"),
            ),
            charts_a_row=2,
        ),
        View(
            "4 Skill against parameters",
            (_metric("score/mean"), _metric("cost/parameters")),
            filter=of_arms,
            order_by=_tag("task"),
            ascending=True,
            section="Every point is an arm: score against its size",
            charts=(
                _scatter(_axis("METRIC", "cost/parameters"), score, "Score against parameters"),
                _scatter(_axis("METRIC", "cost/state_size"), score, "Score against total state (cells of all layers)"),
            ),
            charts_a_row=2,
        ),
        View(
            "5 Cost",
            (_metric("cost/seconds"), _metric("cost/flops"), _metric("score/mean")),
            filter=of_arms,
            order_by=_tag("task"),
            ascending=True,
            section="What an arm costs, and what it scores for it",
            charts=(
                _bar("cost/seconds", "Seconds of a training (median)"),
                _bar("cost/flops", "FLOPs of a sequence, forward"),
                _scatter(_axis("METRIC", "cost/seconds"), score, "Score against seconds"),
                _scatter(_axis("METRIC", "cost/flops"), score, "Score against FLOPs"),
            ),
            charts_a_row=2,
        ),
    ]


def training_views() -> list[View]:
    """Views of the experiment with every training.

    A page is the first 100 runs of its order, so the order decides what a chart shows: by seed (or tuning point), every
    arm has its share. Sorting by date would nest trainings under their arms and chart none.
    """
    confirmed = "tags.kind = 'training' and tags.phase = 'confirm'"
    tuned = "tags.kind = 'training' and tags.phase = 'tune'"
    rate = _axis("PARAM", "log10_lr")
    return [
        View(
            "6 Leaderboard of trainings",
            (
                _tag("task"),
                _param("depth"),
                _param("width"),
                _metric("test/score"),
                _metric("test/loss"),
                _metric("final/validation_loss"),
                _param("learning_rate"),
                _tag("state"),
                _metric("cost/parameters"),
                _metric("cost/seconds"),
            ),
            confirmed,
            _metric("test/score"),
        ),
        View(
            "7 Learning curves by depth",
            (_metric("test/score"),),
            confirmed,
            _tag("seed"),
            ascending=True,
            group_by=("cell",),
            section="Mean over seeds, by training step",
            charts=(
                _line("validation/loss", "Validation loss", scaleType="log"),
                _line("train/loss", "Training loss", scaleType="log"),
            ),
        ),
        View(
            "8 Learning rate against loss",
            (_metric("validation/score"), _metric("final/validation_loss"), _param("learning_rate")),
            tuned,
            _param("point"),
            ascending=True,
            section="Tuning runs: log10 of the learning rate",
            charts=(
                _scatter(rate, _axis("METRIC", "final/validation_loss"), "Validation loss, in each task's own unit"),
                _scatter(rate, _axis("METRIC", "validation/score"), "Validation score (1: the best possible)"),
            ),
            charts_a_row=2,
        ),
        View(
            "9 Parallel coordinates",
            (_metric("validation/score"),),
            tuned,
            _param("point"),
            ascending=True,
            section="Settings and outcome of every tuning run",
            charts=(
                {
                    "type": "PARALLEL",
                    "displayName": "Settings and outcome",
                    "selectedParams": ["task", "depth", "width", "log10_lr"],
                    "selectedMetrics": ["cost/seconds", "validation/score"],
                    "showAllRuns": True,
                },
            ),
        ),
    ]


def write(client: MlflowClient, study: Experiment, trainings: Experiment, findings: Findings | None = None) -> None:
    """Save the views of both experiments.

    Without findings only those that are missing; with them also those that should be other than they are.
    """
    for experiment, views in ((study, study_views(findings)), (trainings, training_views())):
        for view in views:
            present = experiment.tags.get(TAG + view.key)
            state = view.state()
            if present is None or (findings is not None and read(present)["state"] != state):
                text = encode(view.name, state, experiment)
                client.set_experiment_tag(experiment.experiment_id, TAG + view.key, text)


def encode(name: str, state: dict[str, Any], experiment: Experiment) -> str:
    """A view as the tag MLflow reads. Raises ValueError above MLflow's limit."""
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    made = store.born(experiment)
    text = json.dumps({"name": name, "createdAt": made, "updatedAt": made, "state": f"deflate;{packed}"})
    if len(text) >= TAG_LENGTH:
        raise ValueError(f"the saved view {name!r} has {len(text)} characters; MLflow takes fewer than {TAG_LENGTH}")
    return text


def read(text: str) -> dict[str, Any]:
    """Inverse of `encode`: the tag's record with its state unpacked."""
    record: dict[str, Any] = json.loads(text)
    packed = record["state"].removeprefix("deflate;")
    record["state"] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return record
