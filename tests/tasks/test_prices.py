"""Real markets: missing prices, folds, leakage, and simple forecasters against other ways to the same number."""

import io
import math
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.optimize import minimize

from tasks.finance import forecasters, prices
from tasks.finance.direction import Direction, log_loss
from tasks.finance.equity_variance import EquityVariance
from tasks.finance.oil_variance import OilVariance
from tasks.finance.prices import Prices, Source, make_panel, panel
from tasks.finance.variance import NextDayVariance
from tasks.finance.vix_change import VixChange
from tasks.finance.walk_forward import ORIGINS, WalkForward, target_days
from tasks.task import SplitName

SOURCES: tuple[Source, ...] = ("equities", "oil", "vix")
REAL: list[WalkForward] = [
    EquityVariance(),
    OilVariance(),
    VixChange(),
    *(Direction(source=source) for source in SOURCES),
]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
every_task = pytest.mark.parametrize("task", REAL, ids=lambda task: f"{task.name}-{task.market}")


# --- missing prices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "missing", "left"), [("equities", 0, 5031), ("oil", 290, 8321), ("vix", 46, 1259)])
def test_missing_prices_are_dropped_and_counted(source: Source, missing: int, left: int) -> None:
    (name, *_) = prices.FILES[source]
    raw = pd.read_csv(io.BytesIO(prices.price_file(name)), na_values=".", index_col="Date", parse_dates=True)
    gone = raw.index[raw.iloc[:, :4].isna().any(axis=1)].to_numpy().astype("datetime64[D]")
    found = panel(source)
    assert len(gone) == prices.dropped(source) == missing and len(found.dates) == left
    assert not set(gone.tolist()) & set(found.dates.tolist())
    assert (np.diff(found.dates) > np.timedelta64(0)).all()
    assert all(np.isfinite(series[1:]).all() for series in found[1:])
    assert (found.close > 0).all()


@pytest.mark.parametrize("source", ["oil", "vix"])
def test_a_return_spans_the_days_without_a_price(source: Source) -> None:
    table, found = prices.read(prices.FILES[source][0]), panel(source)
    gap = int(np.flatnonzero(np.isnan(table.close) & (np.arange(len(table.close)) > 5))[0])
    after = gap + int(np.flatnonzero(np.isfinite(table.close[gap:]))[0])
    row = int(np.searchsorted(found.dates, table.dates[after]))
    assert found.returns[row, 0] == pytest.approx(math.log(table.close[after] / table.close[gap - 1]), rel=1e-9)
    assert found.variance[row, 0] == pytest.approx(max(found.returns[row, 0] ** 2, prices.FLOORS[source]))


def test_what_the_docstring_of_oil_says_is_so() -> None:
    oil = panel("oil")
    assert round(float((oil.variance[1:] == prices.FLOORS["oil"]).mean()), 2) == 0.15
    assert (oil.returns[1:] == 0).sum() == 134 and len(oil.returns) == 8321
    task = OilVariance()
    train, test = task.data("train", 0, 4), task.data("test", 0, 4)
    # Under normal returns the best loss is E[z² - ln z² - 1] = Euler's constant + ln 2.
    assert pytest.approx(np.euler_gamma + math.log(2.0), abs=1e-3) == 1.27
    assert task.baselines(train, test)["HAR"] > 0.7


def test_one_bad_price_drops_the_day_for_parallel_series_and_nothing_else() -> None:
    dates = np.arange(8).astype("datetime64[D]")
    close = np.exp(np.arange(16).reshape(8, 2) / 50.0)
    close[3, 1], close[5, 0] = np.nan, -1.0
    found = make_panel(dates, close, close, close, close, floor=1e-9, ranged=False)
    assert found.dates.astype(int).tolist() == [0, 1, 2, 4, 6, 7]
    np.testing.assert_allclose(found.returns[1:, 0], np.array([2, 2, 4, 4, 2]) / 50.0)
    assert np.isnan(found.returns[0]).all()


def test_nobody_can_write_into_what_was_read() -> None:
    with pytest.raises(ValueError, match="read-only"):
        prices.read("vix").close[0] = 1.0


def test_a_file_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(FileNotFoundError, match="there is no .*gold.csv.gz") as caught:
        prices.price_file("gold")
    assert "\n" not in str(caught.value)


