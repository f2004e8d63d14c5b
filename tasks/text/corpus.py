"""One long text out of a file or a folder, or of the running Python's own standard library."""

from __future__ import annotations

import functools
import hashlib
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

SUFFIXES = (".py", ".txt", ".md", ".rst", ".tex")
"""What is read of a folder that a person gives."""
NOT_LIBRARY = {
    "site-packages", "dist-packages",  # what was installed, which differs from machine to machine
    "test", "tests", "idlelib", "turtledemo",
    "encodings", "pydoc_data",  # tables of characters, and documentation, made by programs
}  # fmt: skip
JOINT = "\n\f\n"
"""Between two documents: a form feed, which the library itself hardly uses."""


RARE = "□"
"""How a character outside the vocabulary is shown."""


class Corpus(NamedTuple):
    """`text` in full, how many `documents` it was joined from, SHA-256 of its UTF-8 bytes, and its name for people."""

    text: str
    documents: int
    digest: str
    title: str


class Encoded(NamedTuple):
    """A text as symbols `(characters,)`; symbol s stands for `vocabulary[s]`, the last one for all rare characters."""

    symbols: np.ndarray
    vocabulary: str


def read(path: str, characters: int) -> Corpus:
    """The first `characters` of a text; `path` names a file or a folder, '' the standard library.

    Of a folder, documents follow each other in the order of the SHA-256 of their relative names: one that anybody can
    repeat, and that scatters the files of a package over the text. Read once in a process, so that the digest and the
    data are those of the same bytes even if somebody saves the file meanwhile.
    Raises FileNotFoundError and ValueError with one line.
    """
    return _read(str(Path(path).expanduser().absolute()) if path else "", characters)


@functools.lru_cache(maxsize=4)
def _read(path: str, characters: int) -> Corpus:
    pieces: list[str] = []
    held = 0
    for document in _documents(path):
        pieces.append(_decode(document))
        held += len(pieces[-1]) + len(JOINT)
        if held >= characters:
            break
    text = JOINT.join(pieces)[:characters]
    title = f"the folder {Path(path).name}" if Path(path).is_dir() else Path(path).name
    return Corpus(
        text, len(pieces), hashlib.sha256(text.encode()).hexdigest(), title if path else "Python's standard library"
    )


def _documents(path: str) -> list[Path]:
    """The files to read, in their order."""
    if path and not Path(path).exists():
        raise FileNotFoundError(f"text: there is no {path}; give the path of a text file, or of a folder of them")
    if path and not Path(path).is_dir():
        return [Path(path)]
    root = Path(path or sysconfig.get_paths()["stdlib"])
    relative = {str(file.relative_to(root).as_posix()): file for file in _walk(root, library=not path)}
    if not relative:
        raise FileNotFoundError(
            f"text: no file in {root} ends in {', '.join(SUFFIXES)}; give a text file, or a folder that holds some"
        )
    return [relative[name] for name in sorted(relative, key=lambda name: hashlib.sha256(name.encode()).digest())]


def _walk(root: Path, library: bool) -> Iterator[Path]:
    """Files that count as documents: hidden ones never, and of the standard library Python source alone."""
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".") and not (library and name in NOT_LIBRARY)]
        for name in files:
            made = name.startswith((".", "_sysconfigdata"))  # the latter says how this one Python was built
            if not made and name.endswith(".py" if library else SUFFIXES):
                yield Path(folder, name)


def _decode(path: Path) -> str:
    """Text as it is meant: without a byte order mark, lines ending in a line feed."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileNotFoundError(f"text: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"text: {path} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}); save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


@functools.lru_cache(maxsize=4)
def encode(text: str, counted: int, symbols: int) -> Encoded:
    """The text as numbers of a vocabulary that was counted on its first `counted` characters."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    found, times = np.unique(codes[:counted], return_counts=True)
    kept = found[np.lexsort((found, -times))][: symbols - 1]  # equally frequent ones in their order in Unicode
    table = np.full(int(codes.max()) + 1, symbols - 1, dtype=np.int16)
    table[kept] = np.arange(len(kept))
    # A text with fewer characters than that leaves symbols over, so that its network is as large as any other.
    vocabulary = "".join(map(chr, kept)) + RARE * (symbols - len(kept))
    return Encoded(table[codes], vocabulary)
