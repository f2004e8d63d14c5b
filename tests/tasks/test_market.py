"""Simulated markets: the stylised facts with intervals, each gone without its part, and oracles that are exact."""

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.stats import t as student

from tasks.finance import simulator as parts
from tasks.finance.forecasters import qlike
from tasks.finance.garch import Garch
from tasks.finance.market import Market
from tasks.finance.simulator import BARS, Path, Simulator
from tasks.losses import elementwise
from tasks.memoryless import memoryless_skill

MARKETS, DAYS, SETTLED = 80, 6000, 1000
"""Independent markets of 20 years after four that still remember the start: each fact has 80 independent estimates."""
OFF: dict[str, Any] = {
    "leverage": 0.0,
    "fat_tails": False,
    "jumps": False,
    "regimes": False,
    "intraday": False,
    "yearly": False,
}


@functools.lru_cache(maxsize=4)  # 30 MB each
def settled(**dials: Any) -> Path:
    """Long series of a market with these dials, after its first years; not to be written into."""
    path = Market(**dials).path(DAYS, seed=1, markets=MARKETS)
    return Path(*(part[:, SETTLED:] for part in path))


def interval(estimates: np.ndarray, level: float = 0.999) -> tuple[float, float]:
    """Student's t interval of the mean of independent estimates."""
    half = student.ppf(0.5 + level / 2, len(estimates) - 1) * estimates.std(ddof=1) / math.sqrt(len(estimates))
    return float(estimates.mean() - half), float(estimates.mean() + half)


def correlations(one: np.ndarray, later: np.ndarray, lag: int) -> np.ndarray:
    """Of each market: correlation of `one` with what `later` is `lag` days after."""
    first, second = one[:, : one.shape[1] - lag], later[:, lag:]
    first, second = first - first.mean(1, keepdims=True), second - second.mean(1, keepdims=True)
    return (first * second).mean(1) / (first.std(1) * second.std(1))


def memory(path: Path, lag: int) -> np.ndarray:
    """Autocorrelation of |r|, about the mean of all markets: about its own it is biased where memory is long."""
    size = np.abs(path.returns)
    size = size - size.mean()
    return (size[:, lag:] * size[:, : size.shape[1] - lag]).mean(1) / np.square(size).mean()


