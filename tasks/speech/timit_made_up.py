"""A made-up corpus laid out as TIMIT: a few real speakers' names, and for every phone a chord with noise. For tests."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tasks.speech import timit_speakers

RATE = 16000
SPEAKERS = {
    "TRAIN": ("FCJF0", "FDAW0", "MCPM0", "MDAC0", "FAEM0", "MARC0", "FALK0", "MADC0"),
    "TEST": (*sorted(timit_speakers.VALIDATION)[:3], *sorted(timit_speakers.TEST)[:3]),
}
SENTENCES = ("SA1", "SI1027", "SX37", "SX127")


@functools.cache
def folder() -> str:
    """The corpus in a temporary folder: written once in a process, and removed at its end."""
    made = tempfile.mkdtemp(prefix="strata-made-up-timit-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    write(Path(made))
    return made


def write(where: Path) -> None:
    """Write the corpus: the same bytes every time."""
    rng = np.random.default_rng(1990)
    for half, speakers in SPEAKERS.items():
        for number, speaker in enumerate(speakers):
            place = where / half / f"DR{1 + number % 8}" / speaker
            place.mkdir(parents=True)
            for sentence in SENTENCES:
                samples, lines = _sentence(rng)
                (place / f"{sentence}.WAV").write_bytes(sphere(samples))
                (place / f"{sentence}.PHN").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def sphere(samples: np.ndarray, *, order: str = "<", coding: str = "pcm") -> bytes:
    """A SPHERE file of 16-bit samples."""
    fields = (
        "NIST_1A",
        "   1024",
        "channel_count -i 1",
        f"sample_count -i {len(samples)}",
        f"sample_rate -i {RATE}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {'01' if order == '<' else '10'}",
        f"sample_coding -s{len(coding)} {coding}",
        "end_head",
        "",
    )
    return "\n".join(fields).encode().ljust(1024) + samples.astype(f"{order}i2").tobytes()


def _sentence(rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Between two silences, two to four phones of 60 ms; a phone's number says which three tones it is made of."""
    phones = ["h#", *(timit_speakers.PHONES[n] for n in rng.integers(0, 12, rng.integers(2, 5))), "h#"]
    sounds, lines, start = [], [], 0
    for phone in phones:
        count = 480 if phone == "h#" else 960
        number = timit_speakers.PHONES.index(phone)
        tones = 200.0 * 1.06 ** np.array([number, 2 * number + 9, 40 - number])
        times = np.arange(count) / RATE
        loud = 0.0 if phone == "h#" else 3000.0
        sound = loud * np.sin(2 * np.pi * tones[:, None] * times).sum(0) + 60.0 * rng.standard_normal(count)
        sounds.append(np.round(sound).astype(np.int16))
        lines.append(f"{start} {start + count} {phone}")
        start += count
    return np.concatenate(sounds), lines
