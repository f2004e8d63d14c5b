"""Synthesised speech: who says what, which phones there are, and what a network hears and is asked of an utterance."""

from __future__ import annotations

import functools
import hashlib
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from tasks.speech import cache, features, intervals, sentences, voice
from tasks.speech.features import log_mel, mel
from tasks.speech.intervals import Interval, frame_labels, without_short
from tasks.task import SplitName, Task

RATE = 16000
WINDOW_MS = 25.0
SHORTEST = 0.010
"""Seconds; the synthesiser gives some phones less, nearly all of them closing pauses."""

ACCENTS = ("en", "en-US", "en-GB-scotland", "en-GB-x-rp", "en-GB-x-gbclan", "en-GB-x-gbcwmd", "en-029", "en-US-nyc")
"""Britain (standard, Scotland, Received Pronunciation, Lancaster, West Midlands), the Caribbean, the USA, New York."""

_MEN = "m1 m2 m3 m4 m5 m6 m7 m8 Alex Andy Denis Diogo Henrique Lee Mario Michael announcer boris grandpa marcelo max"
_WOMEN = "f1 f2 f3 f4 f5 Annie aunty grandma steph"
VARIANTS = (*_MEN.split(), "quincy", "rob", *_WOMEN.split())
"""Speakers: those of the synthesiser's variants that sound like people and are not clipped. Left out as well: the ones
with a Klatt voice, two of which (Reed, caleb) do not repeat themselves."""
HELD_OUT = {"validation": 4, "test": 6}
"""Variants that a data seed keeps for each of these splits; the others are train's."""

MERGED = {
    "iy": "i: i",
    "ih": "I I2 I# i@3",
    "eh": "E",
    "ae": "a",
    "aa": "A: A@ aa",
    "oh": "0",
    "ao": "O: O2 O@ o@",
    "uh": "U U@",
    "uw": "u:",
    "ah": "V",
    "ax": "@ @2 @- a#",
    "axr": "3",
    "er": "3: IR VR",
    "ehr": "e@",
    "ey": "eI",
    "ay": "aI aI2 aI3 aI@",
    "oy": "OI",
    "ow": "oU",
    "aw": "aU",
    "el": "@L",
    "p": "p",
    "b": "b",
    "t": "t t2 t[",
    "d": "d t#",
    "k": "k",
    "g": "g",
    "ch": "tS",
    "jh": "dZ",
    "f": "f",
    "v": "v",
    "th": "T",
    "dh": "D",
    "s": "s",
    "z": "z",
    "sh": "S",
    "zh": "Z",
    "hh": "h",
    "m": "m",
    "n": "n",
    "ng": "N",
    "l": "l",
    "r": "r r-",
    "w": "w w#",
    "y": "j ;",
    "pause": "_ _: _! _|",
}
"""Phones, named as in ARPAbet, and the synthesiser's names for them without stress. Rare ones are with the nearest: the
vowels before r with the plain ones, a flapped t with d. No other was met when every word of the grammar was said in
every accent, and in 4,500 sentences and 3,000 phrases by all voices (214,000 phones)."""
PHONES = tuple(MERGED)
PAUSE = PHONES.index("pause")
NUMBERS = {phone: number for number, phone in enumerate(PHONES)}
STOPS = ("p", "b", "t", "d", "k", "g", "ch", "jh")
SILENCE = 0.002
"""Samples below this are silent; the synthesiser's pauses are zeros that a resonance rings into."""
_OURS = {theirs: ours for ours, names in MERGED.items() for theirs in names.split()}

MEAN_OF_16 = (-3.8, -2.6, -2.2, -3.1, -4.1, -4.3, -3.7, -3.5, -3.2, -2.1, -1.9, -1.8, -2.4, -3.8, -4.5, -3.8)
SCALE = 4.8
"""Mean log energy of 16 bands and the standard deviation of all, measured over 512 sentences in all voices. Inputs are
bands less their mean in this unit: constants, so that nothing is fitted to data."""
QUIET = -2.0
"""Nothing is heard below this, 42 dB under the mean: between words the synthesiser gives zeros, and no room does."""


