"""Study: what a YAML file asks for, checked. A file holds only what differs from the defaults given here.

    name: laptop                # default: the file's stem; letters, digits, - and _
    purpose: screen             # study | screen | smoke (PROTOCOL 22; smoke claims nothing)
    tasks:
      - task: stacked_teacher   # built-in name, or path/to/file.py:Class; the study file's folder is searched before
                                # the working directory
        label: two_layers       # default: the task's name, or its class's in lower case
        parameters: {layers: 2}
        control: depth          # depth | width | null; `none`, or no such line, for a task that is no control.
                                # `null` is the null control whether quoted or not
        steps: 1500             # optimiser steps of every training on it; default: training.steps
        places: {parameters: [3000]}  # where the task stands, of the study's match and budgets; default: everywhere
    budgets: [3000]             # parameters

`benchmark.study.tuning` documents `tuning`; the classes below document the rest.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from benchmark import shipped
from benchmark.analysis.selection import CONVERGED_SEEDS
from benchmark.spec import Variant
from benchmark.study.defaults import with_checks, with_defaults
from benchmark.study.fairness import refuse_unfair
from benchmark.study.tasks import complete_parameters, locate_data, locate_tasks, refuse_unplain
from benchmark.study.tuning import Edge, Strict, Tuning
from benchmark.study.yaml import dump, explain, one_line, override, read, suggestion

Purpose = Literal["study", "screen", "smoke"]
Positive = Annotated[int, Field(ge=1)]
Match = Literal["parameters", "state", "flops"]


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise ValueError(f"expected letters, digits, - and _ only, given {value!r}")
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+", value):
        raise ValueError(f"expected small letters, digits, - and _ only, given {value!r}")
    return value


Name = Annotated[str, Field(max_length=100), AfterValidator(_name)]
Label = Annotated[str, Field(max_length=100), AfterValidator(_label)]

_NAMED_VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "residual": {"residual": True},
    "layer_norm": {"layer_norm": True},
    "readout_all": {"readout": "all"},
}


def _control(value: Any) -> Any:
    return {None: "null", "none": ""}.get(value, value) if isinstance(value, (str, type(None))) else value


class TaskEntry(Strict):
    """One task of a study. `control` is '' for a task that is no control; `steps` are optimiser steps.

    `places` are, for what is made equal, the budgets at which the task stands, all of them the study's: a control need
    not stand at every budget, nor a task at equal state where layers would be too narrow. Without it: everywhere.
    """

    task: Annotated[str, Field(min_length=1)]
    label: Label
    parameters: Annotated[dict[str, Any], AfterValidator(refuse_unplain)] = {}
    control: Annotated[Literal["", "depth", "width", "null"], BeforeValidator(_control)] = ""
    steps: Positive
    places: dict[Match, Annotated[list[Positive], Field(min_length=1)]] = {}


class VariantEntry(Strict):
    """A variant as a file gives it: the fields of `benchmark.spec.Variant`, or one of the names below.

    `plain`, `bidirectional`, `residual`, `layer_norm`, `readout_all`.
    """

    name: Name
    bidirectional: bool = False
    residual: bool = False
    layer_norm: bool = False
    readout: Literal["top", "all"] = "top"


def _named_variant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in _NAMED_VARIANTS:
        names = ", ".join(_NAMED_VARIANTS)
        near = suggestion(value, list(_NAMED_VARIANTS))
        raise ValueError(f"unknown variant {value!r}{near} (names: {names}; or a mapping with a name of its own)")
    return {"name": value, **_NAMED_VARIANTS[value]}


def _variant(entry: VariantEntry) -> Variant:
    settings = entry.model_dump()
    if entry.name in _NAMED_VARIANTS and Variant(**settings) != Variant(name=entry.name, **_NAMED_VARIANTS[entry.name]):
        raise ValueError(f"{entry.name!r} is the name of a built-in variant with other settings: choose another")
    return Variant(**settings)


if TYPE_CHECKING:
    VariantSetting = Variant
else:  # the file's mapping is checked strictly, and the study then holds the Variant that a RunSpec carries
    VariantSetting = Annotated[
        VariantEntry, BeforeValidator(_named_variant), AfterValidator(_variant), PlainSerializer(dataclasses.asdict)
    ]


class Confirmation(Strict):
    """`seeds` paired seeds at the first look; `looks` are all declared looks (PROTOCOL 15). Default: seeds 10.

    The first `doubled` of them are run again with twice the steps (PROTOCOL 10); with 0 a verdict says "at N steps".
    """

    seeds: Positive
    looks: Annotated[list[Positive], Field(min_length=1)]
    doubled: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _agrees(self) -> Confirmation:
        if self.looks[0] != self.seeds:
            raise ValueError(f"the first look ({self.looks[0]}) must be at seeds ({self.seeds})")
        if any(later <= earlier for earlier, later in zip(self.looks, self.looks[1:], strict=False)):
            raise ValueError(f"looks must increase, given {self.looks}")
        if self.doubled and not CONVERGED_SEEDS <= self.doubled <= self.seeds:
            raise ValueError(
                f"doubled is {self.doubled}: it must be 0, or {CONVERGED_SEEDS} to seeds, {self.seeds} (PROTOCOL 10)"
            )
        return self


class Training(Strict):
    """One rule for every training. `steps` is the default of tasks that state none; long ones are cut at
    `segment_steps`; `validations` is how many a training has, at fixed steps; a loss above `divergence_multiple`
    times the trivial one is divergence (PROTOCOL 8).
    """

    steps: Positive | None = None
    batch_size: Positive = 32
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    validations: Positive = 20
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    divergence_multiple: Annotated[float, Field(gt=1)] = 10.0
    segment_steps: Positive | None = None


class Analysis(Strict):
    """`margin` of practical difference, in skill, and the study's error `alpha` over all its looks (PROTOCOL 14)."""

    margin: Annotated[float, Field(gt=0, lt=1)] = 0.02
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05