# --- folds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [22, 40])
@pytest.mark.parametrize("source", SOURCES)
def test_folds_are_purged_ordered_and_test_every_day_once(source: Source, window: int) -> None:
    dates, origins = panel(source).dates, ORIGINS[source]
    tested = []
    for fold in [None, *range(origins.folds)]:
        days = target_days(dates, origins, window, fold)
        assert list(days) == list(SPLITS[: len(days)]) and len(days) == (2 if fold is None else 3)
        assert all(len(rows) > 15 for rows in days.values())
        assert days["train"][0] == window + 1, "the first day has no return"
        for earlier, later in zip(SPLITS, list(days)[1:], strict=False):
            assert days[later][0] - days[earlier][-1] == window + 1
        if fold is not None:
            tested.append(days["test"])
    every = np.concatenate(tested)
    assert (np.diff(every) == 1).all()
    months = (np.diff([dates[rows[0]].astype("datetime64[M]").astype(int) for rows in tested])).tolist()
    assert months == [origins.test_months] * (origins.folds - 1)
    assert str(dates[every[0]])[:7] == origins.first_test and str(dates[every[-1]])[:7] == "2018-12"
    tuning = target_days(dates, origins, window, None)
    assert tuning["validation"][-1] < every[0]


@every_task
def test_a_fold_that_is_none_and_a_window_that_is_too_long_are_said_in_one_line(task: WalkForward) -> None:
    with pytest.raises(ValueError, match=f"{task.name} has folds 0 to {task.folds - 1}, not {task.folds}"):
        task.data("test", 0, task.folds)
    with pytest.raises(ValueError, match="no test split while tuning"):
        task.data("test", 0)
    for window in (21, ORIGINS[task.market].longest + 1):
        with pytest.raises(ValueError, match=f"window is {window} days: it must be from 22"):
            type(task)(**{**task.parameters(), "window": window})
    longest = type(task)(**{**task.parameters(), "window": ORIGINS[task.market].longest})
    assert all(len(longest.data("validation", 0, fold).inputs) > 0 for fold in (None, 0))


def test_a_market_that_is_none_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match="source is 'gold': it must be one of equities, oil, vix"):
        Direction(source="gold")  # type: ignore[arg-type]


@every_task
def test_the_amount_is_the_days_that_are_predicted(task: WalkForward) -> None:
    split = task.data("test", 0, 3)
    assert split.groups is not None
    days = len(task.target_days(panel(task.market).dates, 3)["test"])
    assert task.amount(split) == (days, "days of market")
    assert len(split.targets) == days * len(prices.FILES[task.market])


# --- leakage ----------------------------------------------------------------------------------------------------------


def other_future(date: np.datetime64, seed: int) -> Callable[[str], Prices]:
    """Reads the real prices up to a date, and other ones after it; no day vanishes."""

    def read(name: str) -> Prices:
        table = real_read(name)
        after = table.dates > date
        factor = np.exp(np.random.default_rng(seed).normal(0.3, 0.2, after.sum()))
        changed = []
        for column in table[1:]:
            column = column.copy()
            opened = table.opened[after]
            column[after] = opened * factor * (column[after] / opened) ** 1.5  # a wider day, high above low as before
            changed.append(column)
        return Prices(table.dates, *changed)

    return read


real_read = prices.read


def forecasts(task: WalkForward, fold: int | None, split: SplitName) -> dict[str, np.ndarray]:
    assert isinstance(task, NextDayVariance | VixChange | Direction)
    return task.forecasts(task.data("train", 0, fold), task.data(split, 0, fold))


@every_task
@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_the_future_changes_nothing_before_it(
    task: WalkForward, monkeypatch: pytest.MonkeyPatch, drawn: st.DataObject
) -> None:
    """Other prices after a day: inputs, targets and forecasts up to it are the same to the last bit."""
    fold = drawn.draw(st.one_of(st.none(), st.integers(0, task.folds - 1)), label="fold")
    split = drawn.draw(st.sampled_from(SPLITS[1:2] if fold is None else SPLITS[1:]), label="split")
    rows = task.target_days(panel(task.market).dates, fold)[split]
    last = int(rows[drawn.draw(st.integers(0, len(rows) - 2), label="last unchanged target")])
    before, said_before = task.data(split, 0, fold), forecasts(task, fold, split)
    with monkeypatch.context() as patched:
        patched.setattr(prices, "read", other_future(panel(task.market).dates[last], seed=last))
        after, said_after = task.data(split, 0, fold), forecasts(task, fold, split)
    every = np.tile(rows, len(prices.FILES[task.market]))
    known, edge = every <= last, every == last + 1
    np.testing.assert_array_equal(after.inputs[known], before.inputs[known])
    np.testing.assert_array_equal(after.targets[known], before.targets[known])
    # The window that ends on the last unchanged day is unchanged too, and so is what is forecast from it.
    np.testing.assert_array_equal(after.inputs[edge], before.inputs[edge])
    assert set(said_after) == set(said_before)
    for name, said in said_after.items():
        np.testing.assert_array_equal(said[known | edge], said_before[name][known | edge], err_msg=name)
    # The test could see a difference: every later window holds a changed price.
    later = every > last + 1
    if later.any():
        assert (after.inputs[later] != before.inputs[later]).any(axis=(1, 2)).all()
    if task.loss != "cross_entropy":
        assert (after.targets[edge] != before.targets[edge]).all()


