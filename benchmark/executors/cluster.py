"""Where a Dask scheduler is, and how it is reached: an address or a scheduler file, with the study's keys or without.

Importing this is cheap; Dask itself (`distributed`, the extra `cluster`) is imported when it is asked for.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError
from benchmark.executors import credentials

if TYPE_CHECKING:
    from distributed.security import Security

SLOT = "slot"
"""The Dask resource of a worker that runs one training at a time: one a GPU, or one a core."""


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster as a person names it. Exactly one of `address` and `file` is given."""

    address: str = ""
    file: Path | None = None
    tls: Path | None = None
    """Folder of the keys; default `tls` beside the scheduler file."""
    insecure: bool = False

    @classmethod
    def asked(
        cls,
        scheduler: str | None,
        scheduler_file: Path | None,
        tls: Path | None = None,
        insecure: bool = False,
        *,
        instead: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> Cluster | None:
        """What options and environment (STRATA_SCHEDULER, STRATA_SCHEDULER_FILE, STRATA_TLS) name; None for no cluster.

        `instead`: the person asked for this machine's workers, which overrules the environment but no option.
        Raises UserError where two places are named, or Dask is not installed.
        """
        if scheduler and scheduler_file:
            raise UserError("--scheduler and --scheduler-file were given: give one of them")
        if instead and (scheduler or scheduler_file):
            raise UserError("--workers counts processes of this machine, and a scheduler was given: leave one out")
        if not (scheduler or scheduler_file or instead):
            scheduler = environment.get("STRATA_SCHEDULER")
            scheduler_file = Path(named) if (named := environment.get("STRATA_SCHEDULER_FILE")) else None
            if scheduler and scheduler_file:
                raise UserError("STRATA_SCHEDULER and STRATA_SCHEDULER_FILE are both set: unset one of them")
        if not (scheduler or scheduler_file):
            if tls or insecure:
                raise UserError(f"{'--tls' if tls else '--insecure'} says how a scheduler is reached: add --scheduler")
            return None
        require_dask()
        tls = tls or (Path(named) if (named := environment.get("STRATA_TLS")) else None)
        if scheduler and "://" not in scheduler:
            scheduler = f"tls://{scheduler}"
        return cls(scheduler or "", scheduler_file, tls, insecure)

    def __str__(self) -> str:
        return self.address or str(self.file)

    @property
    def words(self) -> list[str]:
        """The options that name it again."""
        options = {"--scheduler": self.address, "--scheduler-file": self.file, "--tls": self.tls}
        given = [word for option, value in options.items() if value for word in (option, str(value))]
        return given + (["--insecure"] if self.insecure else [])

    @property
    def keys(self) -> Path:
        """Folder of the keys that open it. Raises UserError when only an address was given, and no folder."""
        if self.tls is not None:
            return self.tls
        if self.file is None:
            raise UserError(f"{self.address} needs keys: name their folder with --tls FOLDER")
        return self.file.absolute().parent / "tls"

    def find(self) -> str | None:
        """The scheduler's address; None while its file is not there or half written. Raises UserError, see `check`."""
        address = self.address
        if self.file is not None:
            try:
                address = json.loads(self.file.read_text())["address"]
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                return None
            except OSError as error:
                raise UserError(f"scheduler file {self.file} cannot be read: {error.strerror}") from None
        check(address, insecure=self.insecure)
        return address

    def security(self, address: str) -> Security | None:
        """What opens a tls:// address. Raises UserError when there are no keys, or others can read them."""
        return credentials.load(self.keys) if address.startswith("tls://") else None


def check(address: str, *, insecure: bool) -> None:
    """Raises UserError for an address that Dask does not speak, and for plain TCP to another machine."""
    protocol, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if protocol not in ("tls", "tcp") or not host or not port.isdigit():
        raise UserError(f"scheduler {address!r} is no address: write tls://HOST:PORT")
    if protocol == "tcp" and not insecure and not is_loopback(host):
        raise UserError(
            f"{address} is plain TCP to another machine: Dask runs any code for whoever reaches it, so Strata speaks"
            " TLS with keys of its own (strata scheduler makes them); --insecure says that you trust the whole network"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing else; a name is never looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def require_dask() -> None:
    """Raises UserError where the extra `cluster` is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"a Dask cluster was asked for, and Dask is not installed ({error}): pip install 'strata-lstm[cluster]'"
        ) from None