class SensitivityChecks(Strict):
    """What is trained only to ask whether the answer would change.

    `one_layer_trials`: beside the arms that are compared, depth 1 is tuned with as many points as all deeper depths
    together, at equal parameters, on every task that is no control. Its verdict stands beside the study's and changes
    nothing in it. Default: true for a study that is loaded with purpose `study`; nothing is added where there is one
    deeper depth only, which was asked as many points as depth 1.
    """

    one_layer_trials: bool = False


class Study(Strict):
    """A checked study; see the module for the file. Make one with `load`, or from plain types with `from_dict`.

    `budgets` x `depths` are compared; explicit `cells`, as [[depth, width], ...], are described and not compared.
    `a_a` names the tasks on which depth 1 is compared with itself: the null control, where A/A must pass, and tasks
    that are no control, where it is printed and gates nothing. One label may stand without brackets.
    """

    name: Name
    description: str = ""
    purpose: Purpose = "study"
    tasks: Annotated[list[TaskEntry], Field(min_length=1)]
    budgets: list[Positive] = []
    depths: list[Positive] = []
    cells: list[Annotated[list[Positive], Field(min_length=2, max_length=2)]] = []
    match: Annotated[list[Match], Field(min_length=1)] = ["parameters"]
    variants: Annotated[list[VariantSetting], Field(min_length=1)]
    a_a: list[str] = []
    tuning: Tuning
    confirmation: Confirmation
    training: Training = Training()
    analysis: Analysis = Analysis()
    sensitivity: SensitivityChecks = SensitivityChecks()
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, raw: Any) -> Any:
        return with_defaults(raw)

    @field_validator("a_a", mode="before")
    @classmethod
    def _labels(cls, given: Any) -> Any:
        return [] if given is None else [given] if isinstance(given, str) else given

    @model_validator(mode="after")
    def _agrees(self) -> Study:
        if self.name == "published":
            raise ValueError("name: 'published' is the folder of published results: choose another name")
        _refuse_twice("tasks", (entry.label for entry in self.tasks), "label")
        for key in ("budgets", "depths", "match", "a_a"):
            _refuse_twice(key, getattr(self, key))
        _refuse_twice("cells", map(tuple, self.cells))
        _refuse_twice("variants", (variant.name for variant in self.variants), "name")
        if self.cells and (self.budgets or self.depths or self.a_a):
            other = "budgets" if self.budgets else "depths" if self.depths else "a_a"
            raise ValueError(f"cells: explicit cells exclude {other}: they are described, not compared")
        if self.cells and self.sensitivity.one_layer_trials:
            raise ValueError("sensitivity.one_layer_trials: explicit cells exclude it: nothing is compared")
        if not self.cells and not self.budgets:
            raise ValueError("budgets: give at least one budget, in parameters (or explicit cells)")
        if not self.cells and 1 not in self.depths:
            raise ValueError(f"depths: must contain 1, to which every other depth is compared, given {self.depths}")
        for number, entry in enumerate(self.tasks):
            if entry.steps < self.training.validations:
                raise ValueError(
                    f"tasks[{number}].steps: {entry.steps} steps are fewer than training.validations, "
                    f"{self.training.validations}"
                )
            for match, budgets in entry.places.items():
                where = f"tasks[{number}].places"
                _refuse_twice(f"{where}.{match}", budgets)
                _refuse_others(where, [match], self.match, "match")
                _refuse_others(f"{where}.{match}", budgets, self.budgets, "budgets")
        for label in self.a_a:
            self._check_a_a(label)
        return self

    def _check_a_a(self, label: str) -> None:
        labels = [entry.label for entry in self.tasks]
        if label not in labels:
            near = suggestion(label, labels)
            raise ValueError(f"a_a: no task has the label {label!r}{near} (labels: {', '.join(labels)})")
        if self.tasks[labels.index(label)].control not in ("null", ""):
            raise ValueError(
                f"a_a: task {label!r} is a control of depth or width; A/A runs on the null control, or on a task that "
                "is no control, where it is printed and gates nothing (PROTOCOL 19)"
            )
        if "parameters" not in {match for _, match in self.places(self.task(label))}:
            raise ValueError("a_a: A/A runs at equal parameters: add parameters to match")

    @classmethod
    def load(cls, path_or_name: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Study:
        """The study of a YAML file, or of the name of one that comes with Strata, fair and with its tasks found.

        `overrides` are `tasks.0.steps=10`, `analysis.margin=0.03`: dotted keys, values in YAML. Task parameters come
        out complete. Raises UserError, one line: what is wrong, where, what to do.
        """
        path = _find(path_or_name)
        where = str(path_or_name) if path == Path(path_or_name) else path.name
        raw = read(path, where)
        for text in overrides:
            override(raw, text)
        raw.setdefault("name", path.stem)
        return cls.complete(raw, path.parent, where)

    @classmethod
    def complete(cls, raw: dict[str, Any], folder: Path, where: str) -> Study:
        """The study of plain YAML types whose relative paths are sought in `folder`: fair, tasks found, dials complete.

        Raises UserError.
        """
        locate_tasks(raw, folder, where)
        locate_data(raw, folder, where)
        complete = cls.from_dict(with_checks(raw), where).resolved()
        complete_parameters(complete, where)
        study = cls.from_dict(complete, where)
        refuse_unfair(study, where)
        return study

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], where: str = "study") -> Study:
        """The study of plain YAML types, such as `resolved()` gave. Raises UserError; looks for no task or file."""
        try:
            return cls.model_validate(dict(raw))
        except ValidationError as error:
            raise explain(error, cls, where) from None

    def resolved(self) -> dict[str, Any]:
        """All of the study in plain YAML types: `from_dict` gives an equal study."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """`resolved()` as YAML text."""
        return dump(self.resolved())

    def points(self) -> list[dict[str, float]]:
        """The tuning points in order, the same for every arm: names and values of the tuned hyperparameters only."""
        return self.tuning.ask(self.seed)

    def points_beyond(self, edge: Edge) -> list[dict[str, float]]:
        """Two more points beyond that edge of the learning rate, nearest first (PROTOCOL 5)."""
        return self.tuning.beyond(edge, self.seed)

    def further_points(self, points: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
        """What depth 1 is asked beside the `points` of every arm, so that it has as many as all deeper depths together.

        See `Tuning.further`.
        """
        return self.tuning.further(points, (len(self.depths) - 1) * len(points), self.seed)

    def tunes_one_layer_more(self, entry: TaskEntry) -> bool:
        """Whether depth 1 is tuned with more points on this task, at equal parameters, beside the arms compared."""
        return self.sensitivity.one_layer_trials and not entry.control and len(self.depths) > 2

    def places(self, entry: TaskEntry) -> list[tuple[int, Match]]:
        """Budget and match of a task's contrasts, in the study's order."""
        everywhere = [(budget, match) for budget in self.budgets for match in self.match]
        return [place for place in everywhere if not entry.places or place[0] in entry.places.get(place[1], [])]

    def steps(self, entry: TaskEntry) -> int:
        """Optimiser steps of every training on a task."""
        return entry.steps

    def task(self, label: str) -> TaskEntry:
        """The task of that label. Raises KeyError."""
        return {entry.label: entry for entry in self.tasks}[label]

    @property
    def look_alpha(self) -> float:
        """Error that one look may spend: alpha shared equally by the declared looks."""
        return self.analysis.alpha / len(self.confirmation.looks)

    def families(self) -> tuple[int, int]:
        """Contrasts of the primary family and of the controls, A/A counted with them (PROTOCOL 12)."""
        if self.cells:
            return 0, 0
        primary = controls = 0
        for entry in self.tasks:
            places = self.places(entry)
            if entry.control:
                controls += len(places)
            else:
                primary += len(places)
            if entry.label in self.a_a:
                controls += sum(match == "parameters" for _, match in places)
        return primary * len(self.variants), controls * len(self.variants)


def _refuse_twice(key: str, values: Iterable[Hashable], what: str = "") -> None:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        value = list(twice[0]) if isinstance(twice[0], tuple) else twice[0]
        raise ValueError(f"{key}: {what + ' ' if what else ''}{value!r} appears twice: each must be unique")


def _refuse_others(key: str, values: Iterable[Any], known: Sequence[Any], what: str) -> None:
    if others := [value for value in values if value not in known]:
        there = ", ".join(map(str, known))
        raise ValueError(f"{key}: {others[0]} is not among the study's {what} ({there}): add it there, or leave it out")


_TABLES = {".csv", ".tsv", ".gz", ".zip", ".parquet", ".xlsx"}
"""Ends of names that a person gives who forgot `--csv`."""


def _find(path_or_name: str | os.PathLike[str]) -> Path:
    path = Path(path_or_name)
    if path.suffix.lower() in _TABLES:
        raise one_line(f"{path}: is a table and no study: ask about it with strata sweep --csv {path} --target COLUMN")
    if path.is_file():
        return path
    names = shipped.configurations()
    if path.stem == str(path) and str(path) in names:
        return shipped.configuration(str(path))
    known = f"studies that come with Strata: {', '.join(names)}" if names else "give the path of a YAML file"
    if path.is_dir():
        raise one_line(f"{path}: is a folder, not a study file; {known}")
    raise one_line(f"{path}: no such file{suggestion(str(path), names)} ({known})")