@every_task
def test_forecasts_do_not_read_the_targets_they_are_scored_on(task: WalkForward) -> None:
    assert isinstance(task, NextDayVariance | VixChange | Direction)
    train, test = task.data("train", 0, 1), task.data("test", 0, 1)
    before = task.forecasts(train, test)
    test.targets[:] = 1
    after = task.forecasts(train, test)
    assert all((after[name] == before[name]).all() for name in before)


# --- forecasters ------------------------------------------------------------------------------------------------------


def test_averages_of_the_past_by_hand() -> None:
    past = np.array([[1.0, 2.0, 4.0, 8.0]])
    assert forecasters.window_means(past, (1, 2, 4)).tolist() == [[8.0, 6.0, 3.75]]
    np.testing.assert_allclose(
        forecasters.trailing_means(past, (1, 3)), [[[1.0, 1.0], [2.0, 4 / 3], [4.0, 7 / 3], [8.0, 14 / 3]]]
    )
    weights = 0.94 ** np.array([3, 2, 1, 0])
    assert forecasters.window_ewma(past)[0] == pytest.approx((weights * past[0]).sum() / weights.sum())
    now = 1.0
    for step in range(4):
        now = 0.94 * now + 0.06 * past[0, step]
        assert forecasters.running_ewma(past)[0, step] == pytest.approx(now)


def test_the_logistic_regression_maximises_its_likelihood() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (rng.random(400) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2.0, 0.0])))).astype(int)

    def penalised(weights: np.ndarray) -> float:
        score = weights[0] + x @ weights[1:]
        return float((np.logaddexp(0.0, score) - y * score).sum() + 0.5 * np.square(weights[1:]).sum())

    best = minimize(penalised, np.zeros(4), tol=1e-10).x
    np.testing.assert_allclose(forecasters.logistic(x, y, x), 1 / (1 + np.exp(-(best[0] + x @ best[1:]))), atol=1e-5)


def garch_returns(days: int, omega: float, alpha: float, beta: float) -> np.ndarray:
    rng, variance = np.random.default_rng(1), omega / (1 - alpha - beta)
    found = np.empty(days)
    for day in range(days):
        found[day] = math.sqrt(variance) * rng.standard_normal()
        variance = omega + alpha * found[day] ** 2 + beta * variance
    return found


def test_garch_finds_the_parameters_that_made_the_returns_and_runs_over_each_window_alone() -> None:
    returns = garch_returns(8000, 0.05, 0.1, 0.85)
    windows = np.lib.stride_tricks.sliding_window_view(returns, 30)
    fitted, asked = windows[:-1], windows[[100, 5000]]
    target = np.square(returns[30:]) + 1e-9
    said = forecasters.garch(fitted, target, asked)
    assert said is not None
    parameters = forecasters._fit(returns[:-1].tobytes())
    assert parameters is not None
    assert parameters == pytest.approx((0.0, 0.05, 0.1, 0.85), abs=0.04)
    mean, omega, alpha, beta = parameters
    for window, forecast in zip(asked, said, strict=True):
        variance = np.square(window - mean).mean()
        for value in window:
            variance = omega + alpha * (value - mean) ** 2 + beta * variance
        assert forecast == pytest.approx(variance, rel=0.05), "already in the unit of squared returns"
    tripled = forecasters.garch(fitted, 3.0 * target, asked)
    assert tripled is not None
    np.testing.assert_allclose(tripled, 3.0 * said)


def test_garch_is_fitted_once_for_the_same_train_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    task = OilVariance()
    train = task.data("train", 0, 6)
    forecasters._fit.cache_clear()
    for split in (task.data("validation", 0, 6), task.data("test", 0, 6)):
        task.baselines(train, split)
    assert forecasters._fit.cache_info().misses == 1
    forecasters._fit.cache_clear()
    monkeypatch.setitem(sys.modules, "arch", None)  # as on a machine without it
    said = task.baselines(train, task.data("test", 0, 6))
    forecasters._fit.cache_clear()
    assert set(said) == {"HAR", "EWMA 0.94", "last value", "seasonal naive"}


