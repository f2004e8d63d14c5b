"""Our kernel of the recurrence, as it was built for this machine; importing this does not load torch.

`native/recurrence.c` is built with the package where there is a C compiler, and loaded here when it is first needed.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LEVELS = {0: ("plain", 16), 1: ("avx2", 32), 2: ("avx512", 64)}
"""What the library calls the widest vectors of this processor, and their bytes."""


class Library:
    """The built kernel and the vectors it uses on this machine."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        self._functions.strata_level.restype = ctypes.c_long
        self.level = self._functions.strata_level()
        self.name, self.bytes = LEVELS[self.level]
        self.mixed, self.intel = (bool(getattr(self._functions, f"strata_{name}")()) for name in ("mixed", "intel"))
        self.version = self._functions.strata_version()

    def lanes(self, kind: torch.dtype) -> int:
        """Sequences that are read side by side."""
        return self.bytes // kind.itemsize

    def call(self, function: str, precision: str, *arguments: torch.Tensor | int | None) -> None:
        """Sizes are passed as C longs, tensors, which must be contiguous, as addresses."""
        getattr(self._functions, f"strata_{function}_{precision}")(
            ctypes.c_long(self.level),
            *(
                ctypes.c_long(given)
                if isinstance(given, int)
                else ctypes.c_void_p(None if given is None else given.data_ptr())
                for given in arguments
            ),
        )


@cache
def library() -> Library | None:
    """The kernel, or None where it was not built."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_recurrence{suffix}")
        if path.exists():
            return Library(path)
    return None


def in_bfloat16() -> bool:
    """Whether our kernel multiplies in bfloat16 on this processor."""
    kernel = library()
    return kernel is not None and kernel.mixed


def described() -> str:
    """Its vectors and the version of its arithmetic, such as `avx512 2`; `torch` where it was not built."""
    kernel = library()
    return "torch" if kernel is None else f"{kernel.name} {kernel.version}"
