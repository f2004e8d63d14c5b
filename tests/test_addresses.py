"""What is shown of an address, and of a text that quotes one."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.addresses import first_use, hidden, shown, with_driver, without_user


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://strata:p%40ss@db:5432/x?sslmode=require", "postgresql://strata:***@db:5432/x?sslmode=require"),
        ("postgresql://db/x?user=a&password=b%26c&sslmode=off", "postgresql://db/x?user=a&password=***&sslmode=off"),
        ("https://me@tracking/", "https://me@tracking/"),
        ("http://tracking:5000/a@b", "http://tracking:5000/a@b"),
        ("sqlite:////home/me@work/optuna.db", "sqlite:////home/me@work/optuna.db"),
        ("see http://a:b:c@h, and then http://d:e@h", "see http://a:***@h, and then http://d:***@h"),
    ],
)
def test_an_address_is_shown_without_its_password(address, expected):
    assert shown(address) == expected


def test_a_link_has_neither_user_nor_password():
    assert without_user("https://me:secret@tracking:443/x?y#z") == "https://tracking:443/x?y#z"


@given(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=4, max_size=30))
def test_no_form_of_a_password_survives_in_a_text(password):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRATA_OPTUNA_URL", f"postgresql://user:{quote(password, safe='')}@db/x")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", password + "2")
        for form in (password, quote(password, safe=""), password + "2"):
            assert hidden(f"§{form}§") in ("§***§", "§***2§")


def test_a_bug_is_told_without_the_password(monkeypatch):
    script = "from benchmark import cli; cli.refuse_shadows = lambda: {}[cli.os.environ['PGPASSWORD']]; cli.main([])"
    monkeypatch.setenv("PGPASSWORD", "pl4nted")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "KeyError: '***'" in done.stderr
    assert "pl4nted" not in done.stderr


def test_postgres_means_the_driver_that_the_extra_installs():
    assert with_driver("postgresql://h/x") == "postgresql+psycopg://h/x"
    assert with_driver("postgresql+psycopg2://h/x") == "postgresql+psycopg2://h/x"
    assert with_driver("http://h") == "http://h"
    with first_use("sqlite:///nowhere/x.db"):  # nothing is opened
        pass
