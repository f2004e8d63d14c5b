"""Where things lie in a TIMIT folder: TRAIN and TEST, dialect regions, speakers, and two files for each sentence.

Copies differ in upper and lower case, in a folder more around it, and in whether a sound file is the original SPHERE or
a RIFF made from it (`SI1027.WAV`, `si1027.wav`, `SI1027.WAV.wav`). All of these are read.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from tasks.speech import sphere, timit_speakers
from tasks.speech.intervals import Interval
from tasks.task import SplitName

RATE = 16000


class Sentence(NamedTuple):
    """One sentence of one speaker: `FCJF0`, `SI1027`."""

    split: SplitName
    speaker: str
    name: str
    sound: Path
    phones: Path


class Layout(ValueError):
    """A folder that is not laid out as TIMIT, or lacks a part of it; one line."""


def root(folder: str) -> dict[str, Path]:
    """The folders `train` and `test`, in `folder` or one below. Raises Layout."""
    here = Path(folder).expanduser()
    if not here.is_dir():
        raise Layout(
            f"folder {folder}: there is no such folder; set it to your copy of TIMIT, which has TRAIN and TEST"
        )
    for place in (here, *sorted(path for path in here.iterdir() if path.is_dir())):
        found = {path.name.lower(): path for path in sorted(place.iterdir()) if path.is_dir()}
        if {"train", "test"} <= set(found):
            return {name: found[name] for name in ("train", "test")}
    raise Layout(f"folder {folder}: it has no TRAIN and TEST; set folder to the one that holds both")


@functools.cache
def sentences(folder: str, complete: bool) -> tuple[Sentence, ...]:
    """Every sentence of the three splits, in the order of speaker and name, without SA. Raises Layout.

    `complete` refuses a copy in which a speaker or a sentence of the standard splits is missing.
    """
    found: list[Sentence] = []
    for half, place in root(folder).items():
        for speaker in sorted(path for path in place.glob("*/*") if path.is_dir() and path.name[0] != "."):
            split = _split_of(half, speaker.name.upper())
            if split is not None:
                found += _of_speaker(split, speaker)
    counts = {name: len({s.speaker for s in found if s.split == name}) for name in ("train", "validation", "test")}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        raise Layout(f"folder {folder}: it has no sentence of any {' or '.join(missing)} speaker")
    if complete:
        _check(folder, found, counts)
    return tuple(sorted(found, key=lambda one: (one.speaker, one.name)))


def _split_of(half: str, speaker: str) -> SplitName | None:
    """The split of a speaker; None for those of the TEST folder that no split uses."""
    if half == "train":
        return "train"
    if speaker in timit_speakers.VALIDATION:
        return "validation"
    return "test" if speaker in timit_speakers.TEST else None


def _of_speaker(split: SplitName, folder: Path) -> list[Sentence]:
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.name[0] != "."}
    stems = sorted({name.split(".")[0] for name in files if name.endswith((".wav", ".phn")) and name[:2] != "sa"})
    found = []
    for stem in stems:
        phones = files.get(f"{stem}.phn")
        # A RIFF made from a SPHERE file is taken first: the original beside it may be compressed.
        sound = files.get(f"{stem}.wav.wav", files.get(f"{stem}.wav"))
        if phones is None or sound is None:
            lacking = ".PHN with its phones" if phones is None else ".WAV with its sound"
            raise Layout(f"folder {folder}: sentence {stem.upper()} has no {lacking}; copy the corpus again")
        found.append(Sentence(split, folder.name.upper(), stem.upper(), sound, phones))
    return found


def _check(folder: str, found: list[Sentence], counts: dict[str, int]) -> None:
    wanted = {
        "train": timit_speakers.TRAIN_SPEAKERS,
        "validation": len(timit_speakers.VALIDATION),
        "test": len(timit_speakers.TEST),
    }
    for name, count in wanted.items():
        if counts[name] != count:
            raise Layout(
                f"folder {folder}: {counts[name]} of {count} {name} speakers are there; copy the corpus again, "
                f"or set complete to false to use what there is"
            )
        sentences_there = sum(one.split == name for one in found)
        if sentences_there != count * timit_speakers.SENTENCES:
            raise Layout(
                f"folder {folder}: {sentences_there} of {count * timit_speakers.SENTENCES} {name} sentences are there; "
                f"copy the corpus again, or set complete to false to use what there is"
            )


def phones(path: Path) -> tuple[Interval, ...]:
    """The phones of a .PHN file: a line each, with first sample, last sample and name. Raises Layout."""
    found = []
    try:
        for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
            if not line.strip():
                continue
            words = line.split()
            if len(words) != 3 or not words[0].isdigit() or not words[1].isdigit():
                raise Layout(f"{path}, line {number}: {line[:40]!r} is not `first last phone`")
            if words[2] not in timit_speakers.PHONES:
                raise Layout(f"{path}, line {number}: TIMIT has no phone {words[2]!r}")
            found.append(Interval(words[2], int(words[0]) / RATE, int(words[1]) / RATE))
    except (OSError, UnicodeDecodeError) as error:
        raise Layout(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no plain text'}") from error
    if not found:
        raise Layout(f"{path} has no phones; copy the corpus again")
    return tuple(found)


@functools.cache
def longest(folder: str, complete: bool) -> int:
    """Samples of the longest sentence of all splits. Raises Layout, sphere.UnreadableSound."""
    return max(_samples(one) for one in sentences(folder, complete))


def _samples(one: Sentence) -> int:
    rate, count = sphere.length(one.sound)
    if rate != RATE:
        raise Layout(f"sound file {one.sound} has {rate} samples per second: TIMIT has {RATE}")
    return count


@functools.cache
def digest(folder: str, complete: bool) -> str:
    """16 hex digits over the size and content of every file that is used, and who says what; not over paths.

    Raises Layout, sphere.UnreadableSound.
    """
    whole = hashlib.sha256()
    for one in sentences(folder, complete):
        for path in (one.sound, one.phones):
            content = sphere.content_of(path)
            whole.update(f"{one.split} {one.speaker} {one.name} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]
