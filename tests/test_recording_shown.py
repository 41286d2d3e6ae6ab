"""What a recorded run is kept as and shown as: a .sculpt file, the window, a page in a notebook."""

import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sculptor_app
from sculptor_app import folders, recording
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.trajectory.file import open_run
from tests.helpers.any_pipeline import STEPS
from tests.helpers.tiny_pipelines import build
from tests.test_recording import call


@pytest.fixture
def recorded() -> Any:
    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        call(pipe, "ddim")
    return run


@pytest.mark.parametrize("compact", [False, True])
def test_a_saved_run_holds_what_was_recorded(recorded: Any, tmp_path: Path, compact: bool) -> None:
    recorded.save(tmp_path / "run", compact=compact)  # the ending is added
    opened = open_run(tmp_path / "run.sculpt")
    states = np.stack([opened.state(k) for k in range(STEPS + 1)])
    assert opened.is_compact == compact
    assert np.array_equal(states, recorded.states) != compact
    np.testing.assert_allclose(states, recorded.states, atol=4e-3)


def test_a_run_that_cannot_be_saved_says_why(recorded: Any, tmp_path: Path) -> None:
    with pytest.raises(SculptorError, match="does not exist"):
        recorded.save(tmp_path / "nowhere" / "run.sculpt")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of programs that would have been started."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    monkeypatch.setenv("DISPLAY", ":77")
    return commands


def test_the_window_is_opened_on_a_file_of_the_run(recorded: Any, started: list[list[str]]) -> None:
    recorded.show()
    (command,) = started
    assert command[:-1] == [sys.executable, "-P", "-m", "sculptor_app", "--open"]
    path = Path(command[-1])
    assert path.parent.parent == folders.spill()
    assert path.stat().st_mode & 0o077 == 0  # prompts are in it
    assert np.array_equal(open_run(path).state(STEPS), recorded.states[-1])


def test_runs_that_were_shown_long_ago_are_deleted(recorded: Any, started: list[list[str]]) -> None:
    recorded.show()
    old = Path(started[0][-1])
    recorded.show()
    assert old.exists()
    weeks_ago = time.time() - 30 * 24 * 3600
    os.utime(old, (weeks_ago, weeks_ago))
    recorded.show()
    assert not old.exists()
    assert Path(started[1][-1]).exists()


def test_without_a_display_nothing_is_opened(
    recorded: Any, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SculptorError, match="no display"):
        recorded.show()
    assert started == []


def page_of(shown: str) -> str:
    found = re.fullmatch(r'<iframe sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"></iframe>', shown)
    assert found is not None
    return html.unescape(found.group(1))


def states_of(shown: str) -> list[int]:
    found = re.search(r'"states":\[([\d,]*)\]', shown)
    assert found is not None
    return [int(each) for each in found.group(1).split(",")]


def test_a_notebook_shows_the_run_as_a_page(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = page_of(recorded._repr_html_())
    assert shown.startswith("<!DOCTYPE html>")
    assert states_of(shown) == list(range(1, STEPS + 1))
    monkeypatch.setattr(recording, "NOTEBOOK_STATES", 2)
    few = states_of(page_of(recorded._repr_html_()))
    assert few[-1] == STEPS
    assert len(few) <= 3


def test_latents_are_shown_through_a_map_in_a_notebook() -> None:
    pipe = build("stable_diffusion")
    with sculptor_app.record(pipe) as run:
        call(pipe, "stable_diffusion")
    assert "data:image/webp" in page_of(run._repr_html_())


def test_a_block_without_a_run_has_no_page() -> None:
    with sculptor_app.record(build("ddim")) as run:
        pass
    assert run._repr_html_() is None
