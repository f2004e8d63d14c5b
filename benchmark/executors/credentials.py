"""The keys of a study's cluster. Who holds them may run code on every machine of it, so only the user reads them.

One certificate, its own authority, serves scheduler, workers and driver alike: whoever is let in at all may run code,
so roles would protect nothing. The library makes it; both sides must show it, and it never leaves the folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from distributed.security import Security

CERTIFICATE, KEY = "certificate.pem", "key.pem"


def make(folder: Path) -> None:
    """Write a new certificate and key, valid a year, unless they are there; the folder is 0700, the files 0600.

    Raises UserError where they are there and others can read them.
    """
    if (folder / KEY).exists():
        _refuse_if_open(folder)
        return
    from distributed.security import Security

    made = Security.temporary()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # it may have been there, or the mask been wider
    for name, content in ((CERTIFICATE, made.tls_ca_file), (KEY, made.tls_scheduler_key)):  # the key says: complete
        part = folder / f"{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
        part.replace(folder / name)


def load(folder: Path) -> Security:
    """What scheduler, workers and driver show each other. Raises UserError when it is missing or others can read it."""
    for name in (CERTIFICATE, KEY):
        if not (folder / name).is_file():
            raise UserError(f"no {name} in {folder}: the keys are made by strata scheduler; name their folder by --tls")
    _refuse_if_open(folder)
    from distributed.security import Security

    certificate, key = (str((folder / name).absolute()) for name in (CERTIFICATE, KEY))
    roles = {f"tls_{role}_{what}": path for role in ("client", "scheduler", "worker")
             for what, path in (("cert", certificate), ("key", key))}  # fmt: skip
    return Security(require_encryption=True, tls_ca_file=certificate, **roles)


def _refuse_if_open(folder: Path) -> None:
    """Raises UserError when anybody but the user, and root, can read a key."""
    for path in (folder, folder / KEY):
        found = path.stat()
        if found.st_uid != os.getuid():
            raise UserError(f"{path} belongs to another user: make keys of your own in another folder (--tls)")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise UserError(f"{path} can be read by others, who could run code as you: chmod -R go= {folder}")
