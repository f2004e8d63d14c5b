"""Real daily prices: read from the files that the package `arch` carries, cleaned, and turned into returns."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import io
import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

Source = Literal["equities", "oil", "vix"]
FILES: dict[str, tuple[str, ...]] = {"equities": ("sp500", "nasdaq"), "oil": ("wti",), "vix": ("vix",)}
"""Files of each source; those of one source are parallel series."""
TITLES = {"sp500": "S&P 500", "nasdaq": "NASDAQ", "wti": "WTI crude oil", "vix": "VIX"}
FLOORS = {"equities": 1e-6, "oil": 1e-5, "vix": 1e-5}
"""Smallest variance kept. QLIKE grows without bound as its target goes to 0, so one day of stale quotes could outweigh
a year. For the indices it is a daily standard deviation of 0.1 %: it binds on 2 of 5,031 S&P 500 days and on no NASDAQ
day. For oil and the VIX, of which only closes exist, it is 0.3 %: many squared returns are near 0 by chance."""


class Prices(NamedTuple):
    """One file, row by row `(rows,)`: nan is a missing price, and a file of closes has them four times."""

    dates: np.ndarray
    opened: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray


class Panel(NamedTuple):
    """Cleaned daily series on common days: `dates` `(days,)`, the others `(days, series)`, per day and not per year.

    `returns` are close to close, in logs, the first one nan. `variance` and `range_variance` are the Garman-Klass and
    Parkinson proxies where there are highs and lows, and both the squared return where there are not; floored.
    """

    dates: np.ndarray
    close: np.ndarray
    returns: np.ndarray
    variance: np.ndarray
    range_variance: np.ndarray


def price_file(name: str) -> bytes:
    """The CSV of one series as it lies in the installed `arch` package, which is located but not imported."""
    package = importlib.util.find_spec("arch")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("real markets are read from files that the package arch carries: pip install arch")
    path = Path(package.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"
    if not path.is_file():
        raise FileNotFoundError(f"prices: there is no {path}; another arch than the one on PyPI is in the way")
    return gzip.decompress(path.read_bytes())


def digest(source: Source) -> str:
    """SHA-256 of a source's files, uncompressed."""
    found = hashlib.sha256()
    for name in FILES[source]:
        found.update(price_file(name))
    return found.hexdigest()


@functools.cache
def read(name: str) -> Prices:
    """The rows of one file in order of dates, nothing dropped; the arrays cannot be written into."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(price_file(name)), na_values=".")  # WTI writes a day without a price as a dot
    form = "%m/%d/%Y" if frame["Date"].str.contains("/").all() else "%Y-%m-%d"
    frame = frame.set_index(pd.to_datetime(frame["Date"], format=form)).sort_index()
    ranged = {"Open", "High", "Low", "Close"} <= set(frame.columns)
    columns = ("Open", "High", "Low", "Close") if ranged else (frame.columns[-1],) * 4
    arrays = [frame[column].to_numpy(dtype=np.float64, copy=True) for column in columns]
    table = Prices(frame.index.to_numpy().astype("datetime64[D]"), *arrays)
    for array in table:
        array.flags.writeable = False
    return table


def panel(source: Source) -> Panel:
    """The cleaned series of a source; see `make_panel` for what is dropped."""
    tables = [read(name) for name in FILES[source]]
    dates = functools.reduce(np.intersect1d, [table.dates for table in tables])
    rows = [np.searchsorted(table.dates, dates) for table in tables]
    opened, high, low, close = (
        np.stack([table[column][at] for table, at in zip(tables, rows, strict=True)], axis=1) for column in range(1, 5)
    )
    return make_panel(dates, opened, high, low, close, floor=FLOORS[source], ranged=source == "equities")


def dropped(source: Source) -> int:
    """Days in a source's files that are not in its panel: 0 for the indices, 290 for oil, 46 for the VIX."""
    return len(functools.reduce(np.union1d, [read(name).dates for name in FILES[source]])) - len(panel(source).dates)


def make_panel(
    dates: np.ndarray,
    opened: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    *,
    floor: float,
    ranged: bool = True,
) -> Panel:
    """Clean prices `(days, series)` and turn them into variances and returns.

    A day is dropped, for all parallel series, when a price is missing, is not positive or lies outside its day's low
    and high. Nothing is filled in: the next return spans the gap. `ranged`: the highs and lows are real ones.
    """
    with np.errstate(invalid="ignore"):
        inside = (low > 0) & (low <= np.minimum(opened, close)) & (high >= np.maximum(opened, close))
    whole = (inside & np.isfinite(high)).all(axis=1)  # a comparison with a missing price is false
    opened, high, low, close = (np.log(price[whole]) for price in (opened, high, low, close))
    returns = np.diff(close, axis=0, prepend=np.full((1, close.shape[1]), np.nan))
    if ranged:
        spread, session = np.square(high - low), np.square(close - opened)
        variance = 0.5 * spread - (2.0 * math.log(2.0) - 1.0) * session
        range_variance = spread / (4.0 * math.log(2.0))
    else:
        variance = range_variance = np.square(returns)
    floored = (np.maximum(proxy, floor) for proxy in (variance, range_variance))
    return Panel(dates[whole], np.exp(close), returns, *floored)
