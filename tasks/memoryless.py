"""How far a model without memory gets: it reads one step of the input and nothing before it (PROTOCOL 9)."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from tasks.task import Split, Task


def counted(task: Task, split: Split) -> np.ndarray:
    """Which targets reach loss and score: bool `(n, time)`, or `(n,)` for one target per sequence."""
    if task.target == "sequence":
        return np.ones(len(split.inputs), dtype=bool)
    steps = split.inputs.shape[1]
    lengths = np.full(len(split.inputs), steps) if split.lengths is None else split.lengths
    return np.arange(steps) < lengths[:, None]


def memoryless_loss(task: Task, train: Split, split: Split) -> float:
    """Mean loss on `split` of a model fitted on train that sees the present step only; for one target per sequence,
    the last step.

    Tokens: a table of frequencies. Classes: Gaussian classes with one covariance. Numbers: least squares (of the log
    for `qlike`). All but the table read the inputs, their squares and products.
    Raises ValueError for label sequences: which step a label belongs to is not known, so there is nothing to fit on.
    """
    if task.target == "labels":
        raise ValueError(f"{task.name} has label sequences: no model of one step can be fitted on them")
    fitted, asked = _present(task, train), _present(task, split)
    known, wanted = train.targets[counted(task, train)], split.targets[counted(task, split)]
    if task.loss in ("cross_entropy", "cross_entropy_bits"):
        scores = _table(fitted, known, asked, task) if task.tokens else _gaussian_classes(fitted, known, asked, task)
        nats = float(-log_softmax(scores, axis=1)[np.arange(len(wanted)), wanted].mean())
        return nats / np.log(2.0) if task.loss == "cross_entropy_bits" else nats
    logarithmic = task.loss == "qlike"
    weights, *_ = np.linalg.lstsq(fitted, (np.log(known) if logarithmic else known).astype(np.float64), rcond=None)
    outputs, wanted = (asked @ weights).reshape(len(asked), -1), wanted.astype(np.float64).reshape(len(asked), -1)
    if not logarithmic:
        return float(np.square(outputs - wanted).mean())
    difference = np.log(wanted) - outputs
    return float((np.expm1(difference) - difference).mean())


def memoryless_skill(task: Task, seed: int) -> float:
    """Skill of that model on the test split of a data seed, between trivial (0) and best possible (1)."""
    train, test = task.data("train", seed), task.data("test", seed)
    trivial = task.trivial_loss(train, test)
    return (trivial - memoryless_loss(task, train, test)) / (trivial - (task.best_loss(test, seed) or 0.0))


def _present(task: Task, split: Split) -> np.ndarray:
    """Regressors of every counted target, `(targets, features)`."""
    present = split.inputs if task.target == "step" else split.inputs[:, -1]
    if task.tokens:
        return np.eye(task.tokens)[present][counted(task, split)]
    present = present.astype(np.float64)[counted(task, split)]
    products = (present[:, :, None] * present[:, None, :])[:, *np.triu_indices(task.inputs)]
    return np.concatenate([np.ones((len(present), 1)), present, products], axis=1)


def _table(fitted: np.ndarray, known: np.ndarray, asked: np.ndarray, task: Task) -> np.ndarray:
    counts = fitted.T @ np.eye(task.outputs)[known] + 0.1
    return asked @ np.log(counts / counts.sum(1, keepdims=True))


def _gaussian_classes(fitted: np.ndarray, known: np.ndarray, asked: np.ndarray, task: Task) -> np.ndarray:
    """Linear discriminant scores `(targets, classes)`."""
    indicator = np.eye(task.outputs)[known]
    prior = (indicator.sum(0) + 1.0) / (len(known) + task.outputs)
    means = indicator.T @ fitted / np.maximum(indicator.sum(0), 1.0)[:, None]
    within = np.cov((fitted - means[known]).T) + 1e-6 * np.eye(fitted.shape[1])
    weights = np.linalg.solve(within, means.T)
    return asked @ weights - 0.5 * (means * weights.T).sum(1) + np.log(prior)
