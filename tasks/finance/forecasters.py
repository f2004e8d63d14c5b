"""Simple forecasters that a network has to beat. Each sees what the network sees, and is fitted on train alone."""

from __future__ import annotations

import functools
import warnings

import numpy as np

DECAY = 0.94
"""Of the exponentially weighted mean (RiskMetrics 1996)."""
MONTH = (1, 5, 22)
"""Trading days of a day, a week and a month: the spans of HAR."""
WEEK = 5
"""Rows from a day to the same weekday a week earlier, where no day is missing between them."""


def qlike(target: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of x/h - ln(x/h) - 1 (Patton 2011); target x and prediction h are positive, in the same unit."""
    difference = np.log(np.asarray(target, dtype=np.float64)) - np.log(np.asarray(predicted, dtype=np.float64))
    return float((np.expm1(difference) - difference).mean())


# --- averages of the past ---------------------------------------------------------------------------------------------


def window_means(past: np.ndarray, spans: tuple[int, ...] = MONTH) -> np.ndarray:
    """Mean of the last days of each window, for each span: `(n, spans)`, from `(n, window)`."""
    return np.stack([past[:, -span:].mean(axis=1) for span in spans], axis=1)


def trailing_means(past: np.ndarray, spans: tuple[int, ...] = MONTH, before: float = 1.0) -> np.ndarray:
    """Mean of the last values up to each step, for each span: `(n, time, spans)`, with `before` before the first."""
    n, time = past.shape
    padded = np.concatenate([np.zeros((n, 1)), np.full((n, max(spans)), before), past], axis=1).cumsum(axis=1)
    end = padded.shape[1]
    return np.stack([(padded[:, -time:] - padded[:, end - time - span : end - span]) / span for span in spans], axis=-1)


def window_ewma(past: np.ndarray) -> np.ndarray:
    """Exponentially weighted mean `(n,)` of each window, weights summing to 1."""
    weights = DECAY ** np.arange(past.shape[1])[::-1]
    return past @ (weights / weights.sum())


def running_ewma(past: np.ndarray, before: float = 1.0) -> np.ndarray:
    """Exponentially weighted mean up to each step `(n, time)`, started at `before`."""
    found, now = np.empty(past.shape), np.full(len(past), before)
    for step in range(past.shape[1]):
        now = DECAY * now + (1.0 - DECAY) * past[:, step]
        found[:, step] = now
    return found


# --- regressions ------------------------------------------------------------------------------------------------------


def linear(fitted: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Least squares with a constant, fitted on `(n, features)` and `(n,)`: its forecasts of `asked`."""
    coefficients, *_ = np.linalg.lstsq(_with_constant(fitted), target.astype(np.float64), rcond=None)
    return _with_constant(asked) @ coefficients


def log_regression(fitted: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Least squares for the log of a variance, and the factor that makes its exponential right on average.

    The factor is the mean of x/h over train, which of all factors has the least QLIKE there (a lognormal correction
    would suppose a lognormal error, which the log of a single squared return is far from). In logs and not in levels,
    because then a forecast is positive without a floor of its own and no crisis in train outweighs all calm years.
    """
    target = target.astype(np.float64)
    known, said = (np.exp(linear(fitted, np.log(target), features)) for features in (fitted, asked))
    return (target / known).mean() * said


def logistic(fitted: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Probability `(n,)` of class 1, by logistic regression with a constant and a ridge of one observation."""
    x, y = _with_constant(fitted), labels.astype(np.float64)
    ridge = np.diag([0.0, *np.ones(x.shape[1] - 1)])
    weights = np.zeros(x.shape[1])
    for _ in range(25):
        said = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30.0, 30.0)))
        slope = x.T @ (y - said) - ridge @ weights
        step = np.linalg.solve((x * (said * (1.0 - said))[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1]), slope)
        weights += step
        if np.abs(step).max() < 1e-10:
            break
    return 1.0 / (1.0 + np.exp(-np.clip(_with_constant(asked) @ weights, -30.0, 30.0)))


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(features), 1)), features.astype(np.float64)], axis=1)


# --- GARCH ------------------------------------------------------------------------------------------------------------


def garch(fitted: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray | None:
    """GARCH(1,1) forecasts `(n,)` of the variance after each window of returns `(n, window)`; None without `arch`.

    Parameters are those of maximum likelihood (by `arch`) on the returns of train, whose windows follow one another
    day by day. The recursion runs over each window alone, as the network does, from the window's own mean square. Its
    forecasts are of squared returns; a factor, the mean of x/h on train, turns them into the unit of the target.
    """
    returns = np.concatenate([fitted[0], fitted[1:, -1]]).astype(np.float64)
    parameters = _fit(returns.tobytes())
    if parameters is None:
        return None
    said = _recursion(fitted, *parameters)
    return (target.astype(np.float64) / said).mean() * _recursion(asked, *parameters)


@functools.lru_cache(maxsize=64)
def _fit(returns: bytes) -> tuple[float, float, float, float] | None:
    """Mean, omega, alpha and beta; kept, since every training of a fold asks for the same."""
    try:
        from arch import arch_model
    except ImportError:  # a machine with torch and little else: the other baselines do
        return None
    model = arch_model(np.frombuffer(returns), mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(disp="off", show_warning=False).params
    mean, omega, alpha, beta = (float(found[name]) for name in ("mu", "omega", "alpha[1]", "beta[1]"))
    return mean, omega, alpha, beta


def _recursion(returns: np.ndarray, mean: float, omega: float, alpha: float, beta: float) -> np.ndarray:
    squares = np.square(returns.astype(np.float64) - mean)
    variance = squares.mean(axis=1)
    for step in range(squares.shape[1]):
        variance = omega + alpha * squares[:, step] + beta * variance
    return np.maximum(variance, 1e-12)
