"""How long a trace lasts: half-life, time to 1/e and area of curves that rise to a peak and fall again.

A curve says how far two copies of a network are apart, one number for every step since an input was changed in one of
them. All durations are in steps since the change; of an exponential decay f^lag the half-life is ln 0.5 / ln f.
"""

from __future__ import annotations

import numpy as np

HALF, ONE_OVER_E = 0.5, float(np.exp(-1.0))


def time_to(share: float, curves: np.ndarray) -> np.ndarray:
    """Steps since the change after which each of the curves `(..., lags)` has fallen to `share` of its peak; `(...)`.

    The first time at or after the peak counts. Between two steps the curve is straight on logarithms, which is exact
    for an exponential. Infinite where a curve does not fall so far in its window, NaN where it is 0 throughout.
    """
    curves = np.asarray(curves, dtype=float)
    peak = curves.max(axis=-1)
    after = np.arange(curves.shape[-1]) > curves.argmax(axis=-1)[..., None]
    level = share * peak
    fallen = after & (curves <= level[..., None])
    first = fallen.argmax(axis=-1)
    below = np.take_along_axis(curves, first[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(curves, np.maximum(first - 1, 0)[..., None], axis=-1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        on_logs = np.log(above / level) / np.log(above / below)
        part = np.where(below > 0, on_logs, (above - level) / above)  # to nothing at once: a straight line
    found = np.where(fallen.any(axis=-1), first - 1 + part, np.inf)
    return np.where(peak > 0, found, np.nan)


def area(curves: np.ndarray) -> np.ndarray:
    """Sum over the window of each of the curves `(..., lags)` as a share of its peak, in steps; `(...)`.

    As long as the trace would last at its full height. It stays a number where a half-life outlasts the window, as the
    restricted mean of survival analysis does (Royston and Parmar 2013). NaN where a curve is 0 throughout.
    """
    curves = np.asarray(curves, dtype=float)
    peak = curves.max(axis=-1)
    return np.where(peak > 0, curves.sum(axis=-1) / np.where(peak > 0, peak, 1.0), np.nan)