class Part(NamedTuple):
    """Who says what, and how: all that the synthesiser is told."""

    text: str
    voice: str
    rate: int
    pitch: int
    pitch_range: int


class Spoken(NamedTuple):
    """An utterance: samples at 16 kHz, its phones, and by frame what is heard `(frames, bands)`, said `(frames,)`."""

    samples: np.ndarray
    phones: tuple[Interval, ...]
    heard: np.ndarray
    said: np.ndarray


def generator(*names: object) -> np.random.Generator:
    """A stream of its own for everything that has a name of its own."""
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def variants(task: str, split: SplitName, seed: int) -> tuple[str, ...]:
    """The speakers of a split: drawn by the data seed, and never in two splits of it."""
    shuffled = [VARIANTS[number] for number in generator(task, "variants", seed).permutation(len(VARIANTS))]
    validation, test = HELD_OUT["validation"], HELD_OUT["validation"] + HELD_OUT["test"]
    held = {"validation": shuffled[:validation], "test": shuffled[validation:test], "train": shuffled[test:]}
    return tuple(held[split])


def part(task: str, split: SplitName, seed: int, number: int, *, count: int = 0) -> Part:
    """The part of utterance `number` of a split: `count` sentences, or a short phrase when 0.

    Speakers take turns; accent, words, rate, pitch and its range are drawn. It depends on no other utterance.
    """
    rng = generator(task, split, seed, number)
    speakers = variants(task, split, seed)
    accent = ACCENTS[rng.integers(len(ACCENTS))]
    rate, pitch, pitch_range = rng.integers(120, 241), rng.integers(20, 81), rng.integers(20, 81)
    said = [sentences.sentence(rng) for _ in range(count)] or [sentences.phrase(rng)]
    text = " ".join(f"{sentence}." for sentence in said)
    return Part(text, f"gmw/{accent}+{speakers[number % len(speakers)]}", int(rate), int(pitch), int(pitch_range))


def group(spoken: Part) -> str:
    """The voice, as a person reads it: `en-US+f3`."""
    return spoken.voice.removeprefix("gmw/")


def speak(spoken: Part, bands: int, hop_ms: float) -> Spoken:
    """Let the synthesiser say it, and cut it into frames. Raises ModuleNotFoundError without the extra."""
    said = voice.say(spoken.text, spoken.voice, rate=spoken.rate, pitch=spoken.pitch, pitch_range=spoken.pitch_range)
    named = [Interval(_merge(name), start, end) for name, start, end in said.phones]
    phones = without_short(with_closures(named, said.samples, voice.RATE), SHORTEST)
    samples = resampled(said.samples)
    energies = log_mel(samples[None], RATE, bands=bands, hop_ms=hop_ms, window_ms=WINDOW_MS)[0]
    heard = np.maximum((energies - _mean(bands)) / np.float32(SCALE), np.float32(QUIET))
    return Spoken(samples, phones, heard, frame_labels(phones, NUMBERS, len(heard), hop_ms, WINDOW_MS, PAUSE))


