"""PostgreSQL and an MLflow server on it, both behind a password and TLS, on loopback, stopped after."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
import requests

from tests.cluster.processes import Program, free_port, wait_until

USER = "strata"


def make_password() -> str:
    """As people make them: with characters that a URL has to escape."""
    return f"s3cret/{secrets.token_hex(8)}@x"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


class Postgres:
    """A database cluster of its own. As root it belongs to the user `postgres`, whom Debian's package makes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="strata-postgres-"))
        self.user = "postgres" if os.geteuid() == 0 else None
        self.port, self.password = free_port(), make_password()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.programs = found[-1] if found else Path(shutil.which("initdb") or "initdb").parent
        self.certificate, key = make_certificate(self.folder)
        (self.folder / "password").write_text(self.password)
        if self.user:
            for path in (self.folder, key, self.folder / "password"):
                shutil.chown(path, self.user, self.user)
        key.chmod(0o600)
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "-A", "scram-sha-256", "-N", f"--pwfile={key.parent}/password"
        )
        (self.folder / "password").unlink()
        self.key = key

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        groups: list[str | int] | None = [] if self.user else None
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=groups,
        )

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",  # it is restarted in order, and the disk belongs to others too
            "ssl": "on",
            "ssl_cert_file": str(self.certificate),
            "ssl_key_file": str(self.key),
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.data), *flags]
        self.program = Program(command, self.folder / "log", user=self.user, cwd=self.folder)
        wait_until(self.answers, "PostgreSQL answers")

    def stop(self) -> None:
        """Fast shutdown: every connection is broken off."""
        self.program.stop(signal.SIGINT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def answers(self) -> bool:
        assert self.program.running, self.program.said()
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str) -> str:
        """A new empty database; returns its URL."""
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def url(self, database: str) -> str:
        """With the password in it, and TLS that is checked."""
        place = f"{USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{place}?sslmode=verify-full&sslrootcert={self.certificate}"


class MLflowServer:
    """MLflow's own server on a PostgreSQL database, for `admin` with a password, by HTTPS."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        folder.mkdir(parents=True)
        self.port, self.password = free_port(), make_password()
        self.certificate, self.key = make_certificate(folder)
        (folder / "auth.ini").write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'users.db'}\n"
            "admin_username = admin\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            "auth_cache_ttl_seconds = 600\n"  # else a slow hash is made for every request
        )

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment |= {
            "MLFLOW_BACKEND_STORE_URI": self.database.replace("postgresql://", "postgresql+psycopg://"),
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of a test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--app-name", "basic-auth"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--artifacts-destination", f"{self.folder}/files"]
        command += ["--uvicorn-opts", f"--ssl-keyfile {self.key} --ssl-certfile {self.certificate}"]
        self.program = Program(command, self.folder / "log", environment, cwd=self.folder)
        wait_until(self.answers, "MLflow's server answers")

    def stop(self) -> None:
        self.program.stop()

    def answers(self) -> bool:
        assert self.program.running, self.program.said()
        try:
            health = f"https://127.0.0.1:{self.port}/health"
            return requests.get(health, verify=str(self.certificate), timeout=5).status_code == 200
        except requests.RequestException:
            return False

    @property
    def url(self) -> str:
        """With user and password in it."""
        return f"https://admin:{quote(self.password, safe='')}@127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What a person sets to use it."""
        return {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_TRACKING_SERVER_CERT_PATH": str(self.certificate)}
