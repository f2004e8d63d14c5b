"""The perturbation experiment on networks whose decay is known in closed form, on untrained ones, and as a command."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from torch import nn

from benchmark import evidence
from benchmark.analysis.analyse import analyse
from benchmark.analysis.decay import HALF, ONE_OVER_E, area, time_to
from benchmark.analysis.timescales import timescales
from benchmark.cli import main
from benchmark.errors import UserError
from benchmark.evidence import LAYERS, TIMESCALES
from benchmark.executors.serial import SerialExecutor
from benchmark.journal import Journal
from benchmark.judging import judge
from benchmark.lstm import StackedLSTM, build, parameters_of
from benchmark.plan import groups
from benchmark.publish import publish
from benchmark.rows import gather
from benchmark.scoring import evaluate
from benchmark.sizing import network_shape
from benchmark.spec import Variant
from benchmark.splits import Tensors, to_tensors
from benchmark.sweep import Driver
from benchmark.timescales.ablate import ablate, mean_outputs
from benchmark.timescales.networks import Chosen, network_of
from benchmark.timescales.perturb import SITES, Response, Sites, choose, perturb, states
from benchmark.timescales.run import measure
from benchmark.timescales.tables import ablations, membership, traces
from tasks import registry
from tasks.synthetic.multi_scale import MultiScale
from tasks.synthetic.recall import Recall
from tasks.task import Split, SplitName
from tests.conftest import ROOT
from tests.studies import NAME, tiny_study

PLACE = {"key": "a", "task": "made up", "depth": 1, "network": "trained"}
ONE_WAY = [
    Variant(),
    Variant(name="residual", residual=True),
    Variant(name="normed", residual=True, layer_norm=True, readout="all"),
]


def network(depth: int = 2, width: int = 5, inputs: int = 3, seed: int = 0, **settings: object) -> StackedLSTM:
    return build(seed=seed, inputs=inputs, outputs=1, depth=depth, width=width, **settings).double()


def noise(sequences: int = 40, time: int = 60, features: int = 3, seed: int = 0) -> Split:
    inputs = np.random.default_rng(seed).normal(size=(sequences, time, features)).astype("float32")
    return Split(inputs=inputs, targets=np.zeros(sequences, dtype="float32"))


def as_read(split: Split) -> torch.Tensor:
    return torch.from_numpy(split.inputs).double()


@torch.no_grad()
def forgetting(*keeps: float, scale: float = 1e-4) -> StackedLSTM:
    """A layer for each of `keeps`, its constant forget gate: c_t = f c_{t-1} + tanh(W x_t), and no recurrence in h.

    Of a small input tanh is a straight line to 1e-8, so that what a layer passes up is half its cell state.
    """
    made = network(len(keeps))
    for (lstm,), keep in zip(made.lstms, keeps, strict=True):
        weights, width = parameters_of(lstm), made.width
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            weights[name].zero_()
        weights["bias_ih"][:width] = 40.0  # the input gate is open
        weights["bias_ih"][width : 2 * width] = math.log(keep / (1 - keep))
        values = weights["weight_ih"][2 * width : 3 * width]
        values.copy_(scale * torch.randn(values.shape, generator=torch.Generator().manual_seed(1)))
    return made


def response(made: StackedLSTM, split: Split, sites: int = 200) -> tuple[Response, Sites]:
    where = choose(split, seed=0, sites=sites)
    return perturb(made, as_read(split), where), where


# --- known decay ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.3, 0.8, 0.95])
def test_a_constant_forget_gate_decays_as_its_powers(keep: float) -> None:
    """Of c exactly, however large the change: it is the difference of two sums that differ in one term."""
    found, sites = response(forgetting(keep, scale=1.0), noise())
    curve = found.curves()[1, 0]
    lags = np.arange(sites.window + 1)
    assert curve / curve[0] == pytest.approx(keep**lags, rel=1e-4)
    assert time_to(HALF, curve) == pytest.approx(math.log(0.5) / math.log(keep), rel=1e-4)
    assert time_to(ONE_OVER_E, curve) == pytest.approx(-1 / math.log(keep), rel=1e-4)
    assert area(curve) == pytest.approx((1 - keep ** len(lags)) / (1 - keep), rel=1e-4)


def test_two_layers_each_decay_at_their_own_rate() -> None:
    """The upper one sums what decays below it: (a^(lag+1) - b^(lag+1)) / (a - b) for forget gates a and b."""
    lower, upper = 0.2, 0.9
    found, sites = response(forgetting(lower, upper), noise())
    lags = np.arange(sites.window + 1)

    def closed(lag: float) -> float:
        return (upper ** (lag + 1) - lower ** (lag + 1)) / (upper - lower)

    for curve in found.curves()[:, 0]:
        assert curve / curve[0] == pytest.approx(lower**lags, rel=1e-4)
    expected = np.array([closed(float(lag)) for lag in lags])
    peak = int(expected.argmax())
    assert peak > 0
    half = optimize.brentq(lambda lag: closed(lag) - expected.max() / 2, peak, sites.window)
    for curve in found.curves()[:, 1]:
        assert curve / curve.max() == pytest.approx(expected / expected.max(), rel=1e-4)
        assert time_to(HALF, curve) == pytest.approx(half, rel=1e-4)


@given(st.floats(0.05, 0.999), st.floats(0.1, 0.9), st.integers(2, 50))
def test_an_exponential_is_timed_exactly_or_censored(keep: float, share: float, window: int) -> None:
    curve = 7.0 * keep ** np.arange(window + 1)
    exact = math.log(share) / math.log(keep)
    found = float(time_to(share, curve))
    assert found == pytest.approx(exact, rel=1e-6) if exact < window else found == math.inf or exact <= window
    assert area(curve) <= window + 1


def test_what_never_falls_is_censored_and_what_is_not_there_has_no_time() -> None:
    curves = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 0.6], [0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.2, 1.0, 0.5]])
    assert time_to(HALF, curves) == pytest.approx([math.inf, math.inf, math.nan, 0.5, 2.0], nan_ok=True)
    assert area(curves) == pytest.approx([3.0, 1.6, math.nan, 1.0, 1.7], nan_ok=True)


# --- the states -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ONE_WAY, ids=lambda variant: variant.name)
def test_states_are_those_that_torch_reaches_step_by_step(variant: Variant) -> None:
    made, inputs = network(3, variant=variant), torch.randn(4, 9, 3, dtype=torch.float64)
    hidden, cells = states(made, inputs)
    assert hidden.shape == cells.shape == (3, 9, 4, 5)
    with torch.no_grad():
        below, passed_up = inputs.transpose(0, 1), []
        for index, (lstm,) in enumerate(made.lstms):
            for last in range(1, 10):
                _, (h, c) = lstm(below[:last])
                assert torch.allclose(hidden[index, last - 1], h[0], atol=1e-12)
                assert torch.allclose(cells[index, last - 1], c[0], atol=1e-12)
            above = hidden[index] + below if variant.residual and index else hidden[index]
            below = made.norms[index](above) if variant.layer_norm else above
            passed_up.append(below)
        top = made.readout(torch.cat(passed_up, dim=-1) if variant.readout == "all" else below)
    assert torch.allclose(top.transpose(0, 1), made(inputs), atol=1e-12)
    assert not any(lstm._forward_hooks for layer in made.lstms for lstm in layer)


def test_a_bidirectional_network_is_refused_in_one_line() -> None:
    made = network(variant=Variant(name="both", bidirectional=True))
    split = noise()
    for refused in (
        lambda: states(made, as_read(split)),
        lambda: ablate(made, MultiScale(), Tensors(as_read(split), torch.zeros(40), None)),
    ):
        with pytest.raises(UserError, match="bidirectional") as error:
            refused()
        assert "\n" not in str(error.value)


# --- the sites --------------------------------------------------------------------------------------------------------


@given(st.integers(2, 400), st.integers(4, 40), st.integers(0, 5))
def test_sites_are_enough_counted_and_changed(sequences: int, time: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(max(1, time - 3), time + 1, size=sequences)
    inputs = generator.integers(0, 3, size=(sequences, time))
    for split in (
        Split(inputs, np.zeros(sequences), lengths=lengths),
        Split(np.repeat(inputs[..., None], 2, axis=2).astype("float32"), np.zeros(sequences), lengths=lengths),
    ):
        try:
            sites = choose(split, seed)
        except UserError as error:
            assert "too few or too short" in str(error) or "one symbol" in str(error)
            continue
        assert sites.steps.size >= SITES and len(set(sites.sequences)) == len(sites.sequences) <= 256
        assert sites.steps.min() >= sites.washout
        assert (sites.steps + sites.window < lengths[sites.sequences][:, None]).all()
        assert (sites.donor_steps < lengths[sites.donors]).all()
        if split.inputs.ndim == 2:
            own = inputs[sites.sequences[:, None], sites.steps]
            assert (inputs[sites.donors, sites.donor_steps] != own).all()
        else:
            assert (sites.donors != sites.sequences[:, None]).all()
        again = choose(split, seed)
        assert all(np.array_equal(getattr(sites, name), getattr(again, name)) for name in ("steps", "donors"))


def test_other_symbols_come_as_often_as_they_are() -> None:
    tokens = np.array([[0] * 5 + [1] * 15 + [2] * 20] * 50)
    sites = choose(Split(tokens, np.zeros(50)), 0, sites=40_000)
    own = tokens[sites.sequences[:, None], sites.steps]
    put = tokens[sites.donors, sites.donor_steps]
    assert put[own == 1].size > 1000
    assert (put[own == 1] == 2).mean() == pytest.approx(20 / 25, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "what"), [((1, 30, 2), "too few"), ((50, 3, 2), "too short"), ((9, 30), "one symbol")]
)
def test_what_cannot_be_measured_is_said(shape: tuple[int, ...], what: str) -> None:
    with pytest.raises(UserError, match=what):
        choose(Split(np.zeros(shape, dtype="int64"), np.zeros(shape[0])), 0)


# --- the response -----------------------------------------------------------------------------------------------------


def test_nothing_differs_before_the_change() -> None:
    split, made = noise(), network(3)
    sites = choose(split, 0)
    inputs = as_read(split)[sites.sequences]
    changed, rows = inputs.clone(), torch.arange(len(inputs))
    changed[rows, sites.steps[:, 0]] = as_read(split)[sites.donors[:, 0], sites.donor_steps[:, 0]]
    apart = (states(made, changed) - states(made, inputs)).norm(dim=-1)
    for row, step in enumerate(sites.steps[:, 0]):
        assert (apart[:, :, :step, row] == 0.0).all()
        assert (apart[:, :, step, row] > 0.0).all()
    found = perturb(made, as_read(split), sites).distances[:, :, :, 0]
    expected = np.stack([apart[:, :, s : s + sites.window + 1, row] for row, s in enumerate(sites.steps[:, 0])], axis=2)
    assert found == pytest.approx(expected, abs=1e-12)


def test_unrelated_sequences_are_at_distance_one() -> None:
    """Changing every input, not one, makes another sequence of it: the distance is then the unit that it is told in."""
    split, made = noise(sequences=200), network(2)
    found, sites = response(made, split)
    first = states(made, as_read(split)[sites.sequences])
    other = states(made, as_read(noise(sequences=200, seed=1)))
    steps = slice(sites.washout, sites.washout + sites.window + 1)
    apart = (first - other).norm(dim=-1)[:, :, steps].mean(dim=(2, 3)).numpy()
    assert apart / found.unrelated.mean(axis=-1) == pytest.approx(np.ones((2, 2)), abs=0.03)


def test_cutting_the_sequences_into_parts_changes_only_whom_they_are_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split, made = noise(), network(2)
    sites = choose(split, 0, sites=100)
    whole = perturb(made, as_read(split), sites)
    monkeypatch.setattr("benchmark.timescales.perturb.NUMBERS", 60 * 4 * 5 * 7)
    cut = perturb(made, as_read(split), sites)
    assert cut.distances == pytest.approx(whole.distances, abs=1e-12)
    assert cut.unrelated.mean(-1) == pytest.approx(whole.unrelated.mean(-1), rel=0.05)


@pytest.mark.parametrize("embedding", [0, 4])
def test_tokens_are_changed_whether_they_are_looked_up_or_not(embedding: int) -> None:
    task = Recall(time=12, train=64)
    assert task.tokens and not task.embedding
    split = task.data("validation", 0)
    held = to_tensors(split, task, dtype=torch.float64, device=torch.device("cpu"))
    inputs = torch.from_numpy(split.inputs) if embedding else held.inputs
    made = network(2, inputs=task.tokens, embedding=embedding)
    found = perturb(made, inputs, choose(split, 0, sites=100))
    assert (found.distances[:, 0, ..., 0] > 0).all()


def test_a_network_that_ignores_its_input_has_no_trace_and_no_time() -> None:
    made, split = network(2), noise()
    with torch.no_grad():
        parameters_of(made.lstms[0][0])["weight_ih"].zero_()
    found, sites = response(made, split)
    assert (found.curves() == 0.0).all() and (found.unrelated == 0.0).all()
    curves, layers = traces(found, sites, None, PLACE)
    assert {row["distance"] for row in curves} == {0.0}
    assert {row["value"] for row in layers} == {None} and not any(row["censored"] for row in layers)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_trace_that_outlasts_the_window_is_said_to_be_censored() -> None:
    found, sites = response(forgetting(0.999), noise())
    rows = [row for row in traces(found, sites, None, PLACE)[1] if row["state"] == "c"]
    for row in rows:
        censored = row["measure"] != "area"
        assert row["censored"] is censored
        if censored:
            assert row["value"] == row["low"] == sites.window and row["high"] is None
        assert row["sites"] == sites.steps.size


def test_intervals_are_over_sequences_and_hold_the_known_half_life() -> None:
    found, sites = response(forgetting(0.8, scale=1.0), noise())
    rows = {row["measure"]: row for row in traces(found, sites, None, PLACE)[1] if row["state"] == "c"}
    assert rows["half_life"]["value"] == pytest.approx(math.log(0.5) / math.log(0.8), rel=1e-4)
    assert rows["half_life"]["low"] == pytest.approx(rows["half_life"]["high"], rel=1e-6)  # every site decays alike
    distances = found.distances.copy()
    distances[:, :, : len(sites.sequences) // 2] *= 3.0  # sequences that answer more
    wide = dataclasses.replace(found, distances=distances)
    once = [row for row in traces(wide, sites, None, PLACE)[0] if row["state"] == "c" and row["lag"] == 0][0]
    per_sequence = distances[1, 0, :, :, 0].mean(axis=1) / found.unrelated[1, 0].mean()
    error = per_sequence.std(ddof=1) / math.sqrt(len(per_sequence))
    assert once["distance"] == pytest.approx(per_sequence.mean())
    assert (once["high"] - once["low"]) / (2 * 2.02 * error) == pytest.approx(1, abs=0.25)
    # Two groups resampled whole: the same sequences, and far less known.
    groups = np.empty(40, dtype=object)
    groups[sites.sequences] = np.repeat(["a", "b"], [20, 20])
    grouped = [row for row in traces(wide, sites, groups, PLACE)[0] if row["state"] == "c" and row["lag"] == 0][0]
    assert grouped["distance"] == pytest.approx(once["distance"])
    assert grouped["high"] - grouped["low"] > 1.5 * (once["high"] - once["low"])


def test_units_are_groups_where_there_are_several() -> None:
    assert np.array_equal(membership(np.array(["b", "a", "b"]), 3), [[0, 1, 0], [1, 0, 1]])
    assert np.array_equal(membership(None, 3), np.eye(3)) and np.array_equal(
        membership(np.array(["a"] * 3), 3), np.eye(3)
    )


# --- ablation ---------------------------------------------------------------------------------------------------------


def data(task: MultiScale) -> Tensors:
    return to_tensors(task.data("validation", 0), task, dtype=torch.float64, device=torch.device("cpu"))


def test_without_its_only_layer_a_network_says_one_thing() -> None:
    task = MultiScale(train=64)
    held = data(task)
    made = build(seed=0, inputs=task.inputs, outputs=task.outputs, depth=1, width=6, target=task.target).double()
    found = ablate(made, task, held)
    with torch.no_grad():
        hidden = states(made, held.inputs)[0, 0]
        constant = made.readout(hidden.mean(dim=(0, 1)))
    assert mean_outputs(made, held)[0].numpy() == pytest.approx(hidden.mean(dim=(0, 1)).numpy(), abs=1e-12)
    said = constant.expand(*held.targets.shape[:2], -1) if task.target == "step" else constant.expand(len(held), -1)
    expected = nn.functional.mse_loss(said.reshape(held.targets.shape), held.targets)
    whole = evaluate(made, task, held)
    assert found.whole.sum() / found.targets.sum() == pytest.approx(whole)
    assert found.increases() == pytest.approx([float(expected) - whole], abs=1e-9)
    assert not made.lstms[0][0]._forward_hooks


def test_a_layer_that_nobody_hears_can_be_left_out() -> None:
    task = MultiScale(train=64)
    variant = Variant(name="residual", residual=True)
    made = build(
        seed=0, inputs=task.inputs, outputs=task.outputs, depth=2, width=6, target=task.target, variant=variant
    )
    made = made.double()
    with torch.no_grad():
        for weights in parameters_of(made.lstms[1][0]).values():
            weights.zero_()  # its output is 0 at every step, and so is the mean of it
    lower, upper = ablate(made, task, data(task)).increases()
    assert upper == 0.0 and lower != 0.0


def test_padding_is_no_part_of_the_mean() -> None:
    inputs, lengths = torch.randn(5, 8, 3, dtype=torch.float64), torch.tensor([8, 3, 5, 1, 8])
    made = network(2)
    hidden = states(made, inputs)[0]
    counted = torch.arange(8)[:, None] < lengths
    found = mean_outputs(made, Tensors(inputs, torch.zeros(5), lengths))
    assert torch.allclose(found, hidden[:, counted].mean(dim=1), atol=1e-12)


def test_ablations_have_intervals_over_sequences() -> None:
    found = ablate(network(2), MultiScale(), Tensors(as_read(noise(80, 10)), torch.randn(80, 10).double(), None))
    rows = ablations(found, None, PLACE)
    assert [row["layer"] for row in rows] == [0, 1] and {row["measure"] for row in rows} == {"ablation"}
    per_sequence = (found.without - found.whole) / 10
    for row, values in zip(rows, per_sequence, strict=True):
        error = values.std(ddof=1) / math.sqrt(80)
        assert row["value"] == pytest.approx(values.mean())
        assert (row["high"] - row["low"]) / (2 * 1.99 * error) == pytest.approx(1, abs=0.15)


# --- the command ------------------------------------------------------------------------------------------------------


def swept(folder: Path) -> Path:
    """A tiny study as a sweep leaves it, without the projections: one task, two depths, two seeds."""
    from benchmark.training import train

    tasks = [{"task": "recall", "parameters": {"time": 6, "train": 64}, "steps": 12}]
    study = tiny_study(tasks=tasks, a_a=None, confirmation={"seeds": 2, "looks": [2]})
    folder.mkdir()
    with Journal.open(folder / "journal.jsonl") as journal:
        driver = Driver(journal=journal, executor=SerialExecutor(train), folder=folder)
        driver.run(groups(study), study.confirmation.seeds)
        record = study.resolved() | {"state": {"look": study.confirmation.seeds, "commit": ""}}
        evidence.write(folder, gather(driver.requests, journal.results(), record))
    (folder / "study.yaml").write_text(yaml.safe_dump(record))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("study") / NAME)


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The analysis of the rest and the pictures take seconds, and are tested elsewhere."""
    said = SimpleNamespace(timescales=[SimpleNamespace(sentence="measured")], purpose="screen", controls=[], checks=[])
    monkeypatch.setattr("benchmark.timescales.run.analyse", lambda evidence: said)
    monkeypatch.setattr("benchmark.timescales.run.build_report", lambda findings, folder, behind: None)


