"""Utterances of nonsense syllables by many speakers, synthesised: what `formants` and `formants_ctc` both read."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.speech import articulation, features, inventory, picture, synthesis
from tasks.speech.articulation import Speakers
from tasks.speech.intervals import Interval
from tasks.speech.inventory import CODA, NUCLEUS, PAUSE, PHONE_OF, PHONES, PLACE_OF, REST, SYMBOLS
from tasks.speech.synthesis import CONTROL_MS, RATE
from tasks.task import Split, SplitName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOP_MS, WINDOW_MS = 20.0, 25.0
SHORTEST_MS = 40.0
"""Least duration of a phone: two frames, so that no utterance has more phones than frames."""
SHORTEST_TIME = 16
"""Frames that hold the pauses around an utterance and the shortest syllable."""
LEAD_MS, TRAIL_MS = (20.0, 80.0), (40.0, 80.0)
"""Pause before and after an utterance, uniform."""
TOGETHER = 512
"""Utterances synthesised at a time: their state fits the processor's cache."""
ROOM = 0.85
"""Pole of the room's noise, which falls by 6 dB per octave above 410 Hz (chosen)."""
RECORDER = 1.0 / 32768.0
"""Noise of the recorder, as of 16 bits, which is there when all other noise is turned off."""
SHOWN = 125
"""Frames of an utterance that is shown and played: 2.5 s."""
CALIBRATION = 64
"""Speakers of a corpus of its own, one utterance each, to which inputs are scaled."""


class Spoken(NamedTuple):
    """Utterances `(n, ...)`, each with `time` frames of 20 ms, of which the first `lengths` count.

    `phones` `(n, longest)` in order and `ends` of each in ms, padded with pauses that end with the utterance; `frames`
    `(n, time)` is the phone in the middle of every frame; `formants` `(n, steps, 3)` are in Hz, every 5 ms; `bands`
    `(n, time, bands)` are natural logs of energies. `sound` `(n, samples)` is kept only if asked for.
    """

    phones: np.ndarray
    ends: np.ndarray
    frames: np.ndarray
    lengths: np.ndarray
    formants: np.ndarray
    bands: np.ndarray
    speakers: np.ndarray
    sound: np.ndarray | None


