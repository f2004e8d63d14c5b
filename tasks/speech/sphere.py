"""Sound files as TIMIT has them: NIST SPHERE, or the RIFF files that people made from those."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile


class Header(NamedTuple):
    """What a SPHERE header says of its samples: where they start, how many there are, and in which byte order."""

    start: int
    samples: int
    rate: int
    order: str


class UnreadableSound(ValueError):
    """A sound file of another kind, or a damaged one; one line that names it."""


def content_of(path: Path) -> bytes:
    """All bytes of a file. Raises UnreadableSound."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSound(f"file {path} cannot be read: {error.strerror}") from error


def read(path: Path) -> tuple[int, np.ndarray]:
    """Samples per second, and samples int16 `(n,)`. Raises UnreadableSound."""
    content = content_of(path)
    if content.startswith(b"NIST_1A"):
        header = parse(content, path)
        samples = np.frombuffer(content, dtype=f"{header.order}i2", count=header.samples, offset=header.start)
        return header.rate, samples.astype(np.int16)
    rate, samples = _riff(path, content)
    return rate, np.array(samples)


def length(path: Path) -> tuple[int, int]:
    """Samples per second, and number of samples, without reading these. Raises UnreadableSound."""
    try:
        with path.open("rb") as file:
            content = file.read(1024)
    except OSError as error:
        raise UnreadableSound(f"sound file {path} cannot be read: {error.strerror}") from error
    if content.startswith(b"NIST_1A"):
        header = parse(content, path, size=path.stat().st_size)
        return header.rate, header.samples
    rate, samples = _riff(path, content)
    return rate, len(samples)


def parse(content: bytes, path: Path, size: int | None = None) -> Header:
    """Header of a SPHERE file that starts with `content` and has `size` bytes. Raises UnreadableSound.

    16-bit PCM of one channel in either byte order is read, which is what TIMIT has.
    """
    size = len(content) if size is None else size
    lines = content[:1024].split(b"\n")
    try:
        start = int(lines[1])
        fields = {}
        for line in lines[2:]:
            if line.strip() == b"end_head":
                break
            words = line.decode("ascii").split(maxsplit=2)
            if len(words) == 3 and words[1].startswith("-"):
                fields[words[0]] = words[2].strip()
        else:
            raise UnreadableSound(f"sound file {path}: its SPHERE header has no end; copy the file again")
        coding = fields.get("sample_coding", "pcm")
        count, rate = int(fields["sample_count"]), int(fields["sample_rate"])
        width, channels = int(fields.get("sample_n_bytes", 2)), int(fields.get("channel_count", 1))
    except (KeyError, IndexError, UnicodeDecodeError) as error:
        raise UnreadableSound(
            f"sound file {path}: its SPHERE header lacks or garbles {error}; copy it again"
        ) from error
    except ValueError as error:
        if isinstance(error, UnreadableSound):
            raise
        raise UnreadableSound(f"sound file {path}: its SPHERE header says {error}; copy it again") from error
    if coding != "pcm":
        raise UnreadableSound(
            f"sound file {path} is compressed ({coding}): convert it first, as with sph2pipe -f wav IN.WAV OUT.WAV"
        )
    if width != 2 or channels != 1 or rate <= 0:
        raise UnreadableSound(
            f"sound file {path} has {channels} channels of {width} bytes at {rate} Hz: one channel of 16 bits is read"
        )
    if count < 1 or start + 2 * count > size:
        raise UnreadableSound(f"sound file {path} is cut short: {count} samples said, {size - start} bytes there")
    return Header(start, count, rate, ">" if fields.get("sample_byte_format", "01") == "10" else "<")


def _riff(path: Path, content: bytes) -> tuple[int, np.ndarray]:
    """Rate and samples, mapped into memory and not read."""
    if not content.startswith((b"RIFF", b"RIFX")):
        raise UnreadableSound(f"sound file {path} is neither SPHERE nor RIFF: is it a TIMIT sound file?")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path, mmap=True)
    except (ValueError, OSError, EOFError) as error:
        raise UnreadableSound(f"sound file {path} cannot be read: {' '.join(str(error).split())}") from error
    if samples.dtype.kind != "i" or samples.dtype.itemsize != 2 or samples.ndim != 1 or not len(samples):
        raise UnreadableSound(f"sound file {path}: one channel of 16-bit samples is read, not {samples.dtype}")
    return int(rate), samples
