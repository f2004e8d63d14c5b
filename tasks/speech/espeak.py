"""Which phone is being spoken? Synthesised speech in eight accents of English, by voices never heard before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.speech import cache, discriminant, picture, spoken, voice
from tasks.task import Split, SplitName, Task

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SENTENCE_MS = 1000.0
"""Milliseconds of a window for which an utterance has one sentence: of 600, 92 % lasted longer."""


@dataclass(frozen=True)
class Espeak(Task):
    """Name the phone of every frame of synthesised speech (eSpeak NG), for a speaker that was never heard in training.

    Sentences by chance, from a grammar over some 550 English words, are spoken by a formant synthesiser whose rules for
    accents, stress, coarticulation and intonation were made by people for listening. It tells when each phone sounds.
    A voice is one of 8 accents and one of 32 speakers; rate (120 to 240 words a minute), pitch and its range are drawn
    for every utterance. A data seed draws which speakers are kept for validation (4) and test (6). What is heard are
    log energies of `bands` mel bands of 16 kHz sound, less constant means, in units of 4.8 (constants too; see
    `tasks/speech/spoken.py`). The target of step t is the phone at the middle of frame t - `delay`, so that a network
    without a backward direction hears how a phone goes on (Graves & Schmidhuber 2005, Neural Networks 18).

    Inputs float32 `(n, time, bands)`; targets int64 `(n, time)`, one of 45 phones, a pause among them; groups name the
    voice, and no speaker is in two splits. Windows of an utterance do not overlap. The best possible score is not
    known, so skill is the relative reduction of the trivial loss, the class prior's.

    This is synthesised speech: it is no recording, and its scores say nothing about TIMIT's. The synthesiser comes with
    the extra `speech`; its digest is part of a training's identity. A data seed takes seconds to make and is then kept
    under `$STRATA_CACHE` (or `~/.cache/strata`).
    """

    name: ClassVar[str] = "espeak"
    family: ClassVar[str] = "speech"
    description: ClassVar[str] = "phone of every frame of synthesised speech (eSpeak NG), by unseen voices"
    target: ClassVar = "step"
    loss: ClassVar = "cross_entropy"
    unit: ClassVar[str] = "nats per frame"
    second_metric: ClassVar[str] = "error rate"

    time: int = 50
    """Frames in a window."""
    bands: int = 16
    """Mel bands: numbers heard at every step."""
    hop_ms: float = 20.0
    """Milliseconds from one frame to the next."""
    delay: int = 3
    """Frames by which labels lag behind frames."""
    sequences: int = 1536
    """Training windows; validation has an eighth as many, test a quarter."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data."""
        spoken.check_dials(self.time, self.bands, self.hop_ms, self.sequences)
        if self.delay < 0:
            raise ValueError(f"delay is {self.delay}: labels cannot come before their frames; set 0 or more")

    @property
    def inputs(self) -> int:
        """Mel bands."""
        return self.bands

    @property
    def outputs(self) -> int:
        """45 phones."""
        return len(spoken.PHONES)

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Windows of utterances by the split's own speakers; `fold` is ignored."""
        seconds = spoken.rows(self.sequences, split) * self.time * self.hop_ms / 1000.0
        made = spoken.kept_or_made(self, split, seed, seconds, lambda: self._windows(split, seed))
        return Split(inputs=made["inputs"], targets=made["targets"], groups=made["groups"])

    def _windows(self, split: SplitName, seed: int) -> cache.Arrays:
        """All whole windows of one utterance after another, until there are enough."""
        wanted = spoken.rows(self.sequences, split)
        inputs: list[np.ndarray] = []
        targets: list[np.ndarray] = []
        groups: list[str] = []
        for number in itertools.count():
            part = self._part(split, seed, number)
            said = spoken.speak(part, self.bands, self.hop_ms)
            count = (len(said.heard) - self.delay) // self.time
            for start in range(self.delay, self.delay + count * self.time, self.time):
                inputs.append(said.heard[start : start + self.time])
                targets.append(said.said[start - self.delay : start - self.delay + self.time])
                groups.append(spoken.group(part))
            if len(groups) >= wanted:
                break
        return {
            "inputs": np.stack(inputs[:wanted]),
            "targets": np.stack(targets[:wanted]),
            "groups": np.array(groups[:wanted]),
        }

    def _part(self, split: SplitName, seed: int, number: int) -> spoken.Part:
        count = math.ceil((self.time + self.delay) * self.hop_ms / SENTENCE_MS)
        return spoken.part(self.name, split, seed, number, count=count)

    def data_digest(self) -> str:
        """Digest of the synthesiser and its data."""
        return voice.digest()

    def trivial_loss(self, train: Split, split: Split) -> float:
        """Cross-entropy in nats of the train frequencies of phones."""
        # A tenth of a count more for each: a phone that a small sample lacks has no zero.
        counts = np.bincount(train.targets.reshape(-1), minlength=self.outputs) + 0.1
        return float(-np.log(counts / counts.sum())[split.targets].mean())

    def baselines(self, train: Split, split: Split) -> Mapping[str, float]:
        """Linear discriminant analysis on the labelled frame alone, and on it with two frames either side."""
        around = range(self.delay - 2, self.delay + 3)
        return {
            "LDA, one frame": discriminant.discriminant_loss(train, split, self.outputs, (self.delay,)),
            "LDA, five frames": discriminant.discriminant_loss(train, split, self.outputs, tuple(around)),
        }

    def evaluate_second_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """1 where the likeliest phone is wrong, else 0."""
        return (outputs.argmax(-1) != targets).to(outputs.dtype)

    def example(self, seed: int = 0) -> str:
        """One sentence, who says it, and the frames of its first window: what is heard, what is said, what is asked."""
        part, said = self._sentence(seed)
        lines = spoken.introduction(part, said)
        lines += [
            f"Asked: the phone of {self.delay} frames ago, of {self.hop_ms:g} ms each.",
            "frame | heard, said, asked",
        ]
        for step in range(self.delay, min(self.delay + self.time, len(said.heard))):
            phone, asked = spoken.PHONES[said.said[step]], spoken.PHONES[said.said[step - self.delay]]
            lines.append(f"{step:5d} | {spoken.bars(said.heard[step])}  {phone:5s}  {asked}")
        return "\n".join(lines)

    def amount(self, split: Split) -> tuple[float, str]:
        """Seconds of speech."""
        return split.inputs.shape[0] * split.inputs.shape[1] * self.hop_ms / 1000.0, "seconds of speech"

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Waveform, spectrogram with the phones over it, what the network hears, and what it is asked."""
        part, said = self._sentence(seed)
        title = f"Synthesised speech (eSpeak NG), voice {spoken.group(part)}: {part.text}"
        asked = f"asked at every frame of {self.hop_ms:g} ms: the phone of {self.delay} frames ago"
        picture.draw(figure, title, asked, said.samples, spoken.RATE, said.phones, said.heard, self.hop_ms)

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray]:
        """The sentence of the example and of the picture."""
        return spoken.RATE, self._sentence(seed)[1].samples

    def _sentence(self, seed: int) -> tuple[spoken.Part, spoken.Spoken]:
        """The first sentence of the first utterance of validation, on its own."""
        part = spoken.part(self.name, "validation", seed, 0, count=1)
        return part, spoken.speak(part, self.bands, self.hop_ms)

    @classmethod
    def tiny(cls) -> Espeak:
        """64 windows of 16 frames, about 20 seconds of speech."""
        return cls(time=16, bands=8, delay=2, sequences=64)
