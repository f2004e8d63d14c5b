"""What was said, without being told when: the phones of short synthesised phrases by voices never heard before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks import ctc
from tasks.labels import LabelSequences
from tasks.speech import cache, picture, spoken, voice
from tasks.task import Split, SplitName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AFTER_MS = 60.0
"""Silence kept after the last phone, so that a network that lags behind can still name it."""


@dataclass(frozen=True)
class EspeakCtc(LabelSequences):
    """Name the phones of a short phrase of synthesised speech (eSpeak NG), in order; when they sound is not told.

    Voices, words, sound and bands are those of `espeak`: see there. A phrase has two to five words from a grammar (`The
    old horse`, `Ruth was early`); one in about 25 of test is said in train as well, by others. One that is longer than
    `time` frames, or has more phones than its frames can tell apart, is left out and the next one is said. Its labels
    are its phones without pauses, which are left to blank. The frame-wise task trains on the times of phones as well;
    this one is trained as Graves, Mohamed & Hinton 2013 trained on TIMIT.

    Inputs float32 `(n, time, bands)`, with `lengths`; targets int64 `(n, longest)`, phones in 0..43, with
    `target_lengths`; groups name the voice, and no speaker is in two splits. The best possible score is not known, so
    skill is the relative reduction of the trivial loss: of outputs that are the same at every step.

    This is synthesised speech: it is no recording, and its scores say nothing about TIMIT's.
    """

    name: ClassVar[str] = "espeak_ctc"
    family: ClassVar[str] = "speech"
    description: ClassVar[str] = "phones of a phrase of synthesised speech (eSpeak NG), without times, by unseen voices"

    time: int = 64
    """Frames of the longest phrase that is kept."""
    bands: int = 16
    """Mel bands: numbers heard at every step."""
    hop_ms: float = 20.0
    """Milliseconds from one frame to the next."""
    sequences: int = 1024
    """Training phrases; validation has an eighth as many, test a quarter."""

    def __post_init__(self) -> None:
        """Refuse dials that make no data."""
        spoken.check_dials(self.time, self.bands, self.hop_ms, self.sequences)
        if self.time * self.hop_ms < 500.0:
            raise ValueError(
                f"time is {self.time} frames of {self.hop_ms:g} ms: few phrases are said in under half a second; "
                f"set time to {int(500.0 / self.hop_ms) + 1} or more"
            )
        if self.beam < 1:
            raise ValueError(f"beam is {self.beam}: it must be at least 1")

    @property
    def inputs(self) -> int:
        """Mel bands."""
        return self.bands

    @property
    def outputs(self) -> int:
        """44 phones that are no pause, and blank."""
        return len(spoken.PHONES)

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """Phrases by the split's own speakers; `fold` is ignored."""
        seconds = spoken.rows(self.sequences, split) * self.time * self.hop_ms / 1000.0
        return Split(**spoken.kept_or_made(self, split, seed, seconds, lambda: self._phrases(split, seed)))

    def _phrases(self, split: SplitName, seed: int) -> cache.Arrays:
        wanted = spoken.rows(self.sequences, split)
        found = list(itertools.islice(self._kept(split, seed), wanted))
        longest = max(len(labels) for _, _, _, labels in found)
        inputs = np.zeros((wanted, self.time, self.bands), dtype=np.float32)
        targets = np.zeros((wanted, longest), dtype=np.int64)
        for row, (_, _, heard, labels) in enumerate(found):
            inputs[row, : len(heard)] = heard
            targets[row, : len(labels)] = labels
        return {
            "inputs": inputs,
            "targets": targets,
            "lengths": np.array([len(heard) for _, _, heard, _ in found]),
            "groups": np.array([spoken.group(part) for part, _, _, _ in found]),
            "target_lengths": np.array([len(labels) for _, _, _, labels in found]),
        }

    def _kept(self, split: SplitName, seed: int) -> Iterator[tuple[spoken.Part, spoken.Spoken, np.ndarray, np.ndarray]]:
        """Phrases that are short enough, with their frames and labels."""
        for number in itertools.count():
            part = spoken.part(self.name, split, seed, number)
            said = spoken.speak(part, self.bands, self.hop_ms)
            sounded = [phone for phone in said.phones if phone.phone != "pause"]
            labels = np.array([spoken.NUMBERS[phone.phone] for phone in sounded])
            heard = said.heard[: int((sounded[-1].end * 1000.0 + AFTER_MS) / self.hop_ms)]
            fewest = ctc.shortest(labels[None], np.array([len(labels)]))[0]
            if fewest <= len(heard) <= self.time:
                yield part, said, heard, labels

    def data_digest(self) -> str:
        """Digest of the synthesiser and its data."""
        return voice.digest()

    def example(self, seed: int = 0) -> str:
        """One phrase: who says it, what is heard at every frame, and the labels that are asked."""
        part, said, heard, labels = next(self._kept("validation", seed))
        lines = spoken.introduction(part, said)
        lines += [f"Asked: {' '.join(spoken.PHONES[label] for label in labels)}", "frame | heard, said (not told)"]
        for step, frame in enumerate(heard):
            lines.append(f"{step:5d} | {spoken.bars(frame)}  {spoken.PHONES[said.said[step]]}")
        return "\n".join(lines)

    def amount(self, split: Split) -> tuple[float, str]:
        """Seconds of speech."""
        assert split.lengths is not None
        return float(split.lengths.sum()) * self.hop_ms / 1000.0, "seconds of speech"

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Waveform, spectrogram with the phones over it, and what the network hears."""
        part, said, heard, labels = next(self._kept("validation", seed))
        title = f"Synthesised speech (eSpeak NG), voice {spoken.group(part)}: {part.text}"
        asked = f"asked: the {len(labels)} phones in order; when they sound is not told"
        picture.draw(figure, title, asked, said.samples, spoken.RATE, said.phones, heard, self.hop_ms)

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray]:
        """The phrase of the example and of the picture."""
        _, said, _, _ = next(self._kept("validation", seed))
        return spoken.RATE, said.samples

    @classmethod
    def tiny(cls) -> EspeakCtc:
        """16 phrases of at most 32 frames of 40 ms."""
        return cls(time=32, bands=8, hop_ms=40.0, sequences=16)
