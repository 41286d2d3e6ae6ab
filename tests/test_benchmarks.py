"""Benchmarks are run by hand, and must not rot meanwhile; that their calls fit is for mypy to say."""

import importlib
import sys
from pathlib import Path

import pytest

NAMES = sorted(path.stem for path in Path(__file__).with_name("benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_loaded_and_says_how_it_is_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which some set for themselves
    benchmark = importlib.import_module(f"tests.benchmarks.{name}")
    usage = benchmark.__doc__.split(f"python -m tests.benchmarks.{name}")[1]
    if "--" not in usage:  # it has no options
        return
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as left:
        benchmark.main()
    assert left.value.code == 0
    assert "usage: " in capsys.readouterr().out