@dataclass(frozen=True)
class Corpus:
    """Parameters of a corpus; see `Formants`."""

    time: int
    overlap: float
    noise: float
    speakers: int
    utterances: int
    bands: int

    def __post_init__(self) -> None:
        """Refuse parameters that make no data."""
        if not SHORTEST_TIME <= self.time <= 500:
            span = f"from {SHORTEST_TIME}, which hold a syllable and the pauses around it, to 500"
            raise ValueError(f"time is {self.time} frames: it must be {span}")
        if self.speakers < 8:
            raise ValueError(f"speakers is {self.speakers}: at least 8 are needed so that validation has one")
        if self.utterances < 1:
            raise ValueError(f"utterances is {self.utterances}: every speaker needs at least 1")
        if not 0 <= self.overlap <= 200:
            raise ValueError(f"overlap is {self.overlap} ms: it must be from 0 to 200")
        if not 0 <= self.noise <= 100:
            raise ValueError(f"noise is {self.noise}: it must be from 0 (none) to 100")
        if not 2 <= self.bands <= 32:
            raise ValueError(f"bands is {self.bands}: it must be from 2 to 32, or the narrowest hold no frequency")

    def draw(self, split: SplitName, seed: int, sound: bool = False) -> Spoken:
        """Utterances of the split's own speakers, numbered over all splits."""
        count = {"train": self.speakers, "validation": self.speakers // 8, "test": self.speakers // 4}[split]
        first = {"train": 0, "validation": self.speakers, "test": self.speakers + self.speakers // 8}[split]
        return self._draw(f"{split} {seed}", count, self.utterances, first, sound)

    def one(self, seed: int, time: int = 0) -> tuple[Corpus, Spoken]:
        """A single utterance to look at and listen to, with its sound; as long as others, or of `time` frames."""
        corpus = replace(self, time=time or self.time, speakers=8, utterances=1)
        return corpus, corpus.draw("validation", seed, sound=True)

    def scaled(self, bands: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Inputs float32: bands less the mean and over the standard deviation of each, and 0 where nothing counts.

        Mean and deviation are those of a corpus with these parameters that is no split of any seed, so that a split
        needs no other to be made.
        """
        mean, deviation = _calibrated(replace(self, speakers=8, utterances=1))
        counts = np.arange(bands.shape[1]) < lengths[:, None]
        return (((bands - mean) / deviation) * counts[:, :, None]).astype(np.float32)

    def _draw(self, stream: str, count: int, utterances: int, first: int, sound: bool) -> Spoken:
        # A stream named by the split: no split's numbers depend on how many another one drew.
        digest = hashlib.sha256(f"formants {stream}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        voices, speaker = articulation.draw_speakers(rng, count), np.repeat(np.arange(count), utterances)
        phones, ends, lengths = _plan(rng, voices.rate[speaker], self.time * HOP_MS)
        parts = []
        for start in range(0, len(speaker), TOGETHER):
            here = slice(start, start + TOGETHER)
            their = Speakers(*(each[speaker[here]] for each in voices))
            controls, tracks = articulation.controls(rng, their, phones[here], ends[here], self.overlap, self.steps)
            heard = _recorded(rng, synthesis.speak(controls, rng), their.noise, self.noise)
            bands = features.log_mel(heard, RATE, bands=self.bands, hop_ms=HOP_MS, window_ms=WINDOW_MS)
            parts.append((tracks, bands, heard if sound else np.empty((len(heard), 0), np.float32)))
        formants, bands, heard = (np.concatenate(each) for each in zip(*parts, strict=True))
        middles = np.arange(self.time) * HOP_MS + WINDOW_MS / 2.0
        frames = articulation.phone_at(phones, ends, middles)
        return Spoken(phones, ends, frames, lengths, formants, bands, first + speaker, heard if sound else None)

    @property
    def steps(self) -> int:
        """Settings of the synthesiser in an utterance: as many as its frames' windows reach over."""
        return math.ceil(((self.time - 1) * HOP_MS + WINDOW_MS) / CONTROL_MS)


@functools.lru_cache(maxsize=64)
def _calibrated(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    spoken = corpus._draw("calibration", CALIBRATION, 1, 0, False)
    counted = spoken.bands[np.arange(corpus.time) < spoken.lengths[:, None]]
    return counted.mean(0), counted.std(0) + np.float32(1e-3)


# --- what is said, and when -------------------------------------------------------------------------------------------


def _plan(rng: np.random.Generator, rate: np.ndarray, total: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phones `(n, longest)`, ends in ms and lengths in frames: a pause, as many phones as fit, and a pause."""
    n, count = len(rate), math.ceil(total / SHORTEST_MS) + 1
    cumulative = inventory.bigram().cumsum(1)
    cumulative[:, -1] = 1.0  # rounding must not leave a gap below 1 for a draw to fall through
    draws = rng.random((count, n))
    states = np.empty((count, n), dtype=np.int64)
    states[0] = len(PHONE_OF) - 1
    for place in range(1, count):
        states[place] = (draws[place][:, None] >= cumulative[states[place - 1]]).sum(1)
    assert PLACE_OF[-1] == REST
    # Gamma with shape 8: durations vary by a factor of about 1.4 either way.
    means = np.array([phone.duration for phone in PHONES])
    durations = np.maximum(means[PHONE_OF[states]] * rate * rng.gamma(8.0, 1.0 / 8.0, states.shape), SHORTEST_MS)
    durations[0] = rng.uniform(*LEAD_MS, n)
    trail = rng.uniform(*TRAIL_MS, n)
    latest = total - TRAIL_MS[0]
    ends = durations.cumsum(0)
    whole = np.isin(PLACE_OF[states], (NUCLEUS, CODA))
    fits = whole & (ends <= latest)
    last = np.where(fits.any(0), count - 1 - fits[::-1].argmax(0), 0)
    for row in np.flatnonzero(last == 0):
        # Even the first syllable is too long: its phones are hurried, each as much of what lies above the least.
        last[row] = whole[1:, row].argmax() + 1
        spoken = slice(1, last[row] + 1)
        spare = latest - durations[0, row] - SHORTEST_MS * last[row]
        above = durations[spoken, row] - SHORTEST_MS
        durations[spoken, row] = SHORTEST_MS + above * min(1.0, spare / max(above.sum(), 1e-9))
        ends[spoken, row] = durations[0, row] + durations[spoken, row].cumsum()
    end = np.minimum(ends[last, np.arange(n)] + trail, total)
    kept = np.arange(count)[:, None] <= last
    phones, ends = np.where(kept, PHONE_OF[states], PAUSE), np.where(kept, ends, total + WINDOW_MS)
    longest = int(last.max()) + 2
    return phones[:longest].T.copy(), ends[:longest].T.copy(), np.ceil(end / HOP_MS).astype(np.int64)


def _recorded(rng: np.random.Generator, sound: np.ndarray, ratio: np.ndarray, noise: float) -> np.ndarray:
    """The sound with the noise of the room, at each speaker's ratio to it, and of the recorder."""
    amplitude = np.sqrt(np.square(sound).mean(1)) * 10.0 ** (-ratio / 20.0) * noise
    amplitude = np.sqrt(np.square(amplitude) + RECORDER**2).astype(np.float32)
    room = rng.random(sound.shape, dtype=np.float32) - np.float32(0.5)
    # One pole, as rooms hum more than they hiss; 1 / (1 - p/z) is (1 + p/z) (1 + p²/z²) (1 + p⁴/z⁴) ..., soon done.
    for start in range(0, len(room), 32):  # as many rows as the cache holds
        rows = room[start : start + 32]
        for reach in (1, 2, 4, 8, 16):
            rows[:, reach:] += np.float32(ROOM**reach) * rows[:, :-reach]
    # Gains: of uniform noise, and of the pole.
    room *= np.float32(np.sqrt(12.0 * (1.0 - ROOM**2)))
    room *= amplitude[:, None]
    room += sound
    return room


# --- for people -------------------------------------------------------------------------------------------------------


def group_names(seed: int, speakers: np.ndarray) -> np.ndarray:
    """Names of speakers: a seed has its own."""
    return np.array([f"speaker {seed}-{number}" for number in speakers])


def seconds(split: Split) -> float:
    """Seconds of the utterances of a split, from beginning to end."""
    assert split.lengths is not None
    return float(split.lengths.sum() * HOP_MS / 1000.0)


def transcript(spoken: Spoken) -> str:
    """The phones of the first utterance."""
    return " ".join(SYMBOLS[phone] for phone in spoken.phones[0] if phone != PAUSE)


def as_blocks(corpus: Corpus, spoken: Spoken) -> list[str]:
    """The inputs of every frame of the first utterance, a block for each band: higher for more energy."""
    shown = np.clip(corpus.scaled(spoken.bands, spoken.lengths)[0], -1.999, 1.999)
    return ["".join(row) for row in np.array(list("▁▂▃▄▅▆▇█"))[np.floor((shown + 2.0) * 2.0).astype(int)]]


def sound(corpus: Corpus, seed: int) -> tuple[int, np.ndarray]:
    """Samples per second, and an utterance whose peak is 0.9 of full scale."""
    _, spoken = corpus.one(seed, SHOWN)
    assert spoken.sound is not None
    heard = spoken.sound[0, : round(spoken.lengths[0] * HOP_MS * RATE / 1000)]
    return RATE, (0.9 / np.abs(heard).max()) * heard


def illustrate(figure: Figure, corpus: Corpus, title: str, asked: str, seed: int) -> None:
    """The utterance of `sound`, with its formants drawn over the spectrogram where the mouth is not shut."""
    _, spoken = corpus.one(seed, SHOWN)
    rate, heard = sound(corpus, seed)
    starts = np.concatenate([[0.0], spoken.ends[0, :-1]])
    length = len(heard) / rate
    phones = [
        Interval(SYMBOLS[phone], start / 1000.0, min(end / 1000.0, length))
        for phone, start, end in zip(spoken.phones[0], starts, spoken.ends[0], strict=True)
        if start / 1000.0 < length
    ]
    inputs = corpus.scaled(spoken.bands, spoken.lengths)[0, : spoken.lengths[0]]
    picture.draw(figure, f"{title}, speaker {seed}-{spoken.speakers[0]}", asked, heard, rate, phones, inputs, HOP_MS)
    when = (np.arange(spoken.formants.shape[1]) + 0.5) * CONTROL_MS
    speaking = (articulation.phone_at(spoken.phones, spoken.ends, when)[0] != PAUSE)[:, None]
    tracks = np.where(speaking, spoken.formants[0] / 1000.0, np.nan)
    spectrum = figure.axes[2]
    spectrum.plot(when / 1000.0, tracks, color="#7fd4ff", linewidth=0.9)
    spectrum.set_ylabel("frequency (kHz),\nwith F1, F2, F3")
