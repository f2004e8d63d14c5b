"""Addresses of shared services, and what in them nobody may read: passwords, which a URL carries in the open.

Whatever Strata says or writes of a service goes through `shown` (an address) or `hidden` (any text, such as what a
library says of an error).
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit, urlunsplit

MASK = "***"
ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_BACKEND_STORE_URI", "STRATA_OPTUNA_URL")
"""Variables that may hold a URL with a password in it."""
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD", "MLFLOW_AUTH_ADMIN_PASSWORD")
"""Variables that are a secret as a whole."""

_IN_QUERY = re.compile(r"(?i)([?&](?:ssl)?(?:password|token)=)[^&\s'\"]+")
_IN_USER = re.compile(r"([a-z][a-z0-9+.-]*://)([^\s/?#'\"]*)@")
_LOCK = 0x57BA7A
"""Any number, the same in every driver: what PostgreSQL's advisory lock is held on."""


def shown(address: str) -> str:
    """The address with its password masked, for people to read."""
    address = _IN_USER.sub(lambda found: f"{found[1]}{found[2].partition(':')[0]}{_masked(found[2])}@", address)
    return _IN_QUERY.sub(rf"\g<1>{MASK}", address)


def without_user(address: str) -> str:
    """The address without user and password: a link to open in a browser, which asks for them."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def hidden(text: str) -> str:
    """The text with every secret masked that the environment holds, and every password in a URL."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return shown(text)


def _masked(user: str) -> str:
    return f":{MASK}" if ":" in user else ""


def _secrets() -> set[str]:
    """Every secret of this process's environment, as it is written there and as a library decodes it."""
    found = {os.environ.get(name, "") for name in SECRETS}
    for name in ADDRESSES:
        user, at, _ = urlsplit(os.environ.get(name, "")).netloc.rpartition("@")
        if at and ":" in user:
            password = user.partition(":")[2]
            found |= {password, unquote(password), unquote_plus(password)}
        query = parse_qsl(urlsplit(os.environ.get(name, "")).query)
        found |= {value for key, value in query if "password" in key.lower() or "token" in key.lower()}
    return {secret for secret in found if len(secret) > 3}  # a shorter one would mask half of every sentence


def hide_in_tracebacks() -> None:
    """From here on a bug's traceback, which may quote an address, is printed with every secret masked."""

    def print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(hidden("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = print_masked


def with_driver(address: str) -> str:
    """`postgresql://` names the driver that SQLAlchemy prefers, which changed in 2.1: here it is psycopg (3) always."""
    scheme, colon, rest = address.partition("://")
    return f"postgresql+psycopg{colon}{rest}" if scheme in ("postgresql", "postgres") else address


def is_postgres(address: str) -> bool:
    """Whether a database of PostgreSQL is reached directly by this address."""
    return address.partition("://")[0].partition("+")[0] in ("postgresql", "postgres")


@contextmanager
def first_use(address: str, patience: float = 300.0) -> Iterator[None]:
    """Hold a PostgreSQL database while its tables are made or looked at; does nothing for any other.

    MLflow and Optuna make their tables when they first see an empty database, and two drivers that do so at once fail
    on each other's. Raises SQLAlchemy's errors, after `patience` seconds too.
    """
    if not is_postgres(address):
        yield
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(with_driver(address), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:  # the lock ends with the connection, however that ends
        connection.execute(sqlalchemy.text(f"SET lock_timeout = '{patience:.0f}s'"))
        connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_LOCK})"))
        yield