def test_fitting_warns_of_nothing() -> None:
    forecasters._fit.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = OilVariance.tiny()
        task.baselines(task.data("train", 0, 0), task.data("test", 0, 0))


def test_the_factor_of_the_log_regression_is_the_best_on_train() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 2))
    y = np.exp(0.3 + x @ [0.5, -0.2]) * rng.chisquare(1, 500) + 1e-6
    said = forecasters.log_regression(x, y, x)
    losses = [forecasters.qlike(y, factor * said) for factor in (0.9, 0.99, 1.0, 1.01, 1.1)]
    assert int(np.argmin(losses)) == 2
    assert said.mean() == pytest.approx(np.exp(0.3 + x @ [0.5, -0.2]).mean(), rel=0.15)


def test_vix_forecasts_from_levels() -> None:
    task = VixChange()
    levels, rows = np.log(panel("vix").close[:, 0]), task.target_days(panel("vix").dates, 2)
    train, test = task.data("train", 0, 2), task.data("test", 0, 2)
    changes = np.diff(levels, prepend=np.nan)
    unit = np.sqrt(np.square(changes[rows["train"]]).mean())
    said = task.forecasts(train, test)
    now = levels[rows["test"] - 1]
    np.testing.assert_allclose(said["seasonal naive"], (levels[rows["test"] - 5] - now) / unit, atol=1e-5)
    np.testing.assert_allclose(test.targets, (levels[rows["test"]] - now) / unit, atol=1e-5)
    assert (said["last value"] == 0).all()
    means = pd.DataFrame({span: pd.Series(levels).rolling(span).mean().shift(1) for span in (1, 5, 22)})
    x = means.assign(constant=1.0).to_numpy()
    fit = np.linalg.lstsq(x[rows["train"]], changes[rows["train"]], rcond=None)[0]
    np.testing.assert_allclose(said["HAR"], x[rows["test"]] @ fit / unit, atol=1e-4)


def test_direction_is_the_sign_of_the_next_return_and_frequencies_are_counted_on_train() -> None:
    for source in SOURCES:
        task, found = Direction(source=source), panel(source)
        rows = task.target_days(found.dates, 0)
        train, test = task.data("train", 0, 0), task.data("test", 0, 0)
        up = found.returns > 0
        assert (test.targets == up[rows["test"]].T.reshape(-1)).all()
        before, after = up[rows["train"] - 1].T.reshape(-1), up[rows["train"]].T.reshape(-1)
        said = task.forecasts(train, test)["last direction"]
        for direction in (False, True):
            share = (after[before == direction].sum() + 1) / ((before == direction).sum() + 2)
            followed = up[rows["test"] - 1].T.reshape(-1) == direction
            np.testing.assert_allclose(said[followed], share)
        assert log_loss(np.full(4, 0.5), np.array([0, 1, 1, 0])) == pytest.approx(math.log(2.0))


@pytest.mark.parametrize("source", SOURCES)
def test_directions_are_noise_to_simple_predictors(source: Source) -> None:
    """The null that the docstring announces: over all folds, no baseline gains 2 % of the trivial loss."""
    task, gains = Direction(source=source), []
    for fold in range(task.folds):
        train, test = task.data("train", 0, fold), task.data("test", 0, fold)
        trivial = task.trivial_loss(train, test)
        assert abs(trivial - math.log(2.0)) < 0.03
        gains.append([1.0 - loss / trivial for loss in task.baselines(train, test).values()])
    assert np.abs(np.mean(gains, axis=0)).max() < 0.02


def test_oil_forecasters_beat_the_train_mean_on_average() -> None:
    task, gains = OilVariance(), []
    for fold in range(task.folds):
        train, test = task.data("train", 0, fold), task.data("test", 0, fold)
        said = task.baselines(train, test)
        gains.append([task.trivial_loss(train, test) - said[name] for name in ("HAR", "EWMA 0.94", "GARCH(1,1)")])
    gain = np.array(gains)
    assert (gain.mean(0) > 2.0 * gain.std(0, ddof=1) / math.sqrt(len(gain))).all()


# --- for people -------------------------------------------------------------------------------------------------------


@every_task
def test_the_picture_shows_prices_and_shades_the_test_folds(task: WalkForward) -> None:
    figure = Figure(figsize=(10, 6), layout="constrained")
    task.illustrate(figure)
    assert figure.get_suptitle().startswith(prices.TITLES[prices.FILES[task.market][0]])
    above, below = figure.axes
    assert len(above.patches) == len(below.patches) == task.folds
    assert len(above.lines) == len(prices.FILES[task.market])
    figure.draw_without_rendering()