def resampled(samples: np.ndarray) -> np.ndarray:
    """Sound `(n,)` at the synthesiser's 22,050 samples per second, at 16,000: its spectrum cut off at 8 kHz."""
    blocks = next_fast_len(-(-len(samples) // 441), real=True)  # of 441 samples, which become 320
    spectrum = rfft(samples, 441 * blocks)[: 160 * blocks + 1]
    whole = irfft(spectrum, 320 * blocks) * np.float32(320.0 / 441.0)
    return whole[: round(len(samples) * 320 / 441)].clip(-1.0, 1.0).astype(np.float32)


def with_closures(phones: Sequence[Interval], samples: np.ndarray, rate: int) -> list[Interval]:
    """Phones whose stops begin with their closure, as a phonetician marks them.

    The synthesiser tells of a stop when it bursts, and so gives the silence before it to the phone before.
    """
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    found = list(phones)
    for number in range(1, len(found)):
        before, stop = found[number - 1 : number + 1]
        if stop.phone not in STOPS or before.phone == "pause":
            continue
        position = int(np.searchsorted(loud, round(stop.start * rate)))
        closed = (loud[position - 1] + 1) / rate if position else 0.0
        closed = min(stop.start, max(before.start, closed))
        found[number - 1], found[number] = before._replace(end=closed), stop._replace(start=closed)
    return found


def _merge(name: str) -> str:
    """Our phone for one of the synthesiser's, whose stress marks come first."""
    bare = name.lstrip("',%=|") or name
    if bare not in _OURS:
        raise ValueError(f"the speech synthesiser says a phone {name!r} that MERGED in {__file__} does not have")
    return _OURS[bare]


@functools.cache
def _mean(bands: int) -> np.ndarray:
    """Mean log energy of each band: read off the curve that was measured with 16, wider bands having more energy."""

    def centres(count: int) -> np.ndarray:
        return np.linspace(mel(64.0), mel(RATE / 2.0), count + 2)[1:-1]

    curve = np.interp(centres(bands), centres(16), MEAN_OF_16)
    return (curve + np.log(17.0 / (bands + 1.0))).astype(np.float32)


# --- what the tasks of synthesised speech share -----------------------------------------------------------------------

KEPT_FROM = 60.0
"""Seconds of speech in a split from which on it is kept in the cache; less is soon made again."""


def check_dials(time: int, bands: int, hop_ms: float, sequences: int) -> None:
    """Refuse dials that make no data, in one line."""
    if time < 4:
        raise ValueError(f"time is {time} frames: at least 4 are needed")
    if not 4 <= bands <= 64:
        raise ValueError(f"bands is {bands}: from 4 to 64 can be told apart")
    if not 5.0 <= hop_ms <= 50.0:
        raise ValueError(f"hop_ms is {hop_ms:g}: frames follow each other by 5 to 50 ms")
    if sequences < 16:
        raise ValueError(f"sequences is {sequences}: at least 16 are needed so that validation has two")


def rows(sequences: int, split: SplitName) -> int:
    """How many sequences a split has."""
    return {"train": sequences, "validation": sequences // 8, "test": sequences // 4}[split]


def kept_or_made(
    task: Task, split: SplitName, seed: int, seconds: float, make: Callable[[], cache.Arrays]
) -> cache.Arrays:
    """The arrays of a split: from the cache where there are so many seconds of speech that making them takes long."""
    if seconds < KEPT_FROM:
        return make()
    facts = [task.name, task.parameters(), split, seed, voice.VERSION, voice.digest()]
    own = [sys.modules[name] for name in (type(task).__module__, __name__)]
    return cache.kept(cache.key(facts, [*own, cache, features, intervals, sentences, voice]), make)


def introduction(spoken: Part, said: Spoken) -> list[str]:
    """Who says what, for an example as text."""
    names = " ".join(phone for phone, _, _ in said.phones)
    return [
        f"Synthesised speech (eSpeak NG), voice {group(spoken)}, {spoken.rate} words a minute, "
        f"{len(said.samples) / RATE:.2f} s.",
        *textwrap.wrap(f"Said: {spoken.text}", 118, subsequent_indent="  "),
        *textwrap.wrap(f"Phones: {names}", 118, subsequent_indent="  "),
    ]


def bars(heard: np.ndarray) -> str:
    """A frame's bands, low to high, as bars."""
    height = np.floor((np.clip(heard, -1.999, 1.999) + 2.0) * 2.0).astype(int)
    return "".join(np.array(list("▁▂▃▄▅▆▇█"))[height])
