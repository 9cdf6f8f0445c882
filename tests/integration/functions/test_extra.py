"""pandas, Polars and what they need are extras: what is installed is used, and what is missing is named."""

import subprocess
import sys

import pytest


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("present", "absent"), [("pandas", "polars"), ("polars", "pandas")])
def test_one_of_them_is_enough(present: str, absent: str) -> None:
    done = python(
        f"import sys; sys.modules['{absent}'] = None; import forehearth.functions; import {present};"
        f"assert hasattr({present}.Series(['a']).ai, 'summarize') and hasattr({present}.DataFrame().ai, 'stats')"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [(("pandas", "polars"), "pip install 'forehearth[pandas]' or 'forehearth[polars]'"), (("pyarrow",), "pip install")],
)
def test_what_is_missing_is_named(absent: tuple[str, ...], remedy: str) -> None:
    missing = "; ".join(f"sys.modules['{each}'] = None" for each in absent)
    done = python(f"import sys; {missing}; import forehearth.functions")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "Misconfigured" in last
    assert remedy in last


def test_without_tqdm_there_is_no_bar() -> None:
    asked = "pd.Series(['a']).ai.summarize(conf=aifunc.Conf(client=scripted()))"
    imports = "import pandas as pd, forehearth.functions as aifunc"
    host = "from tests.integration.functions.hosts import scripted"
    with_it = python(f"{imports}; {host}; {asked}")
    without = python(f"import sys; sys.modules['tqdm'] = None; {imports}; {host}; {asked}")
    assert "ai.summarize: 100%" in with_it.stderr
    assert (without.returncode, without.stderr) == (0, "")