def kurtosis(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(1, keepdims=True)
    return (centred**4).mean(1) / np.square(np.square(centred).mean(1))


def tail_index(returns: np.ndarray) -> np.ndarray:
    """Hill's estimate (1975, Annals of Statistics 3, 1163-1174) from the largest 2 %."""
    size = np.sort(np.abs(returns), axis=1)[:, ::-1]
    count = returns.shape[1] // 50
    return 1.0 / np.log(size[:, :count] / size[:, [count]]).mean(1)


def inside(bounds: tuple[float, float], low: float, high: float) -> bool:
    print(f"interval {bounds[0]:.3f} to {bounds[1]:.3f}")
    return low < bounds[0] and bounds[1] < high


# --- stylised facts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [1, 2, 5, 22])
def test_returns_are_not_correlated_with_their_past(lag: int) -> None:
    returns = settled().returns
    assert inside(interval(correlations(returns, returns, lag)), -0.02, 0.02)


def test_tails_are_fat_with_an_index_between_two_and_five_and_not_without_their_causes() -> None:
    assert inside(interval(tail_index(settled().returns)), 2.0, 5.0)
    assert inside(interval(tail_index(settled(**OFF).returns)), 5.0, 20.0)


def test_wild_days_follow_wild_days() -> None:
    for lag in (1, 5, 22, 66):
        assert inside(interval(memory(settled(yearly=False), lag)), 0.0, 0.5)
    white = settled(**{**OFF, "components": 1})
    assert inside(interval(memory(white, 22)), -0.01, 0.01), "a component of one day is forgotten in a month"


def slowness(path: Path) -> np.ndarray:
    """Autocorrelation of |r| at lag 110, less what the exponential through lags 5 and 22 has there.

    Of leave-one-out means, scaled so that their spread is that of independent estimates (the jackknife).
    """
    near, middle, far = (memory(path, lag) for lag in (5, 22, 110))
    left_out = [np.delete(values, one) for values in (near, middle, far) for one in range(MARKETS)]
    means = np.array([values.mean() for values in left_out]).reshape(3, MARKETS)

    def excess(five: Any, month: Any, later: Any) -> Any:
        return later - month * (month / five) ** ((110 - 22) / (22 - 5))

    whole = excess(near.mean(), middle.mean(), far.mean())
    return MARKETS * whole - (MARKETS - 1) * excess(*means)


def test_memory_decays_more_slowly_than_an_exponential_as_a_power_of_the_lag() -> None:
    long = settled(yearly=False)
    assert inside(interval(slowness(long)), 0.0, 0.1)
    lags = np.array([1, 2, 5, 11, 22, 44, 88])
    slopes = [np.polyfit(np.log(lags), np.log([memory(long, lag).mean() for lag in lags]), 1)[0]]
    assert 0.2 <= -slopes[0] <= 0.4, "Cont 2001: |r| decays with an exponent of 0.2 to 0.4"


def test_the_slow_component_carries_the_long_memory() -> None:
    slow, fast = (settled(yearly=False, regimes=False, components=count) for count in (4, 2))
    assert inside(interval(memory(slow, 66) - memory(fast, 66)), 0.005, 0.2)
    assert inside(interval(memory(fast, 66)), -0.01, 0.015)


def test_kurtosis_falls_with_the_horizon() -> None:
    returns = settled(yearly=False).returns
    found = [kurtosis(returns.reshape(MARKETS, -1, days).sum(-1)) for days in (1, 5, 50)]
    for shorter, longer in itertools.pairwise(found):
        assert interval(np.log(shorter / longer))[0] > 0.0
    assert interval(found[-1])[0] < 5.0 < interval(found[0])[0]


def test_falls_are_followed_by_more_variance_than_rises_and_not_the_other_way_round() -> None:
    returns = settled().returns
    for lag in (1, 5):
        assert interval(correlations(returns, np.square(returns), lag))[1] < 0.0
    assert inside(interval(correlations(np.square(returns), returns, 1)), -0.03, 0.03), "the future does not lead"
    even = settled(leverage=0.0).returns
    assert inside(interval(correlations(even, np.square(even), 1)), -0.03, 0.03)
    assert interval(correlations(even, np.square(even), 1))[0] < 0.0 < interval(correlations(even, even**2, 1))[1]


def test_given_its_variance_a_day_is_fat_tailed_by_the_multiplier_and_by_jumps() -> None:
    def conditional(**dials: Any) -> tuple[float, float]:
        path = settled(**{**OFF, **dials})
        return interval(kurtosis(path.returns / np.sqrt(path.variance)))

    low, high = conditional()
    assert low < 3.0 < high and high - low < 0.1, "normal without both"
    # Of Student's t with 8 degrees of freedom: 3 (8 - 2) / (8 - 4) = 4.5.
    assert inside(conditional(fat_tails=True), 3.8, 5.5)
    assert inside(conditional(jumps=True), 3.3, 10.0)


def test_jumps_are_single_bars() -> None:
    def largest(**dials: Any) -> np.ndarray:
        squares = np.square(settled(**{**OFF, **dials}).bars)
        return (squares.max(-1) / squares.sum(-1) > 0.9).mean(1)

    calm, jumping = largest(), largest(jumps=True)
    assert interval(jumping)[0] > 3.0 * interval(calm)[1]
    # A day without one has its largest bar above 90 % in the same share of cases.
    assert jumping.mean() - calm.mean() < parts.JUMP_PROBABILITY


def test_jumps_do_not_last() -> None:
    """A jump moves the next day's variance far less than its share of the realised variance would."""
    path = settled(**{**OFF, "jumps": True})
    today = correlations(path.realised, path.realised, 1)
    without = settled(**OFF)
    assert interval(correlations(without.realised, without.realised, 1) - today)[0] > 0.0


def test_regimes_last_and_are_gone_when_off() -> None:
    path = settled()
    wild = path.wild.mean(1)
    assert interval(wild)[0] < 0.2 < interval(wild)[1]
    changes = (np.diff(path.wild, axis=1) == 1).sum(1) / (path.wild[:, :-1] == 0).sum(1)
    assert interval(changes)[0] < 1.0 - parts.STAY[0] < interval(changes)[1]
    stormy, calm = ((path.realised * (path.wild == state)).sum(1) / (path.wild == state).sum(1) for state in (1, 0))
    assert interval(stormy / calm)[0] > 1.5
    off = settled(regimes=False)
    assert (off.wild == 0).all()
    # A forecaster that knows of no regimes is wrong for weeks where there are some, and only there.
    blind = Market(regimes=False).simulator
    for kept, low, high in ((path, 0.01, 0.5), (off, -0.02, 0.02)):
        long = Market(regimes=kept is path).path(2000, seed=2, markets=MARKETS)
        error = np.log(long.realised[:, 1:]) - np.log(blind.expect(long.bars, long.position[:, 0])[:, :-1])
        assert inside(interval(correlations(error[:, 200:], error[:, 200:], 20)), low, high)


def test_the_day_smiles() -> None:
    def ratio(**dials: Any) -> tuple[float, float]:
        profile = np.square(settled(**dials).bars).mean(1)
        return interval(np.log(profile[:, [0, 7]].mean(1) / profile[:, 3:5].mean(1)))

    wanted = parts.SMILE * (1.0 - 1.0 / 49.0)  # the middle bars are a seventh of the way from noon
    low, high = ratio()
    assert low < wanted < high
    low, high = ratio(intraday=False)
    assert low < 0.0 < high and high - low < 0.1


def test_the_year_has_a_season() -> None:
    def amplitude(**dials: Any) -> tuple[float, float]:
        path = settled(**{"regimes": False, **dials})
        wave = np.cos(2.0 * math.pi * path.position)
        return interval(2.0 * (path.realised * wave).mean(1) / path.realised.mean(1))

    low, high = amplitude()
    assert low < parts.YEARLY < high
    low, high = amplitude(yearly=False)
    assert low < 0.0 < high and high - low < 0.2


def test_the_long_run_variance_is_one() -> None:
    """The estimate of one market of 16 years is skewed, so the interval is that of many short ones."""
    drawn = Market().path(65, seed=3, markets=4000)
    low, high = interval(drawn.realised.mean(1))
    assert low < 1.0 < high and high - low < 0.1
    low, high = interval((drawn.realised / drawn.variance).mean(1))
    assert low < 1.0 < high, "the true variance is the mean of the realised one"


def test_a_switch_changes_its_own_part_alone() -> None:
    with_season, without = (Market(yearly=yearly).path(50, 4, 3) for yearly in (True, False))
    season = Market().simulator.season(with_season.position)
    np.testing.assert_allclose(with_season.bars, without.bars * np.sqrt(season)[:, :, None], rtol=1e-9)
    assert (Market(regimes=False).path(50, 4, 3).position == with_season.position).all()


# --- the oracle -------------------------------------------------------------------------------------------------------

GRID = np.linspace(math.log(0.02), math.log(60.0), 4000)
"""Log of a day's inverse-gamma multiplier, for integrals done by sums."""


def multiplier_weights() -> np.ndarray:
    """Prior probability of each point of the grid: q = (nu/2 - 1) / gamma(nu/2)."""
    half = parts.DEGREES / 2.0
    gamma = (half - 1.0) / np.exp(GRID)
    weights = np.exp(half * np.log(gamma) - gamma)  # the Jacobian of the log adds one power
    return weights / weights.sum()


def likelihoods(bars: np.ndarray, variance: float, market: Simulator) -> np.ndarray:
    """Density of some first bars of a day, for every multiplier and place of the jump: `(grid, 1 + 8)`, with priors."""
    found = np.empty((len(GRID), BARS + 1))
    for place in range(BARS + 1):
        prior = 1 - parts.JUMP_PROBABILITY if place == 0 else parts.JUMP_PROBABILITY / BARS
        larger = np.where(np.arange(BARS) + 1 == place, 1.0 + parts.JUMP_VARIANCE, 1.0)[: len(bars)]
        spread = np.exp(GRID)[:, None] * variance * market.shape[: len(bars)] * larger
        density = np.exp(-0.5 * np.square(bars) / spread) / np.sqrt(2.0 * math.pi * spread)
        found[:, place] = prior * multiplier_weights() * density.prod(1)
    return found


def brute_force(bars: np.ndarray, position: float, market: Simulator, passed: int) -> float:
    """Expectation after all whole days and `passed` bars of the last, over all regime paths and on a grid.

    With whole days alone it is of the next day's realised variance, otherwise of the square of the next bar.
    """
    days = len(bars)
    season = market.season(position + np.arange(days + 1) / 252)
    components, levels = np.ones(market.components), []
    for day in range(days):
        levels.append(components @ market.weights)
        seen = bars[day] / math.sqrt(season[day])
        size = np.abs(seen) / np.sqrt(market.shape)
        bipower = math.pi / 2 * sum(size[k] * size[k + 1] for k in range(7)) / 7
        bipower /= 1 + parts.JUMP_PROBABILITY / 4 * (math.sqrt(1 + parts.JUMP_VARIANCE) - 1)
        news = bipower * (1 - market.leverage * np.sign(seen.sum()))
        components = components + (news - components) / np.array(parts.SPANS[: market.components])
    levels.append(components @ market.weights)
    total = expected = 0.0
    steps = days + 1 if passed == 0 else days
    for states in itertools.product((0, 1), repeat=steps):
        chance = market.stationary[states[0]]
        for one, other in itertools.pairwise(states):
            chance *= market.transition[one, other]
        for day in range(days if passed == 0 else days - 1):
            seen = bars[day] / math.sqrt(season[day])
            chance *= likelihoods(seen, levels[day] + market.constants[states[day]], market).sum()
        last = levels[steps - 1] + market.constants[states[-1]]
        if passed == 0:
            total, expected = total + chance, expected + chance * last * season[days]
            continue
        weights = chance * likelihoods(bars[-1, :passed] / math.sqrt(season[days - 1]), last, market)
        places = np.where(np.arange(BARS + 1) == passed + 1, 1.0 + parts.JUMP_VARIANCE, 1.0)
        next_square = last * market.shape[passed] * np.exp(GRID)[:, None] * places * season[days - 1]
        total, expected = total + weights.sum(), expected + (weights * next_square).sum()
    return expected / total


@pytest.mark.parametrize("market_seed", range(3))
def test_the_oracle_of_days_is_the_sum_over_all_hidden_paths(market_seed: int) -> None:
    market = Market().simulator
    path = Market().path(4, market_seed)
    found = market.expect(path.bars, path.position[:, 0])[0]
    for day in range(4):
        wanted = brute_force(path.bars[0, : day + 1], float(path.position[0, 0]), market, passed=0)
        assert found[day] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("passed", [1, 3, 7])
def test_the_oracle_of_bars_is_the_sum_over_all_hidden_paths(passed: int) -> None:
    market = Market().simulator
    path = Market().path(3, seed=6)
    found = market.expect_bars(path.bars, path.position[:, 0])[0]
    for day in range(3):
        wanted = brute_force(path.bars[0, : day + 1], float(path.position[0, 0]), market, passed)
        assert found[day * BARS + passed - 1] == pytest.approx(wanted, rel=1e-3)


@settings(deadline=None, max_examples=15)
@given(
    components=st.integers(1, 4),
    leverage=st.sampled_from([0.0, 0.8, 1.0]),
    switches=st.tuples(*[st.booleans()] * 5),
    step=st.sampled_from(["day", "bar"]),
)
def test_the_oracle_is_calibrated_and_best_whatever_is_switched_on(
    components: int, leverage: float, switches: tuple[bool, ...], step: str
) -> None:
    names = ("fat_tails", "jumps", "regimes", "intraday", "yearly")
    chosen: dict[str, Any] = {"step": step, **dict(zip(names, switches, strict=True))}
    task = Market(components=components, leverage=leverage, time=24, train=512, **chosen)
    train, test = task.data("train", 3), task.data("test", 3)
    said = task.oracle(test.inputs)
    assert np.isfinite(said).all() and (said > 0).all()
    ratio = (test.targets / said).mean(1)
    low, high = interval(ratio, level=0.99999)
    assert low < 1.0 < high and high - low < 0.6
    best = task.best_loss(test, 3)
    assert best < task.trivial_loss(train, test)
    assert all(best < loss for loss in task.baselines(train, test).values())
    assert best < min(qlike(test.targets, factor * said) for factor in (0.8, 1.25))


def test_the_oracle_is_calibrated_where_it_is_high_and_where_it_is_low() -> None:
    task = Market(train=1024)
    test = task.data("test", 8)
    said, ratio = task.oracle(test.inputs).reshape(-1), test.targets.reshape(-1)
    ratio = ratio / said
    for rows in np.array_split(np.argsort(said), 8):
        low, high = interval(ratio[rows])
        assert low < 1.0 < high and high - low < 0.3


@pytest.mark.parametrize("step", ["day", "bar"])
def test_nothing_is_forecast_from_what_comes_later(step: Any) -> None:
    task = Market(step=step, time=24, train=64)
    train, split = task.data("train", 0), task.data("test", 0)
    before, said = task.oracle(split.inputs), task.forecasts(train, split)
    known = 16 if step == "bar" else 13  # bars: the end of a whole day, and of the day after it any bar
    split.inputs[:, known:, :-2] *= -2.0
    after, said_after = task.oracle(split.inputs), task.forecasts(train, split)
    np.testing.assert_array_equal(after[:, :known], before[:, :known])
    assert (after[:, known:] != before[:, known:]).any(axis=1).all()
    for name in said:
        np.testing.assert_allclose(said_after[name][:, :known], said[name][:, :known], rtol=1e-9)


def test_the_oracle_of_bars_reads_only_the_bars_that_have_passed() -> None:
    task = Market(step="bar", time=16, train=32)
    split = task.data("test", 0)
    before = task.oracle(split.inputs)
    for known in range(1, 16):
        changed = split.inputs.copy()
        changed[:, known:, 0] += 0.5
        np.testing.assert_array_equal(task.oracle(changed)[:, :known], before[:, :known])


def test_inputs_hold_what_the_market_did() -> None:
    task, bars = Market(time=16, train=64), Market(step="bar", time=16, train=64)
    for made in (task, bars):
        split = made.data("test", 2)
        path = made._draw("test", 2, 64, made.days + 1)
        if made is task:
            np.testing.assert_allclose(np.sinh(split.inputs[:, :, :8]) / 8**0.5, path.bars[:, :-1], rtol=1e-5)
            np.testing.assert_allclose(split.targets, path.realised[:, 1:], rtol=1e-6)
        else:
            flat = path.bars.reshape(64, -1)
            np.testing.assert_allclose(np.sinh(split.inputs[:, :, 0]) / 8**0.5, flat[:, :16], rtol=1e-5)
            np.testing.assert_allclose(split.targets, np.maximum(8 * flat[:, 1:17] ** 2, 1e-6), rtol=1e-6)
        assert made.amount(split) == (64 * made.days, "days of market")


def test_simple_forecasters_are_beaten_but_not_useless() -> None:
    task = Market(train=1024)
    train, test = task.data("train", 1), task.data("test", 1)
    trivial, best = task.trivial_loss(train, test), task.best_loss(test, 1)
    skill = {name: (trivial - loss) / (trivial - best) for name, loss in task.baselines(train, test).items()}
    print(skill)
    assert 0.5 < skill["EWMA 0.94"] < skill["HAR"] < 0.9
    assert memoryless_skill(task, 1) < 0.3


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"components": 0}, "components is 0: it must be from 1 to 4"),
        ({"components": 5}, "components is 5"),
        ({"leverage": 1.5}, "leverage is 1.5: it must be from 0"),
        ({"leverage": -0.1}, "leverage is -0.1"),
        ({"time": 1}, "time is 1: it must be at least 2"),
        ({"step": "bar", "time": 12}, "a multiple of 8"),
        ({"train": 8}, "train is 8 sequences"),
        ({"step": "hour"}, "step is 'hour'"),
    ],
)
def test_dials_that_make_no_market_are_refused_in_one_line(dials: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Market(**dials)
    assert "\n" not in str(caught.value)


# --- GARCH ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(alpha=st.floats(0.01, 0.3), beta=st.floats(0.0, 0.75), bars=st.integers(1, 32))
def test_garch_is_its_recursion_and_its_oracle_follows_from_the_returns(alpha: float, beta: float, bars: int) -> None:
    task = Garch(alpha=alpha, beta=beta, bars=bars, time=20, train=64)
    split = task.data("train", 5)
    said = task.oracle(split.inputs)
    for row in (0, 63):
        variance = 1.0
        for day in range(20):
            variance = 1 - alpha - beta + alpha * float(split.inputs[row, day, 0]) ** 2 + beta * variance
            assert said[row, day] == pytest.approx(variance, rel=1e-9)
    assert np.isfinite(split.targets).all() and (split.targets > 0).all()


def test_garch_bars_sum_to_the_return_and_measure_the_variance() -> None:
    returns, realised, variance = Garch()._draw("check", 0, 4000)
    for values, mean in ((realised / variance, 1.0), (np.square(returns) / variance, 1.0)):
        low, high = interval(values.mean(1))
        assert low < mean < high and high - low < 0.05
    # Of n normal bars: variance 2/n, and covariance 2/n with the squared return, as of bars drawn one by one.
    rng = np.random.default_rng(0)
    bars = rng.standard_normal((4000 * 33, 16)) / 4.0
    wanted = np.cov(np.square(bars).sum(1), np.square(bars.sum(1)))
    found = np.cov((realised / variance).reshape(-1), (np.square(returns) / variance).reshape(-1))
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.005)
    assert (Garch(bars=1).data("test", 0).targets > 0).all()