def one_of(folder: Path, depth: int) -> Chosen:
    with Journal.open(folder / "journal.jsonl") as journal:
        return Chosen("recall", *next(pair for pair in journal.results().values() if pair[0].depth == depth))


def test_the_command_writes_tables_of_the_schema_and_goes_on_where_it_was(
    study: Path, tmp_path: Path, unreported: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, again = tmp_path / NAME, tmp_path / "again"
    shutil.copytree(study, folder)
    shutil.copytree(study, again)
    here = ["--workers", "0"]
    assert main(["timescales", str(folder), "--depth", "1", "--seeds", "1"]) == 0
    first = evidence.read(folder).timescales
    assert first is not None and set(first["depth"]) == {1}
    assert main(["timescales", str(folder), "--task", "recall", "--seeds", "1", *here]) == 0
    assert "measured before: 1 of 2 networks\n[2/2]" in capsys.readouterr().out
    assert main(["timescales", str(again), "--seeds", "1", *here]) == 0
    for name in ("timescales.parquet", "layers.parquet"):
        assert (folder / name).read_bytes() == (again / name).read_bytes(), "bit for bit"
    found = evidence.read(folder)
    assert found.timescales is not None and found.layers is not None
    assert {column: str(kind) for column, kind in found.timescales.dtypes.items()} == TIMESCALES
    assert {column: str(kind) for column, kind in found.layers.dtypes.items()} == LAYERS
    assert set(found.timescales["depth"]) == {1, 2} and found.timescales["key"].nunique() == 2
    assert found.layers["sites"].min() >= SITES
    assert set(found.timescales["key"]) <= set(found.members.loc[found.members["phase"] == "confirm", "key"])
    assert [one.depth for one in timescales(found)] == [1, 2]
    _published(folder, tmp_path)


def _published(folder: Path, place: Path) -> None:
    """`strata publish` carries the tables where they are, and nothing where they are not."""
    (folder / "environment.json").write_text('{"dirty": false}')
    (folder / "figures").mkdir()
    for name in ("report.html", "verdict.json"):
        (folder / name).write_text("{}")
    target = publish(folder, place / "out", None)
    for name in ("timescales.parquet", "layers.parquet"):
        assert (target / name).read_bytes() == (folder / name).read_bytes()
        (folder / name).unlink()
    assert not (publish(folder, place / "out", None) / "layers.parquet").exists()
    assert timescales(evidence.read(folder)) == []


@pytest.mark.proof
def test_the_report_gets_its_section(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    shutil.copytree(study, folder)
    assert main(["timescales", str(folder)]) == 0
    text = (folder / "report.html").read_text()
    assert "At what timescale does each layer work?" in text and (folder / "figures" / "timescales.png").is_file()
    assert judge(folder).findings.timescales == analyse(evidence.read(folder)).timescales


def test_trained_minus_untrained_of_one_network_is_exactly_nothing(study: Path) -> None:
    """Both sides of the comparison go one way: a network that was not trained differs from itself in no bit."""
    chosen = one_of(study, 2)
    task = registry.create(chosen.spec.task, dict(chosen.spec.task_parameters))
    start = build(seed=chosen.spec.seeds.initialisation, depth=2, width=chosen.spec.width, **network_shape(task))
    curves, layers = (pd.DataFrame(rows) for rows in measure(chosen, start))
    for table, by in ((curves, ["layer", "state", "lag"]), (layers, ["layer", "state", "measure"])):
        rows = table[table.get("measure", pd.Series("", table.index)) != "ablation"].sort_values(by)
        trained, untrained = (
            rows[rows["network"] == name].drop(columns="network").reset_index(drop=True)
            for name in ("trained", "untrained")
        )
        assert len(trained)
        pd.testing.assert_frame_equal(trained, untrained, check_exact=True)


def test_the_test_split_is_never_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Recall.data

    def guarded(self: Recall, split: SplitName, seed: int, fold: int | None = None) -> Split:
        assert split != "test"
        return read(self, split, seed, fold)

    monkeypatch.setattr(Recall, "data", guarded)
    chosen = one_of(study, 1)
    chosen = dataclasses.replace(chosen, spec=dataclasses.replace(chosen.spec, reads_test=True))
    assert measure(chosen, network_of(chosen)[0])[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "recal"], "--task is recal, which study 'tiny' has not confirmed: give one of recall"),
        (["--depth", "7"], "--depth is 7, which study 'tiny' has not confirmed: give one of 1, 2"),
        (["--seeds", "0"], "--seeds is 0: give a whole number from 1"),
        (["--workers", "-1"], "--workers is -1: give 0 or more"),
    ],
)
def test_what_was_asked_wrongly_is_told_in_one_line(
    study: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["timescales", str(study), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"strata: {said}") and error.count("\n") == 1
    assert not (study / "layers.parquet").exists()


def elsewhere(folder: Path) -> None:
    """The study as if another processor had made it: other losses, in its journal and in its tables."""
    rows = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    for row in rows:
        if row["kind"] == "result" and row["result"]["validation_loss"]:
            row["result"]["validation_loss"] *= 1.01
    (folder / "journal.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = evidence.read(folder)
    found.runs["validation_loss"] *= 1.01
    evidence.write(folder, found)


def test_networks_that_come_out_otherwise_here_are_measured_when_asked_and_said_to_be_others(
    study: Path, tmp_path: Path, unreported: None
) -> None:
    folder = tmp_path / NAME
    shutil.copytree(study, folder)
    ask = ["timescales", str(folder), "--depth", "1", "--other-machine", "--workers", "2"]
    assert main(ask) == 0
    [said] = timescales(evidence.read(folder))
    assert said.other_networks == 0 and said.other_loss is None and not any("judged" in one for one in said.limits)
    for name in evidence.OPTIONAL:
        (folder / f"{name}.parquet").unlink()
    elsewhere(folder)
    assert main(ask) == 0
    found = evidence.read(folder)
    [other] = timescales(found)
    assert other.traces == said.traces, "the same networks, as they come out here"
    assert found.timescales is not None
    runs = found.runs.set_index("key").loc[found.timescales["key"].unique()].astype({"validation_loss": float})
    learned = (runs["trivial_validation_loss"] - runs["validation_loss"]).mean()
    assert other.other_networks == 2
    assert other.other_loss == pytest.approx(0.01 / 1.01 * runs["validation_loss"].max() / learned)
    assert any("stand for the judged ones" in limit for limit in other.limits)


def test_a_network_that_comes_to_no_end_here_is_never_measured(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = one_of(study, 1)
    lost = dataclasses.replace(chosen.result, status="diverged", validation_loss=None)
    monkeypatch.setattr("benchmark.timescales.networks.train_again", lambda spec: (lost, network()))
    with pytest.raises(UserError, match="came to no end \\(diverged\\)"):
        network_of(chosen, other_machine=True)


def test_a_changed_study_is_refused_in_one_line(
    study: Path, tmp_path: Path, unreported: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / NAME
    shutil.copytree(study, folder)
    monkeypatch.setattr("tasks.registry.digest", lambda task: "another")
    ask = ["timescales", str(folder), "--task", "recall", "--seeds", "1", "--workers", "0"]
    assert main(ask) == 2 and "the source of task recall has changed" in capsys.readouterr().err
    monkeypatch.undo()
    elsewhere(folder)
    assert main(ask) == 2 and "has a validation loss of" in capsys.readouterr().err
    (folder / "journal.jsonl").unlink()
    assert main(ask) == 2
    error = capsys.readouterr().err
    assert "holds no journal.jsonl" in error and error.count("\n") == 1
    assert not (folder / "layers.parquet").exists()


@pytest.mark.parametrize("name", evidence.OPTIONAL)
def test_the_page_on_evidence_documents_every_column(name: str) -> None:
    page = (ROOT / "benchmark" / "EVIDENCE.md").read_text()
    described = page.split(f"\n### {name}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|[^|]*\| [^|]{3,} \|$", described, re.MULTILINE)
    assert dict(rows) == evidence.OPTIONAL[name] and [row[0] for row in rows] == list(evidence.OPTIONAL[name])
