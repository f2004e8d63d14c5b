"""Connectionist temporal classification in NumPy: the loss of constant outputs, decoding, and the error rate.

Training uses torch's loss. Here is what a task and its references need without torch. Blank is the last output.
Graves et al. 2006, Connectionist Temporal Classification, ICML; decoding as in Hannun et al. 2014 (arXiv 1408.2873).
"""

from __future__ import annotations

import numpy as np

from tasks.task import Split


def first(split: Split, count: int) -> Split:
    """The first `count` sequences of a split of label sequences."""
    assert split.target_lengths is not None
    lengths = None if split.lengths is None else split.lengths[:count]
    return Split(split.inputs[:count], split.targets[:count], lengths, target_lengths=split.target_lengths[:count])


def steps_of(split: Split) -> np.ndarray:
    """Steps that count, int64 `(n,)`."""
    return np.full(len(split.inputs), split.inputs.shape[1]) if split.lengths is None else split.lengths


def shortest(targets: np.ndarray, target_lengths: np.ndarray) -> np.ndarray:
    """Fewest steps in which each label sequence can be said: its labels, and a blank between two that are equal."""
    counted = np.arange(1, targets.shape[1]) < target_lengths[:, None]
    return target_lengths + ((targets[:, 1:] == targets[:, :-1]) & counted).sum(1)


def log_probability(
    scores: np.ndarray, lengths: np.ndarray, targets: np.ndarray, target_lengths: np.ndarray
) -> np.ndarray:
    """Log probability `(n,)` of label sequences over all alignments: the forward algorithm, all sequences at once.

    scores `(n, time, outputs)` are log probabilities, the last output is blank; -inf where there are too few steps.
    """
    n, longest = targets.shape
    labels = np.full((n, 2 * longest + 1), scores.shape[2] - 1)
    labels[:, 1::2] = targets  # blank, first label, blank, second label, ..., blank
    states = np.arange(labels.shape[1])
    skips = np.zeros(labels.shape, dtype=bool)
    skips[:, 2:] = (labels[:, 2:] != labels[:, :-2]) & (states[2:] % 2 == 1)
    emitted = np.take_along_axis(scores, np.broadcast_to(labels[:, None], (*scores.shape[:2], labels.shape[1])), axis=2)
    forward = np.full((n, labels.shape[1]), -np.inf)
    forward[:, :2] = emitted[:, 0, :2]
    nothing = np.full((n, 1), -np.inf)
    for step in range(1, scores.shape[1]):
        one = np.concatenate([nothing, forward[:, :-1]], axis=1)
        two = np.where(skips, np.concatenate([nothing, nothing, forward[:, :-2]], axis=1), -np.inf)
        moved = np.logaddexp(np.logaddexp(forward, one), two) + emitted[:, step]
        forward = np.where((step < lengths)[:, None], moved, forward)
    rows = np.arange(n)
    return np.logaddexp(forward[rows, 2 * target_lengths], forward[rows, 2 * target_lengths - 1])


def constant_loss(scores: np.ndarray, split: Split) -> float:
    """Nats per label on a split of outputs that are the log probabilities `scores` `(outputs,)` at every step."""
    assert split.target_lengths is not None
    steps = steps_of(split)
    everywhere = np.broadcast_to(scores, (len(steps), int(steps.max()), len(scores)))
    found = log_probability(everywhere, steps, split.targets, split.target_lengths)
    return float(-found.sum() / split.target_lengths.sum())


# --- decoding ---------------------------------------------------------------------------------------------------------


def decode(scores: np.ndarray, blank: int, beam: int = 1) -> np.ndarray:
    """Labels said by log probabilities `(time, outputs)`: best path for a beam of 1, else prefix beam search."""
    if beam < 1:
        raise ValueError(f"beam is {beam}: it must be at least 1")
    return best_path(scores, blank) if beam == 1 else prefix_beam(scores, blank, beam)


def best_path(scores: np.ndarray, blank: int) -> np.ndarray:
    """The likeliest output of every step, repeats joined and blanks left out."""
    path = scores.argmax(1)
    starts = np.concatenate([[True], path[1:] != path[:-1]])
    return path[starts & (path != blank)]


def prefix_beam(scores: np.ndarray, blank: int, beam: int) -> np.ndarray:
    """The likeliest label sequence among the `beam` likeliest prefixes of every step; exact for a wide beam.

    A prefix has two log probabilities: of its alignments that end in blank, and of those that end in its last label.
    Of two equally likely prefixes the earlier in dictionary order is kept, so that the answer is one.
    """
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for step in scores:
        found: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], ends_in_blank: float, ends_in_label: float, found: dict = found) -> None:
            one, two = found.get(prefix, (-np.inf, -np.inf))
            found[prefix] = (float(np.logaddexp(one, ends_in_blank)), float(np.logaddexp(two, ends_in_label)))

        for prefix, (in_blank, in_label) in kept.items():
            whole = float(np.logaddexp(in_blank, in_label))
            add(prefix, whole + step[blank], -np.inf)
            for label in np.flatnonzero(step > -np.inf).tolist():
                if label == blank:
                    continue
                if prefix and label == prefix[-1]:
                    add(prefix, -np.inf, in_label + step[label])  # goes on with the same label
                    add((*prefix, label), -np.inf, in_blank + step[label])  # says it again, after a blank
                else:
                    add((*prefix, label), -np.inf, whole + step[label])
        ranked = sorted(found.items(), key=lambda one: (-float(np.logaddexp(*one[1])), one[0]))
        kept = dict(ranked[:beam])
    return np.array(next(iter(kept)), dtype=np.int64)


def edit_distance(said: np.ndarray, wanted: np.ndarray) -> int:
    """Fewest substitutions, insertions and deletions that turn one label sequence into the other (Levenshtein)."""
    row = np.arange(len(wanted) + 1)
    for number, label in enumerate(said, start=1):
        # Deleting from the row above or substituting; then insertions, which run along the row, as a running minimum.
        best = np.minimum(row[1:] + 1, row[:-1] + (np.asarray(wanted) != label))
        best = np.concatenate([[number], best])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])
