"""Where the program keeps what it writes."""

import tempfile
from pathlib import Path

import pytest

from sculptor_app import folders


def test_what_outgrows_its_memory_goes_beside_the_cache_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders.spill() == folders.cache()
    assert folders.spill().is_dir()

    def full() -> Path:
        raise OSError("no such place")

    monkeypatch.setattr(folders, "cache", full)
    assert folders.spill() == Path(tempfile.gettempdir())
