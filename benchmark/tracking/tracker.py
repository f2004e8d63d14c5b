"""`Tracker`: MLflow as an idempotent projection of the journal, written by the driver alone."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.analysis.findings import Findings
from benchmark.environment import git_state
from benchmark.errors import UserError
from benchmark.spec import RunResult, RunSpec
from benchmark.tracking import note, publish, store, views
from benchmark.tracking import projection as project
from benchmark.tracking.mlflow_api import Experiment, MlflowClient, Run, RunTag, get_artifact_repository

_MLFLOW_STATUS = {"done": "FINISHED", "diverged": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


@dataclass
class _Recorded:
    run_id: str
    status: str
    arms: str
    data: str = ""
    """The digest of its data, as MLflow keeps it."""

    @classmethod
    def of(cls, run: Run) -> _Recorded:
        """What a run of the store says of itself."""
        given = run.inputs.dataset_inputs if run.inputs else []
        data = given[0].dataset.digest if given else ""
        return cls(run.info.run_id, run.info.status, run.data.tags.get("arms", ""), data)


class Tracker:
    """MLflow for one study. Made by `open`; `reconcile` once at start, `record` per result, `publish` per look.

    Two experiments: `<study>`, which people read, and `<study>/trainings`, with every training under its arm. While a
    sweep runs, `advance` shows trainings that are cut and go on, `publish_partial` what is complete so far, and
    `tell_status` how far the study is. All but `open` raise TrackingUnavailable when the store cannot be reached or
    written; after that the next call reads the store anew, so that calling again with the same arguments repairs what
    was cut short.
    """

    def __init__(self, client: MlflowClient, uri: str, study: Experiment, trainings: Experiment) -> None:
        """Of experiments that exist; a person calls `open`."""
        self.client, self.uri, self.study, self.trainings = client, uri, study, trainings
        self._provenance = _provenance()
        self._runs: dict[str, _Recorded] | None = None
        self._parents: dict[str, str] = {}
        self._going_on: dict[str, tuple[Run, int]] = {}
        """Key -> run of a training that was cut and goes on, and how many points of its curves are there."""

    @classmethod
    def open(cls, study_name: str, workspace: Path, uri: str | None = None) -> Tracker:
        """Reach MLflow (or make its database) and make the study's experiments.

        `uri` defaults to `MLFLOW_TRACKING_URI`, else `sqlite:///<workspace>/mlflow.db`. Raises UserError when the
        database is broken or cannot be written, the server away, or an experiment was deleted in the UI.
        """
        uri = store.resolve_uri(workspace, uri)
        client = store.connect(uri)
        artifacts = store.artifact_folder(workspace, study_name) if store.local_database(uri) else None
        try:
            with store.reachable(uri):
                study, trainings = (
                    store.ensure_experiment(client, name, artifacts / folder if artifacts else None)
                    for name, folder in ((study_name, "study"), (store.TRAININGS.format(study=study_name), "trainings"))
                )
                for experiment in (study, trainings):
                    publish.introduce(client, experiment, study_name)
                views.write(client, study, trainings)
        except store.TrackingUnavailable as error:
            raise UserError(str(error)) from error
        return cls(client, uri, study, trainings)

    def reconcile(self) -> set[str]:
        """Repair what a kill left, and return the keys that have a finished or failed run.

        A training left RUNNING becomes KILLED with `state=lost`; of several FINISHED runs of a key the first stays.
        """
        self._runs, self._parents, self._going_on = None, {}, {}
        with store.reachable(self.uri):
            runs: dict[str, _Recorded] = {}
            for run in store.search(self.client, self.trainings.experiment_id):
                tags = run.data.tags
                if tags.get("kind") == "arm":
                    self._keep_parent(tags["arm"], run)
                elif "key" not in tags:
                    continue
                elif run.info.status == "RUNNING":
                    self._end_lost(run)
                elif run.info.status in ("FINISHED", "FAILED"):
                    self._keep_first(runs, _Recorded.of(run), tags["key"])
        self._runs = runs
        return set(runs)

    def _end_lost(self, run: Run) -> None:
        self.client.set_tag(run.info.run_id, "state", "lost")
        self.client.set_terminated(run.info.run_id, "KILLED")

    def _keep_parent(self, arm: str, run: Run) -> None:
        if run.info.status != "FINISHED":
            self.client.set_terminated(run.info.run_id, "FINISHED")
        self._parents.setdefault(arm, run.info.run_id)

    def _keep_first(self, runs: dict[str, _Recorded], found: _Recorded, key: str) -> None:
        """A finished run stands for its key before a failed one, and the first before later ones."""
        kept = runs.get(key)
        if kept is None:
            runs[key] = found
        elif kept.status == "FAILED" and found.status == "FINISHED":
            self.client.delete_run(kept.run_id)
            runs[key] = found
        else:
            self.client.delete_run(found.run_id)

    def record(
        self,
        spec: RunSpec,
        result: RunResult,
        row: Mapping[str, Any],
        memberships: Sequence[Mapping[str, Any]],
    ) -> None:
        """Project one result: exactly one run for its key, under the first of its arms, tagged with all of them.

        `row` is the run's row of the evidence (RUNS columns) and `memberships` its rows of MEMBERS, at least one.
        Called again it changes nothing, but for arms that joined since. A failed run is replaced when a retry finished,
        and a finished one when it was trained again on the data of another processor.
        """
        runs = self._known()
        try:
            with store.reachable(self.uri):
                known = runs.get(spec.key)
                status, arms = _MLFLOW_STATUS[result.status], project.join_arms(memberships)
                data = result.data_hash[: project.DIGEST_LENGTH]
                again = known is not None and status == known.status == "FINISHED" and data != known.data
                if known is not None and not again and (known.status == status or known.status == "FINISHED"):
                    if known.arms != arms:
                        self.client.set_tag(known.run_id, "arms", arms)
                        known.arms = arms
                    return
                run_id = self._write(spec, result, row, memberships)
                if known is not None:
                    self.client.delete_run(known.run_id)
                runs[spec.key] = _Recorded(run_id, status, arms, data)
        except store.TrackingUnavailable:
            self._runs = None
            raise

    def advance(
        self,
        spec: RunSpec,
        row: Mapping[str, Any],
        memberships: Sequence[Mapping[str, Any]],
        curves: Sequence[tuple[int, str, int, float]],
    ) -> None:
        """Show a training that was cut and goes on: a run that is RUNNING until `record`, with its curves so far."""
        runs = self._known()
        try:
            with store.reachable(self.uri):
                if spec.key in runs:  # an earlier try failed: what it left is replaced when this one is done
                    return
                run, known = self._going_on.get(spec.key) or (self._create(spec, row, memberships), 0)
                # Every time anew: a run that was just made may have been left without them.
                params, tags = project.training_params(spec, memberships[0]), [RunTag("state", "running")]
                self.client.log_batch(run.info.run_id, project.curve_metrics(curves[known:]), params, tags)
                self._going_on[spec.key] = run, len(curves)
        except store.TrackingUnavailable:
            self._runs = None
            raise

    def _known(self) -> dict[str, _Recorded]:
        if self._runs is None:
            self.reconcile()
        assert self._runs is not None
        return self._runs

    def _create(
        self,
        spec: RunSpec,
        row: Mapping[str, Any],
        memberships: Sequence[Mapping[str, Any]],
        result: RunResult | None = None,
    ) -> Run:
        """A RUNNING run below its arm, of a training that goes on or, with a `result`, of one that is over."""
        first, known = memberships[0], result or RunResult(key=spec.key, status="done")
        tags = project.training_tags(spec, known, row, memberships) | self._provenance
        tags["mlflow.parentRunId"] = self._parent(spec, row, first)
        return self.client.create_run(
            self.trainings.experiment_id,
            start_time=project.milliseconds() - round(1000 * (result.seconds if result else 0.0)),
            tags=tags if result else tags | {"state": "running"},
            run_name=project.run_name(spec, row, first),
        )

    def _write(
        self, spec: RunSpec, result: RunResult, row: Mapping[str, Any], memberships: Sequence[Mapping[str, Any]]
    ) -> str:
        """Create RUNNING, fill, and finish as the last call: a kill in between leaves a RUNNING run to repair."""
        run, known = self._going_on.get(spec.key) or (self._create(spec, row, memberships, result), 0)
        run_id: str = run.info.run_id
        ended = project.milliseconds()
        tags = project.training_tags(spec, result, row, memberships)
        told = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
        metrics = project.training_metrics(spec, replace(result, curves=result.curves[known:]))
        self.client.log_batch(run_id, metrics, project.training_params(spec, memberships[0]), told)
        if (data := project.dataset(spec, result, row)) is not None:
            self.client.log_inputs(run_id, [data])
        # The client would read the run back for every artifact, only to learn its address.
        artifacts = get_artifact_repository(run.info.artifact_uri, self.uri)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "spec.yaml").write_text(project.spec_as_yaml(spec))
            if result.error:
                (Path(folder) / "traceback.txt").write_text(result.error)
            artifacts.log_artifacts(folder)
        self.client.set_terminated(run_id, _MLFLOW_STATUS[result.status], ended)
        self._going_on.pop(spec.key, None)
        return run_id

    def _parent(self, spec: RunSpec, row: Mapping[str, Any], membership: Mapping[str, Any]) -> str:
        arm = str(membership["arm"])
        if arm not in self._parents:
            tags = project.arm_tags(spec, row, membership) | {"kind": "arm"} | self._provenance
            name = f"{tags['cell']} · budget {membership['budget']}"
            run = self.client.create_run(self.trainings.experiment_id, tags=tags, run_name=name)
            self.client.set_terminated(run.info.run_id, "FINISHED")
            self._parents[arm] = run.info.run_id
        return self._parents[arm]

    def publish(self, findings: Findings, folder: Path) -> None:
        """Put the answer on top: the run `verdict` with the report, a run per comparison and arm, notes, saved views.

        `folder` is the study's results folder; of its files those that a browser can show become artifacts. Called
        again with the same findings it changes nothing.
        """
        with store.reachable(self.uri):
            # A server that broke off an answer was asked again by MLflow's client, and may have made a run twice.
            for run in store.search(self.client, self.trainings.experiment_id, "attributes.status = 'RUNNING'"):
                self._end_lost(run)
            text = note.note(findings)
            state = "exploratory" if findings.exploratory else findings.purpose
            publish.artifacts(self.client, self._show(findings, text, state), folder)
            publish.notes(self.client, self.study, self.trainings, findings.headline, text)

    def publish_partial(self, findings: Findings, standing: Sequence[Sequence[str]]) -> None:
        """The same while trainings are missing, marked so: no artifacts, and notes only with the next `tell_status`."""
        with store.reachable(self.uri):
            self._show(findings, note.partial_note(findings, standing), publish.PARTIAL)

    def _show(self, findings: Findings, text: str, state: str) -> str:
        self._read_experiments()
        publish.rows(self.client, self.study, findings, self._provenance)
        run_id = publish.verdict(self.client, self.study, findings, self._provenance, text, state)
        publish.scores(self.client, self.trainings, findings)
        views.write(self.client, self.study, self.trainings, findings)
        return run_id

    def tell_status(self, line: str) -> None:
        """One line on how far the study is, before whatever the run `verdict` says so far."""
        with store.reachable(self.uri):
            self._read_experiments()
            found = store.search(self.client, self.study.experiment_id, "tags.kind = 'verdict'")
            known = found[0].data.tags.get(note.NOTE, "") if found else ""
            publish.notes(self.client, self.study, self.trainings, line, f"{line}\n\n{known}".strip())

    def _read_experiments(self) -> None:
        """Their tags may have changed since `open`, by an earlier publication or in the UI."""
        self.study, self.trainings = (
            self.client.get_experiment(experiment.experiment_id) for experiment in (self.study, self.trainings)
        )


def _provenance() -> dict[str, str]:
    """Tags that say who ran which source: MLflow's own names where its UI shows them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = ""
    commit, dirty = git_state()
    return project.texts(
        {
            "project": store.PROJECT,
            "mlflow.user": user,
            "mlflow.source.name": "strata",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": commit,
            "git.commit": commit or "none",
            "git.dirty": {True: "yes", False: "no", None: None}[dirty],
        }
    )
