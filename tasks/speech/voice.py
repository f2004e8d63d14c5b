"""A speech synthesiser with times for every phone: eSpeak NG, from the `espeakng-loader` wheel (extra `speech`).

The library keeps one state per process, and that state survives its own Initialize and Terminate, so the same text said
twice differs. What makes it repeat itself bit for bit: load the library anew for every utterance, seed its generator,
and unload it. Measured with version 0.2.4 on Linux.
"""

from __future__ import annotations

import _ctypes
import atexit
import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.speech.intervals import Interval

VERSION = "0.2.4"
"""Of the wheel, the one that was measured; the digest of what is installed is what counts."""
RATE = 22050
"""Samples per second, the synthesiser's own."""
MISSING = "espeak needs the synthesiser: pip install 'strata-lstm[speech]'"
WORDS_PER_MINUTE = (80, 449)
"""Rates that the library keeps to; beyond them it clips silently, or event times run past the end of the sound."""

_LOCK = threading.Lock()  # one state per process: two threads inside the library abort the process
_SYNCHRONOUS, _PHONEME_EVENTS, _DO_NOT_EXIT, _UTF8, _PHONEME = 2, 0x1, 0x8000, 1, 7
_SPEED, _PITCH, _RANGE = 1, 3, 4


class Utterance(NamedTuple):
    """What was said: samples float32 `(n,)` in -1..1 at `RATE`, and its phones in order."""

    samples: np.ndarray
    phones: tuple[Interval, ...]


class _Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_void_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@functools.cache
def package() -> Path:
    """Folder of the wheel. Raises ModuleNotFoundError, in one line, where the extra is not installed."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(MISSING)
    return Path(found.origin).parent


@functools.cache
def digest() -> str:
    """16 hex digits over the shared library and all of its data: another synthesiser says other things."""
    whole = hashlib.sha256()
    folder = package()
    for path in [_library(), *sorted((folder / "espeak-ng-data").rglob("*"))]:
        if path.is_file():
            content = path.read_bytes()
            whole.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


@functools.cache
def check(voice: str) -> None:
    """Raise ValueError for `language+variant` that the synthesiser would silently replace by another voice."""
    language, _, variant = voice.partition("+")
    data = package() / "espeak-ng-data"
    if not (data / "lang" / language).is_file():
        raise ValueError(f"voice {voice}: there is no language file {language} in {data / 'lang'}")
    if not (data / "voices" / "!v" / variant).is_file():
        raise ValueError(f"voice {voice}: there is no variant {variant!r} in {data / 'voices' / '!v'}")


def say(text: str, voice: str, *, rate: int = 175, pitch: int = 50, pitch_range: int = 50) -> Utterance:
    """Speak a text: `voice` is `language+variant`, `rate` words per minute, pitch and its range 0 to 100.

    A pure function of its arguments and of the library. Raises ModuleNotFoundError without the extra, ValueError for
    a voice or rate there is not, RuntimeError when the library fails.
    """
    check(voice)
    low, high = WORDS_PER_MINUTE
    if not low <= rate <= high:
        raise ValueError(f"rate is {rate} words per minute: the synthesiser keeps to {low} to {high}")
    sound: list[np.ndarray] = []
    marks: list[tuple[float, str]] = []

    def collect(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        position = 0
        while events[position].type != 0:
            if events[position].type == _PHONEME:
                marks.append((events[position].audio_position / 1000.0, events[position].id.string.decode()))
            position += 1
        return 0

    data = _data_folder()
    with _LOCK, _loaded() as library:
        callback = _Callback(collect)  # kept in a name for as long as the library may call it
        if library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), _PHONEME_EVENTS | _DO_NOT_EXIT) != RATE:
            raise RuntimeError(f"the speech synthesiser cannot read its data in {data}: install espeakng-loader again")
        library.espeak_ng_SetRandSeed(1)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"the speech synthesiser has no voice {voice}: install espeakng-loader again")
        for parameter, value in ((_SPEED, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        said = text.encode()
        failed = library.espeak_Synth(said, ctypes.c_size_t(len(said) + 1), 0, 1, 0, _UTF8, None, None)
        library.espeak_Terminate()
    if failed or not sound:
        raise RuntimeError(f"the speech synthesiser did not speak with voice {voice}: {text!r}")
    samples = (np.concatenate(sound) / 32768.0).astype(np.float32)
    ends = [start for start, _ in marks[1:]] + [len(samples) / RATE]
    return Utterance(samples, tuple(Interval(p, s, max(s, e)) for (s, p), e in zip(marks, ends, strict=True)))


@functools.cache
def _library() -> Path:
    found = [path for path in sorted(package().iterdir()) if path.suffix in (".so", ".dylib", ".dll")]
    if not found:
        raise RuntimeError(f"there is no shared library in {package()}: install espeakng-loader again")
    return found[0]


@contextlib.contextmanager
def _loaded() -> Iterator[ctypes.CDLL]:
    """The library, loaded anew and unloaded again: its memory of what it said goes with it."""
    path = str(_library())
    if hasattr(os, "RTLD_NOLOAD"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            raise RuntimeError(
                "the speech synthesiser is still loaded in this process (another library uses it, or the system cannot "
                "unload one) and would not repeat itself: make the data in a process of its own, on Linux with glibc"
            )
    library = ctypes.CDLL(path)
    try:
        yield library
    finally:
        unload = "FreeLibrary" if os.name == "nt" else "dlclose"
        getattr(_ctypes, unload)(library._handle)


def _data_folder() -> Path:
    """The library's data under a short path, with lower-case names; itself where links cannot be made."""
    try:
        return _links(os.getpid())
    except OSError:
        return package() / "espeak-ng-data"


@functools.cache
def _links(process: int) -> Path:
    """A folder of links to the data, made once in a process and removed at its end.

    Short, as Initialize refuses long paths. In lower case, as the library asks for `en-us` where the file is `en-US`,
    and then reads all voices there are, which takes longer than a sentence.
    """
    data, made = package() / "espeak-ng-data", Path(tempfile.mkdtemp(prefix="strata-"))

    def remove() -> None:
        if os.getpid() == process:  # a child made by fork must not take it from its parent
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    for entry in sorted(data.iterdir()):
        if entry.name != "lang":
            (made / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    for path in sorted((data / "lang").rglob("*")):
        if path.is_file():
            link = made / "lang" / path.relative_to(data / "lang").as_posix().lower()
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return made
