"""Which phone is being spoken? Synthesised speech whose phones overlap in time, by speakers never heard before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import log_softmax

from tasks.speech import formant_corpus
from tasks.speech.formant_corpus import HOP_MS, Corpus
from tasks.speech.inventory import PAUSE, SYMBOLS
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Formants(Task):
    """Name the phone of every frame of synthesised speech, for a speaker that was never heard in training.

    An utterance is a few nonsense syllables between two pauses, of 32 English phones and the pause: 10 vowels, 4 glides
    and liquids, 3 nasals, 9 fricatives and 6 stops (`tasks/speech/inventory.py` gives every number's source). It is
    synthesised as a waveform at 16 kHz by a formant synthesiser after Klatt (1980): glottal pulses and noise, filtered
    by resonators that move (`tasks/speech/synthesis.py`). No two times that a phone is said are the same, and the vocal
    tract is slow: formant tracks are smoothed over time with a Gaussian kernel of `overlap` ms, so neighbours overlap
    (coarticulation) and short phones do not reach their targets (undershoot: Lindblom 1963, JASA 35, 1773-1781). A
    speaker has a vocal-tract length (all formants times 0.9 to 1.25, log-uniform; the women of Peterson & Barney are at
    about 1.17), a pitch that goes with it, a speaking rate, a voice quality, a loudness and a room with its noise.
    Heard are the log energies of `bands` mel bands, in windows of 25 ms, 20 ms apart. The label of step t is the phone
    in the middle of frame t - `delay`, and the pause before the first: the usual target delay that lets a network
    without a backward direction hear the end of an overlap (Graves & Schmidhuber 2005, Neural Networks 18).

    Inputs float32 `(n, time, bands)`, each band less its mean and over its standard deviation on a corpus of its own
    that is no split of any seed; targets int64 `(n, time)`, a phone in 0..32 (the last is the pause); lengths `(n,)`
    are those of the utterances, which end with 40 to 80 ms of pause; groups name the speaker, and no speaker is in two
    splits. A data seed draws new speakers, utterances and noise; phones and their rules never change. `formants_ctc` is
    the same corpus without times. The best possible score is not known (a state would have to hold every speaker and
    every overlap), so skill is the relative reduction of the trivial loss, the class prior's.
    """

    name: ClassVar[str] = "formants"
    family: ClassVar[str] = "speech"
    description: ClassVar[str] = "phone of every frame of synthesised speech; phones overlap, speakers are unseen"
    target: ClassVar = "step"
    loss: ClassVar = "cross_entropy"
    unit: ClassVar[str] = "nats per frame"
    second_metric: ClassVar[str] = "error rate"

    time: int = 40
    """Frames of 20 ms in the longest utterance."""
    overlap: float = 25.0
    """Standard deviation, in ms, of the kernel that smooths formant tracks; 0 for steps."""
    noise: float = 1.0
    """Multiple of the noise of each speaker's room, which lies 15 to 30 dB below the speech."""
    delay: int = 2
    """Frames by which labels lag behind frames."""
    speakers: int = 128
    """Training speakers; validation has an eighth as many, test a quarter."""
    utterances: int = 16
    """Utterances of each speaker."""
    bands: int = 16
    """Mel bands that are heard, from 64 Hz to 8 kHz."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data."""
        if not 0 <= self.delay < self.time:
            raise ValueError(f"delay is {self.delay} frames: it must be from 0 to less than time, which is {self.time}")
        self.corpus  # noqa: B018  # refuses what it cannot make

    @property
    def corpus(self) -> Corpus:
        """What is spoken and heard, which all seeds share."""
        return Corpus(self.time, self.overlap, self.noise, self.speakers, self.utterances, self.bands)

    @property
    def inputs(self) -> int:
        """One log energy per band."""
        return self.bands

    @property
    def outputs(self) -> int:
        """32 phones and the pause."""
        return len(SYMBOLS)

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Utterances of the split's own speakers; `fold` is ignored."""
        spoken = self.corpus.draw(split, seed)
        return Split(
            inputs=self.corpus.scaled(spoken.bands, spoken.lengths),
            targets=self._delayed(spoken.frames),
            lengths=spoken.lengths,
            groups=formant_corpus.group_names(seed, spoken.speakers),
        )

    def _delayed(self, frames: np.ndarray) -> np.ndarray:
        """The phone of `delay` frames ago; before the first frame there was a pause."""
        return np.pad(frames, ((0, 0), (self.delay, 0)), constant_values=PAUSE)[:, : frames.shape[1]]

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Cross-entropy in nats of the train frequencies of phones."""
        prior = _prior(train.targets[counted(train)])
        return float(-np.log(prior)[split.targets[counted(split)]].mean())

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Linear discriminant analysis on the labelled frame alone, and on it with two frames either side."""
        return {
            "LDA, one frame": discriminant_loss(train, split, (self.delay,)),
            "LDA, five frames": discriminant_loss(train, split, range(self.delay - 2, self.delay + 3)),
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likeliest phone is wrong, else 0."""
        return (outputs.argmax(-1) != targets).to(outputs.dtype)

    def amount(self, split: Split) -> tuple[float, str]:
        """Seconds from the beginning to the end of every utterance."""
        return formant_corpus.seconds(split), "seconds of speech"

    def example(self, seed: int = 0) -> str:
        """One utterance: the hidden formants, the bands that the network hears, the phone spoken, and the label."""
        corpus, spoken = self.corpus.one(seed)
        blocks, labels = formant_corpus.as_blocks(corpus, spoken), self._delayed(spoken.frames)[0]
        lines = [
            f"Speaker {spoken.speakers[0]} says in {spoken.lengths[0]} frames of {HOP_MS:.0f} ms: "
            f"{formant_corpus.transcript(spoken)[:60]}",
            f"Heard: {self.bands} bands, low to high. Asked: the phone of {self.delay} frames ago.",
            f"frame | hidden: F1, F2, F3 in Hz, phone | {'heard':{max(self.bands, 5)}s} | asked",
        ]
        for step in range(spoken.lengths[0]):
            hidden = "  ".join(f"{value:5.0f}" for value in spoken.formants[0, 4 * step + 2])
            phone, label = SYMBOLS[spoken.frames[0, step]], SYMBOLS[labels[step]]
            lines.append(f"{step:5d} |     {hidden}   {phone:5s} | {blocks[step]:5s} | {label}")
        return "\n".join(lines)

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Waveform, phones, spectrogram with formant tracks, and the bands that the network hears."""
        asked = f"asked at every frame: the phone {self.delay * HOP_MS:.0f} ms ago"
        formant_corpus.illustrate(figure, self.corpus, "Which phone is being spoken? Formant synthesis", asked, seed)

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray]:
        """Two and a half seconds of nonsense syllables by one speaker."""
        return formant_corpus.sound(self.corpus, seed)

    @classmethod
    def tiny(cls) -> Formants:
        """16 speakers with 8 utterances of 16 frames."""
        return cls(time=16, speakers=16, utterances=8)


def counted(split: Split) -> np.ndarray:
    """Frames that lie within their utterance, bool `(n, time)`."""
    assert split.lengths is not None
    return np.arange(split.inputs.shape[1]) < split.lengths[:, None]


def discriminant_loss(train: Split, split: Split, lags: Sequence[int]) -> float:
    """Mean cross-entropy of Gaussian classes with one covariance, on frames stacked from the given lags.

    Lags before the first or after the present frame are replaced by the nearest frame that has been heard, so that
    no baseline sees what the network does not.
    """

    def stacked(part: Split) -> np.ndarray:
        step = np.arange(part.inputs.shape[1])
        frames = [part.inputs[:, np.clip(step - max(lag, 0), 0, None)] for lag in lags]
        return np.concatenate(frames, axis=-1)[counted(part)].astype(np.float64)

    features, labels = stacked(train), train.targets[counted(train)]
    indicator = np.eye(len(SYMBOLS))[labels]
    means = indicator.T @ features / np.maximum(indicator.sum(0), 1.0)[:, None]
    residual = features - means[labels]
    # The ridge only matters where a lag is repeated (delay below 2) and the covariance is singular.
    covariance = residual.T @ residual / len(features) + 1e-6 * np.eye(features.shape[1])
    weights = np.linalg.solve(covariance, means.T)
    bias = np.log(_prior(labels)) - 0.5 * (means * weights.T).sum(1)
    scores = log_softmax(stacked(split) @ weights + bias, axis=1)
    return float(-scores[np.arange(len(scores)), split.targets[counted(split)]].mean())


def _prior(labels: np.ndarray) -> np.ndarray:
    """Class frequencies with one count added to each, so that a phone unseen in a tiny sample has no zero."""
    counts = np.bincount(labels, minlength=len(SYMBOLS)) + 1.0
    return counts / counts.sum()
