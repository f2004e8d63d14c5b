"""TIMIT phone recognition as Graves, Mohamed & Hinton 2013 trained it, from a folder that the user owns."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tasks.labels import LabelSequences
from tasks.speech import cache, features, picture, sphere, timit_layout, timit_made_up
from tasks.speech.features import frame_count, log_mel, with_slopes
from tasks.speech.intervals import Interval
from tasks.speech.timit_speakers import CLASSES, FOLDED, LEFT_OUT, PHONES
from tasks.task import Split, SplitName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BANDS = 40
HOP_MS, WINDOW_MS = 10.0, 25.0
WITHOUT_FOLDER = 780
"""Frames that `time` says while there is no folder to look into."""
NO_FOLDER = "timit needs the folder of your own copy: set folder (TIMIT is licensed by the LDC and is not shipped)"

_NUMBERS = {phone: number for number, phone in enumerate(PHONES)}
_CLASS_OF = np.array([-1 if phone == LEFT_OUT else CLASSES.index(FOLDED[phone]) for phone in PHONES])


@dataclass(frozen=True)
class Timit(LabelSequences):
    """Name the phones of read English sentences in order, by speakers never heard before; no times are told.

    TIMIT (Garofolo et al. 1993, LDC93S1) has 630 speakers of American English. Training has the 462 speakers of its
    TRAIN folder, validation the 50 development speakers and test the 24 speakers of the core test set, both from its
    TEST folder; the SA sentences, which everybody reads, are left out. The setup is that of Graves, Mohamed & Hinton
    2013 (ICASSP, arXiv 1303.5778): 40 mel bands and energy every 10 ms with first and second slopes, 123 numbers
    normalised by mean and standard deviation on train; 61 phones are trained and decoded, and mapped to 39 for scoring
    (Lee & Hon 1989), the glottal stop q left out.

    Inputs float32 `(n, time, 123)`, with `lengths`; targets int64 `(n, longest)`, a phone in 0..60, with
    `target_lengths`; groups name the speaker. The data are fixed, so speakers are what repeats, and the seed changes
    nothing. The 3,696 sentences of train are padded to the longest: at 780 frames that is 1.4 GB.

    The corpus is licensed by the Linguistic Data Consortium and is not shipped: `folder` is your own copy, in upper or
    lower case, as SPHERE (not compressed) or as RIFF.
    """

    name: ClassVar[str] = "timit"
    family: ClassVar[str] = "speech"
    description: ClassVar[str] = "phones of TIMIT's read sentences, without times, by unseen speakers; your own copy"
    replicates: ClassVar = "groups"
    locations: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str = ""
    """Folder that holds TRAIN and TEST."""
    complete: bool = True
    """Refuse a copy in which a speaker or sentence of the three splits is missing."""

    def __post_init__(self) -> None:
        """Refuse a folder that is no copy of TIMIT, in one line."""
        if self.folder:
            timit_layout.sentences(self.folder, self.complete)
        if self.beam < 1:
            raise ValueError(f"beam is {self.beam}: it must be at least 1")

    @property
    def inputs(self) -> int:
        """40 bands and energy, their slopes, and the slopes of these."""
        return 3 * (BANDS + 1)

    @property
    def outputs(self) -> int:
        """61 phones and blank."""
        return len(PHONES) + 1

    @property
    def time(self) -> int:
        """Frames of the longest sentence of all splits; without a folder, 780."""
        if not self.folder:
            return WITHOUT_FOLDER
        longest = timit_layout.longest(self.folder, self.complete)
        return frame_count(longest, timit_layout.RATE, HOP_MS, WINDOW_MS)

    def data(self, split: SplitName, seed: int, fold: int | None = None) -> Split:
        """The sentences of a split; `seed` and `fold` are ignored."""
        told = self._sentences(split)
        center, spread = _normalisation(self.folder, self.complete, self.data_digest())
        labels = [_labels(timit_layout.phones(one.phones)) for one in told]
        inputs = np.zeros((len(told), self.time, self.inputs), dtype=np.float32)
        targets = np.zeros((len(told), max(map(len, labels))), dtype=np.int64)
        lengths = np.zeros(len(told), dtype=np.int64)
        for row, one in enumerate(told):
            frames = _features(one)
            lengths[row] = len(frames)
            inputs[row, : len(frames)] = (frames - center) / spread
            targets[row, : len(labels[row])] = labels[row]
        return Split(
            inputs=inputs,
            targets=targets,
            lengths=lengths,
            groups=np.array([one.speaker for one in told]),
            target_lengths=np.array([len(row) for row in labels]),
        )

    def _sentences(self, split: SplitName) -> list[timit_layout.Sentence]:
        if not self.folder:
            raise FileNotFoundError(NO_FOLDER)
        return [one for one in timit_layout.sentences(self.folder, self.complete) if one.split == split]

    def data_digest(self) -> str:
        """Digest of the sound and the phones of every sentence that is used."""
        if not self.folder:
            raise FileNotFoundError(NO_FOLDER)
        return timit_layout.digest(self.folder, self.complete)

    def scored(self, labels: np.ndarray) -> np.ndarray:
        """The 39 classes of phones, without q; neighbours that become the same stay two."""
        classes = _CLASS_OF[np.asarray(labels, dtype=np.int64)]
        return classes[classes >= 0]

    def example(self, seed: int = 0) -> str:
        """A sentence of validation with its phones, as they are trained and as they are scored."""
        if not self.folder:
            return "\n".join(
                textwrap.wrap(f"{NO_FOLDER}.", 118) + textwrap.wrap(" ".join((self.__doc__ or "").split()), 118)
            )
        one = self._sentences("validation")[0]
        phones = timit_layout.phones(one.phones)
        labels = _labels(phones)
        trained, classes = " ".join(PHONES[n] for n in labels), " ".join(CLASSES[n] for n in self.scored(labels))
        return "\n".join(
            [
                f"Speaker {one.speaker}, sentence {one.name}, {phones[-1].end:.2f} s. Heard: 123 numbers every 10 ms.",
                *textwrap.wrap(f"Asked:  {trained}", 118, subsequent_indent="        "),
                *textwrap.wrap(f"Scored: {classes}", 118, subsequent_indent="        "),
            ]
        )

    def amount(self, split: Split) -> tuple[float, str]:
        """Seconds of speech."""
        assert split.lengths is not None
        return float(split.lengths.sum()) * HOP_MS / 1000.0, "seconds of speech"

    def illustrate(self, figure: Figure, seed: int = 0) -> None:
        """Waveform, spectrogram with the phones over it, and the bands that the network hears (not their slopes)."""
        one = self._sentences("validation")[0]
        center, spread = _normalisation(self.folder, self.complete, self.data_digest())
        heard = ((_features(one) - center) / spread)[:, : BANDS + 1]
        phones = timit_layout.phones(one.phones)
        title = f"TIMIT, speaker {one.speaker}, sentence {one.name}"
        asked = f"asked: the {len(phones)} phones in order; when they sound is not told"
        picture.draw(figure, title, asked, _sound(one), timit_layout.RATE, phones, heard, HOP_MS)

    def sound(self, seed: int = 0) -> tuple[int, np.ndarray] | None:
        """The sentence of the example and of the picture."""
        return (timit_layout.RATE, _sound(self._sentences("validation")[0])) if self.folder else None

    @classmethod
    def tiny(cls) -> Timit:
        """A made-up corpus of the same layout: chords and noise, 14 speakers, 3 sentences each, 0.2 to 0.3 seconds."""
        return cls(folder=timit_made_up.folder(), complete=False)


def _labels(phones: tuple[Interval, ...]) -> np.ndarray:
    return np.array([_NUMBERS[phone.phone] for phone in phones])


def _sound(one: timit_layout.Sentence) -> np.ndarray:
    _, samples = sphere.read(one.sound)
    return samples.astype(np.float32) / np.float32(32768.0)


def _features(one: timit_layout.Sentence) -> np.ndarray:
    """Bands, energy and their slopes `(frames, 123)`, before normalisation."""
    sound = _sound(one)[None]
    plain = log_mel(sound, timit_layout.RATE, bands=BANDS, hop_ms=HOP_MS, window_ms=WINDOW_MS, energy=True)[0]
    return with_slopes(plain)


@functools.cache
def _normalisation(folder: str, complete: bool, digest: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every feature over the frames of train.

    Of the whole corpus that takes a while: it is kept in the cache. `digest` stands for the content of the folder.
    """

    def measure() -> cache.Arrays:
        return _measure(one for one in timit_layout.sentences(folder, complete) if one.split == "train")

    makers = [cache, features, sphere, timit_layout, sys.modules[__name__]]
    found = cache.kept(cache.key([Timit.name, digest], makers), measure) if complete else measure()
    return found["mean"], found["spread"]


def _measure(told: Iterable[timit_layout.Sentence]) -> cache.Arrays:
    total, squares, count = np.zeros(3 * (BANDS + 1)), np.zeros(3 * (BANDS + 1)), 0
    for one in told:
        frames = _features(one).astype(np.float64)
        total += frames.sum(0)
        squares += np.square(frames).sum(0)
        count += len(frames)
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - np.square(mean), 1e-12))
    return {"mean": mean.astype(np.float32), "spread": spread.astype(np.float32)}
