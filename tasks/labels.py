"""Base of tasks whose target is a label sequence without times: scored by CTC and by the label error rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar

from tasks import ctc
from tasks.task import Split, Task

if TYPE_CHECKING:
    import torch

FITTED_ON = 256
"""Training sequences on which the trivial predictor chooses its share of blanks."""


@dataclass(frozen=True)
class LabelSequences(Task):
    """What is said is known, when it is said is not: connectionist temporal classification (Graves et al. 2006, ICML).

    The network gives, at every step, scores of the labels 0 to `outputs` - 2 and of blank, the last. The loss is the
    negative log of the probability of the label sequence over all its alignments, in nats per label: the sum over
    sequences divided by the number of their labels. The second metric is the label error rate: substitutions,
    insertions and deletions of the decoded sequence, over the labels there are (both after `scored`).

    A derived task gives Split(targets, target_lengths); every sequence has at least one label, and steps enough for
    its labels and for a blank between two that are equal.
    """

    target: ClassVar = "labels"
    loss: ClassVar = "ctc"
    unit: ClassVar[str] = "nats per label"
    second_metric: ClassVar[str] = "label error rate"

    beam: int = 1
    """Hypotheses kept in decoding: 1 takes the likeliest label of every step, more is prefix beam search (slower)."""

    @property
    def blank(self) -> int:
        """The output that says no label: the last."""
        return self.outputs - 1

    def scored(self, labels: np.ndarray) -> np.ndarray:
        """Labels as they are scored, where that differs from how they are trained; may merge and leave out."""
        return labels

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Of outputs that are the same at every step: label frequencies, and the share of blanks best on train."""
        assert train.target_lengths is not None
        counts = np.bincount(_flat(train), minlength=self.blank) + 1.0
        prior = counts / counts.sum()
        some = ctc.first(train, FITTED_ON)

        def constant(blank: float) -> np.ndarray:
            return np.log([*(1.0 - blank) * prior, blank])

        chosen = minimize_scalar(
            lambda b: ctc.constant_loss(constant(b), some), bounds=(1e-3, 1 - 1e-3), method="bounded"
        )
        return ctc.constant_loss(constant(float(chosen.x)), split)

    def label_errors(
        self, outputs: torch.Tensor, lengths: torch.Tensor | None, targets: torch.Tensor, target_lengths: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """(errors, labels there are) `(batch,)`; outputs `(batch, time, outputs)` are scores before softmax."""
        scores = outputs.double().log_softmax(-1).cpu().numpy()
        steps = np.full(len(scores), scores.shape[1]) if lengths is None else lengths.cpu().numpy()
        errors, counts = np.empty(len(scores)), np.empty(len(scores))
        for row, (labels, count) in enumerate(zip(targets.cpu().numpy(), target_lengths.cpu().numpy(), strict=True)):
            said = ctc.decode(scores[row, : steps[row]], self.blank, self.beam)
            wanted = self.scored(labels[:count])
            errors[row], counts[row] = ctc.edit_distance(self.scored(said), wanted), len(wanted)
        return errors, counts


def _flat(split: Split) -> np.ndarray:
    """All labels that count, one after another."""
    assert split.target_lengths is not None
    return split.targets[np.arange(split.targets.shape[1]) < split.target_lengths[:, None]]
