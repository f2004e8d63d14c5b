"""Linear discriminant analysis of frames: how far a few frames, and no memory, go in naming a phone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from tasks.task import Split


def discriminant_loss(train: Split, split: Split, classes: int, lags: Sequence[int]) -> float:
    """Mean cross-entropy in nats, on `split`, of Gaussian classes with one covariance fitted on train.

    Each step's regressors are the frames of the given lags, in steps before it. A lag before the first or after the
    present frame is replaced by the nearest frame that has been heard: no baseline sees what the network does not.
    """
    features, labels = _stacked(train.inputs, lags), train.targets.reshape(-1)
    indicator = np.eye(classes)[labels]
    counts = indicator.sum(0)
    means = indicator.T @ features / np.maximum(counts, 1.0)[:, None]
    residual = features - means[labels]
    # The ridge only matters where a lag is repeated (small delay) and the covariance is singular.
    within = residual.T @ residual / len(residual) + 1e-3 * np.eye(features.shape[1])
    weights = np.linalg.solve(within, means.T)
    offset = -0.5 * (means * weights.T).sum(1) + np.log((counts + 1.0) / (counts + 1.0).sum())
    scores = log_softmax(_stacked(split.inputs, lags) @ weights + offset, axis=1)
    wanted = split.targets.reshape(-1)
    return float(-scores[np.arange(len(wanted)), wanted].mean())


def _stacked(inputs: np.ndarray, lags: Sequence[int]) -> np.ndarray:
    """Frames of several lags side by side, `(n x time, lags x features)`."""
    steps = np.arange(inputs.shape[1])
    frames = [inputs[:, np.clip(steps - max(lag, 0), 0, None)] for lag in lags]
    return np.concatenate(frames, axis=-1).reshape(-1, len(lags) * inputs.shape[2]).astype(np.float64)
