import io
import math

import numpy as np
import pandas as pd
import pytest

from tasks.finance import forecasters, prices
from tasks.finance.equity_variance import EquityVariance, qlike
from tasks.finance.prices import Panel, make_panel, panel
from tasks.task import SplitName

TASK = EquityVariance()
FLOOR = prices.FLOORS["equities"]
FOLDS = [None, *range(10)]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


def splits_of(fold: int | None) -> tuple[SplitName, ...]:
    return SPLITS[:2] if fold is None else SPLITS


@pytest.fixture
def series(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """A copy of the real series that the task reads while the test runs, free to be changed."""
    copy = Panel(*(array.copy() for array in panel("equities")))
    monkeypatch.setattr(prices, "panel", lambda source: copy)
    return copy


# --- walk-forward origins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", range(10))
def test_a_fold_tests_one_year_validates_on_the_one_before_and_trains_on_all_earlier(fold: int) -> None:
    dates, days = panel("equities").dates, TASK.target_days(panel("equities").dates, fold)
    years = {split: set(dates[rows].astype("datetime64[Y]").astype(int) + 1970) for split, rows in days.items()}
    assert years == {"train": set(range(1999, 2008 + fold)), "validation": {2008 + fold}, "test": {2009 + fold}}
    whole_year = (dates.astype("datetime64[Y]") == np.datetime64(f"{2009 + fold}")).sum()
    assert len(days["test"]) == whole_year, "every day of the year is scored, once"


def test_tuning_ends_before_the_first_test_year_and_has_no_test() -> None:
    dates = panel("equities").dates
    days = TASK.target_days(dates, None)
    assert set(days) == {"train", "validation"}
    assert dates[days["train"][-1]] < np.datetime64("2007-01-01") <= dates[days["validation"][0]]
    assert dates[days["validation"][-1]] < np.datetime64("2009-01-01")
    with pytest.raises(ValueError, match="no test split while tuning"):
        TASK.data("test", 0)


@pytest.mark.parametrize("window", [22, 32])
@pytest.mark.parametrize("fold", FOLDS)
def test_splits_are_purged(fold: int | None, window: int) -> None:
    """No day that a split's windows or targets touch is touched by another split."""
    days = EquityVariance(window=window).target_days(panel("equities").dates, fold)
    touched = [set(range(rows[0] - window, rows[-1] + 1)) for rows in (days[split] for split in splits_of(fold))]
    assert sum(map(len, touched)) == len(set.union(*touched))
    for earlier, later in zip(splits_of(fold), splits_of(fold)[1:], strict=False):
        assert days[later][0] - days[earlier][-1] == window + 1, "horizon plus window overlap, and no day more"


def test_every_test_day_is_scored_once() -> None:
    dates = panel("equities").dates
    tested = np.concatenate([TASK.target_days(dates, fold)["test"] for fold in range(10)])
    assert (np.diff(tested) == 1).all() and dates[tested[0]] == np.datetime64("2009-01-02")
    assert dates[tested[-1]] == np.datetime64("2018-12-31")


@pytest.mark.parametrize("fold", [None, 0, 9])
def test_windows_hold_the_days_before_their_target_and_groups_its_month(fold: int | None) -> None:
    series = panel("equities")
    days = TASK.target_days(series.dates, fold)
    for split in splits_of(fold):
        data, rows = TASK.data(split, 0, fold), days[split]
        scale = series.variance[days["train"]].mean(0)
        for index in (0, 1):
            for n in (0, 17, len(rows) - 1):
                at = index * len(rows) + n
                past = slice(rows[n] - 32, rows[n])
                np.testing.assert_allclose(
                    data.inputs[at, :, 0], np.log(series.variance[past, index] / scale[index]), rtol=1e-5, atol=1e-6
                )
                np.testing.assert_allclose(
                    data.inputs[at, :, 1], series.returns[past, index] / scale[index] ** 0.5, rtol=1e-5
                )
                assert (data.inputs[at, :, 2] == np.abs(data.inputs[at, :, 1])).all()
                assert (data.inputs[at, :, 4] == (-1.0, 1.0)[index]).all()
                assert data.targets[at] == pytest.approx(series.variance[rows[n], index] / scale[index], rel=1e-6)
                assert data.groups is not None and data.groups[at] == str(series.dates[rows[n]])[:7]


# --- leakage ----------------------------------------------------------------------------------------------------------


def perturb(series: Panel, after: int) -> None:
    """Change every row after one."""
    rows = slice(after + 1, None)
    series.variance[rows] *= 3.0
    series.range_variance[rows] *= 0.2
    series.returns[rows] += 1.0


@pytest.mark.parametrize("fold", FOLDS)
def test_the_future_changes_nothing_before_it(fold: int | None, series: Panel) -> None:
    days = TASK.target_days(series.dates, fold)
    before = {split: TASK.data(split, 0, fold) for split in splits_of(fold)}
    middle = {split: rows[len(rows) // 2] for split, rows in days.items()}
    for split in reversed(splits_of(fold)):  # from the end backwards, each time inside the split
        if split == "train":
            break
        perturb(series, after=int(middle[split]))
        for other in splits_of(fold):
            now, then = TASK.data(other, 0, fold), before[other]
            rows = np.concatenate([days[other]] * 2)
            kept = rows <= middle[split]
            assert (now.inputs[kept] == then.inputs[kept]).all() and (now.targets[kept] == then.targets[kept]).all()
            assert (now.targets[~kept] != then.targets[~kept]).all()  # the test could see a difference
            # A window that ends on the last unchanged day is unchanged too, though its target is not.
            edge = rows == middle[split] + 1
            assert (now.inputs[edge] == then.inputs[edge]).all()


def test_scaling_knows_train_days_only(series: Panel) -> None:
    before = TASK.data("validation", 0, 4)
    perturb(series, after=int(TASK.target_days(series.dates, 4)["test"][0]) - 1)
    assert (TASK.data("validation", 0, 4).targets == before.targets).all()
    series.variance[TASK.target_days(series.dates, 4)["train"][-1]] *= 1000.0
    assert (TASK.data("validation", 0, 4).targets < before.targets).all()


def test_baselines_are_fitted_on_train_only() -> None:
    train, test = TASK.data("train", 0, 3), TASK.data("test", 0, 3)
    first = TASK.forecasts(train, test)
    test.targets[:] = 123.0
    assert all((TASK.forecasts(train, test)[name] == first[name]).all() for name in first)


# --- the proxy --------------------------------------------------------------------------------------------------------


def test_garman_klass_by_hand() -> None:
    """S&P 500, 1999-01-05: open 1228.099976, high 1246.109985, low 1228.099976, close 1244.780029."""
    spread, session = math.log(1246.109985 / 1228.099976), math.log(1244.780029 / 1228.099976)
    series = panel("equities")
    assert series.dates[1] == np.datetime64("1999-01-05")
    assert series.variance[1, 0] == pytest.approx(0.5 * spread**2 - (2 * math.log(2) - 1) * session**2, rel=1e-9)
    assert series.range_variance[1, 0] == pytest.approx(spread**2 / (4 * math.log(2)), rel=1e-9)
    assert series.returns[1, 0] == pytest.approx(math.log(1244.780029 / 1228.099976), rel=1e-9)
    assert np.isnan(series.returns[0]).all() and np.isfinite(series.returns[1:]).all()


def test_garman_klass_is_the_variance_of_a_random_walk() -> None:
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 0.02 / math.sqrt(4000), (2000, 1, 4000)).cumsum(-1)
    paths = np.exp(np.concatenate([np.zeros((2000, 1, 1)), steps], -1))
    dates = np.arange(2000).astype("datetime64[D]")
    found = make_panel(dates, paths[..., 0], paths.max(-1), paths.min(-1), paths[..., -1], floor=FLOOR)
    # The range of a path seen at 4,000 points is a little too small (Garman & Klass 1980, section V).
    assert found.variance.mean() == pytest.approx(0.02**2, rel=0.05)
    assert found.range_variance.mean() == pytest.approx(0.02**2, rel=0.06)


def test_the_files_are_as_the_docstring_says() -> None:
    series = panel("equities")
    assert len(series.dates) == 5031 and (np.diff(series.dates) > np.timedelta64(0)).all()
    assert (series.variance == FLOOR).sum(0).tolist() == [2, 0]
    opened = pd.read_csv(io.BytesIO(prices.price_file("sp500")))
    stale = opened["Open"].to_numpy()[1:] == opened["Close"].to_numpy()[:-1]
    year = opened["Date"].str[-4:].to_numpy()[1:].astype(int)
    shares = [stale[year == y].mean() for y in range(1999, 2006)]
    assert round(min(shares), 2) >= 0.95 and round(max(shares), 2) <= 0.98
    # Session variance against close-to-close returns.
    ratio = np.square(series.returns[1:]).mean(0) / series.variance.mean(0)
    assert ratio.round(1).tolist() == [1.7, 1.9]


def test_a_missing_or_impossible_price_drops_the_day_for_both_indices() -> None:
    days = 12
    close = np.exp(np.arange(2 * days).reshape(days, 2) / 100.0)
    opened, high, low = close * 1.001, close * 1.01, close * 0.99
    high[2, 0], low[3, 1], opened[5, 0], close[7, 1], high[9, 0] = np.nan, 0.0, np.nan, close[7, 1] * 1.5, np.inf
    found = make_panel(np.arange(days).astype("datetime64[D]"), opened, high, low, close, floor=FLOOR)
    kept = [0, 1, 4, 6, 8, 10, 11]
    assert found.dates.astype(int).tolist() == kept
    assert np.isfinite(found.variance).all() and (found.variance >= FLOOR).all()
    np.testing.assert_allclose(found.returns[1:], np.diff(np.log(close[kept]), axis=0))  # a return spans a dropped day


def test_a_day_without_any_movement_is_floored() -> None:
    flat = np.full((3, 2), 100.0)
    found = make_panel(np.arange(3).astype("datetime64[D]"), flat, flat, flat, flat, floor=FLOOR)
    assert (found.variance == FLOOR).all()


def test_the_data_digest_is_that_of_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    before = TASK.data_digest()
    files = {index: prices.price_file(index) for index in ("sp500", "nasdaq")}
    monkeypatch.setattr(prices, "price_file", files.__getitem__)
    assert len(before) == 64 and TASK.data_digest() == before
    files["nasdaq"] = files["nasdaq"].replace(b"2208.05", b"2208.06", 1)
    assert TASK.data_digest() != before


def test_a_missing_arch_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install arch"):
        prices.price_file("sp500")


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [None, 0, 9])
def test_forecasts_match_pandas_on_the_raw_series(fold: int | None) -> None:
    series = panel("equities")
    days = TASK.target_days(series.dates, fold)
    last = splits_of(fold)[-1]
    found = TASK.forecasts(TASK.data("train", 0, fold), TASK.data(last, 0, fold))
    for index in (0, 1):
        variance = pd.Series(series.variance[:, index])
        means = pd.DataFrame({span: variance.rolling(span).mean().shift(1) for span in (1, 5, 22)})
        regressors = np.log(means).assign(constant=1.0).to_numpy()
        x, y = regressors[days["train"]], np.log(variance.to_numpy()[days["train"]])
        coefficients = np.linalg.solve(x.T @ x, x.T @ y)  # ordinary least squares by its normal equations
        scale = series.variance[days["train"], index].mean()
        factor = (np.exp(y) / np.exp(x @ coefficients)).mean()
        har = factor * np.exp(regressors[days[last]] @ coefficients) / scale
        rows = slice(index * len(days[last]), (index + 1) * len(days[last]))
        np.testing.assert_allclose(found["HAR"][rows], har, rtol=1e-5)
        np.testing.assert_allclose(found["seasonal naive"][rows], variance[days[last] - 5] / scale, rtol=1e-5)
        np.testing.assert_allclose(found["last value"][rows], variance[days[last] - 1] / scale, rtol=1e-5)
        day = days[last][40]
        ewma = variance.iloc[day - 32 : day].ewm(alpha=0.06).mean().iloc[-1] / scale
        assert found["EWMA 0.94"][rows][40] == pytest.approx(ewma, rel=1e-5)


def test_the_train_mean_is_the_best_constant_on_train() -> None:
    train = TASK.data("train", 0)
    means = [train.targets[train.inputs[:, 0, 4] == sign].mean() for sign in (-1, 1)]
    assert means == pytest.approx([1.0, 1.0], rel=1e-5)
    trivial = TASK.trivial_loss(train, train)
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert qlike(train.targets, np.full(len(train.targets), factor)) > trivial


def test_forecasters_of_variance_beat_the_train_mean_in_every_test_year() -> None:
    rows = []
    for fold in range(10):
        train, test = TASK.data("train", 0, fold), TASK.data("test", 0, fold)
        rows.append({"year": 2009 + fold, "trivial": TASK.trivial_loss(train, test), **TASK.baselines(train, test)})
    table = pd.DataFrame(rows).set_index("year")
    print(table.round(3))
    for name in ("HAR", "EWMA 0.94", "GARCH(1,1)"):
        assert (table[name] < table["trivial"]).all()
    mean = table.mean()
    assert mean["HAR"] < mean["GARCH(1,1)"] < mean["EWMA 0.94"] < mean["last value"] < mean["trivial"]
    assert mean["last value"] < mean["seasonal naive"], "a week ago says less than yesterday"
    assert (table > 0).all().all()


def test_garch_is_calibrated_to_the_session_on_train() -> None:
    """Close-to-close returns are larger than what a session measures; the factor makes up for it, index by index."""
    train = TASK.data("train", 0, 5)
    said = TASK.forecasts(train, train)["GARCH(1,1)"]
    for index in (0, 1):
        rows = TASK.series_of(train) == index
        assert (train.targets[rows] / said[rows]).mean() == pytest.approx(1.0, rel=1e-5)


def test_without_arch_garch_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasters, "garch", lambda *parts: None)
    assert set(TASK.baselines(TASK.data("train", 0, 0), TASK.data("test", 0, 0))) == {
        "HAR",
        "EWMA 0.94",
        "last value",
        "seasonal naive",
    }


def test_the_example_shows_a_day_that_tuning_may_see() -> None:
    assert "2008-09-15" in TASK.example() and "HAR" in TASK.example()