def test_garch_is_learned_by_one_small_layer_and_not_without_memory() -> None:
    """What makes it a candidate for the null control."""
    task = Garch()
    train, test = task.data("train", 0), task.data("test", 0)
    trivial, best = task.trivial_loss(train, test), task.best_loss(test, 0)
    assert memoryless_skill(task, 0) < 0.6
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lstm, readout = torch.nn.LSTM(1, 16, batch_first=True), torch.nn.Linear(16, 1)
    weights = [*lstm.parameters(), *readout.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 250)
    inputs, targets = torch.as_tensor(train.inputs), torch.as_tensor(train.targets)
    for step in range(250):
        rows = slice(step % 128 * 32, step % 128 * 32 + 32)
        loss = elementwise("qlike", readout(lstm(inputs[rows])[0]), targets[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        outputs = readout(lstm(torch.as_tensor(test.inputs))[0])
        found = elementwise("qlike", outputs, torch.as_tensor(test.targets)).mean().item()
    assert (trivial - found) / (trivial - best) > 0.95
    assert best < found


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"alpha": 0.0}, "alpha must be above 0"),
        ({"beta": -0.1}, "beta at least 0"),
        ({"alpha": 0.4, "beta": 0.6}, "must be below 1"),
        ({"bars": 0}, "bars is 0"),
        ({"time": 1}, "time 1"),
        ({"train": 8}, "train is 8 sequences"),
    ],
)
def test_dials_that_make_no_garch_are_refused_in_one_line(dials: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Garch(**dials)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", [Market(), Garch()], ids=["market", "garch"])
def test_pictures_have_a_title_and_labelled_axes(task: Market | Garch) -> None:
    figure = Figure(figsize=(10, 6), layout="constrained")
    task.illustrate(figure)
    assert figure.get_suptitle() and all(axes.get_ylabel() for axes in figure.axes)
    figure.draw_without_rendering()
