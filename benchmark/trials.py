"""The arms' Optuna studies: a projection of the journal that a person can open in Optuna's own tools.

The driver computes the points (every arm the same, PROTOCOL 5), enqueues them and tells the results in point order.
Both calls may be repeated: what is there already is left, what a killed driver left running is settled.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from benchmark import addresses
from benchmark.conduct import Request, score
from benchmark.errors import UserError
from benchmark.spec import RunResult

_LIVE = (TrialState.RUNNING, TrialState.WAITING)


class TrialsUnavailable(Exception):
    """The storage cannot be used now: nothing is lost, the trials are told later. One line."""


class Trials:
    """One Optuna study per arm in one storage; trials are asked in batches and told in point order.

    `ask` and `tell` raise TrialsUnavailable when the storage cannot be reached or written; calling again with the same
    arguments repairs what was cut short.
    """

    def __init__(self, url: str, study: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.url, self.study = url, study
        try:
            with addresses.first_use(url):
                self.storage = optuna.storages.get_storage(_storage(url))
        except Exception as error:
            raise UserError(
                f"the Optuna storage {addresses.shown(url)} cannot be opened ({_one_line(error)}): {_mend(url, error)}"
            ) from None
        self._studies: dict[str, optuna.Study] = {}

    def _of(self, arm: str) -> optuna.Study:
        if arm not in self._studies:
            study = optuna.create_study(
                storage=self.storage,
                study_name=f"{self.study}/{arm}",
                direction="maximize",
                load_if_exists=True,
                sampler=optuna.samplers.RandomSampler(seed=0),  # never used: every point is enqueued
            )
            if study.metric_names is None:
                with warnings.catch_warnings():  # "experimental"; without it a dashboard says `Objective 0`
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    study.set_metric_names(["validation score"])
            self._studies[arm] = study
        return self._studies[arm]

    def ask(self, batch: Sequence[Request], results: Mapping[str, RunResult]) -> None:
        """Have a trial for every request of a batch of tuning points, RUNNING until its result is told."""
        with self._reachable():
            self._ask(batch, results)

    def _ask(self, batch: Sequence[Request], results: Mapping[str, RunResult]) -> None:
        for arm, requests in _by_arm(batch).items():
            study = self._of(arm)
            trials = {t.user_attrs["key"]: t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL}
            missing = []
            for request in requests:
                trial = trials.get(request.spec.key)
                if trial is not None and trial.state == TrialState.RUNNING and request.spec.key not in results:
                    study.tell(trial.number, state=TrialState.FAIL)  # its driver died: the point is asked again
                    trial = None
                if trial is None:
                    missing.append(request)
            for request in missing:
                setting = _setting(request)
                study.enqueue_trial(setting, user_attrs={"key": request.spec.key, "point": request.point})
            waiting = sum(t.state == TrialState.WAITING for t in study.get_trials(deepcopy=False))
            for _ in range(waiting):
                study.ask(fixed_distributions=_distributions(requests[0]))

    def tell(self, batch: Sequence[Request], results: Mapping[str, RunResult]) -> None:
        """Tell the results of a batch in point order; a diverged training is complete, and worst."""
        with self._reachable():
            self._tell(batch, results)

    def _tell(self, batch: Sequence[Request], results: Mapping[str, RunResult]) -> None:
        for arm, requests in _by_arm(batch).items():
            study = self._of(arm)
            live = {t.user_attrs["key"]: t for t in study.get_trials(deepcopy=False) if t.state in _LIVE}
            for request in sorted(requests, key=lambda request: request.point):
                trial: FrozenTrial | None = live.get(request.spec.key)
                if trial is None:
                    continue
                result = results[request.spec.key]
                if result.status == "failed":
                    study.tell(trial.number, state=TrialState.FAIL)
                elif result.status == "pruned":
                    study.tell(trial.number, state=TrialState.PRUNED)
                else:
                    study.tell(trial.number, score(request, result))

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
            raise TrialsUnavailable(_one_line(error)) from error

    def clean(self) -> int:
        """Delete every arm's study of this study; returns how many there were."""
        names = [n for n in optuna.get_all_study_names(self.storage) if n.startswith(f"{self.study}/")]
        for name in names:
            optuna.delete_study(study_name=name, storage=self.storage)
        self._studies.clear()
        return len(names)


def _storage(url: str) -> str | optuna.storages.BaseStorage:
    """A database server may be restarted: a connection is tried before it is used. Other storages as Optuna has it."""
    if not addresses.is_postgres(url):
        return url
    return optuna.storages.RDBStorage(addresses.with_driver(url), engine_kwargs={"pool_pre_ping": True})


def _mend(url: str, error: Exception) -> str:
    if isinstance(error, ImportError) and addresses.is_postgres(url):
        return "install its driver with `pip install 'strata-lstm[postgres]'`"
    if url.startswith("sqlite:"):
        return "move the file away or give another storage"
    return "start the server, set STRATA_OPTUNA_URL right, or unset it to use a local file"


def _one_line(error: Exception) -> str:
    """What a library says, without the SQL and the passwords in it."""
    said = str(error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error)
    return addresses.hidden(" ".join(said.split("\n[SQL")[0].split("(Background on")[0].split()))[:200]


def _by_arm(batch: Sequence[Request]) -> dict[str, list[Request]]:
    arms: dict[str, list[Request]] = {}
    for request in batch:
        if request.phase == "tune":
            arms.setdefault(request.arm.name, []).append(request)
    return arms


def _setting(request: Request) -> dict[str, float]:
    """The tuned hyperparameters of a request: those that the study's points name."""
    return {name: getattr(request.spec.hyperparameters, name) for name in request.group.study.points()[0]}


def _distributions(request: Request) -> dict[str, BaseDistribution]:
    """Wide enough for points beyond an edge: Optuna proposes nothing here, it only records."""
    wide: dict[str, BaseDistribution] = {
        "learning_rate": FloatDistribution(1e-7, 1e2, log=True),
        "weight_decay": FloatDistribution(0.0, 1e2),
        "dropout": FloatDistribution(0.0, 1.0),
    }
    return {name: wide[name] for name in _setting(request)}
