"""Models of the hub on the command line: asked for and fetched when told to, kept when broken off."""

import argparse
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.cli import main, make_parser
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.hub import cache as hub
from tests.helpers.diffusers_models import WEIGHTS, ddpm, save
from tests.helpers.small_hub import NAME, Hub, count_connections, files_of, make_usual, serving

WEIGHTS_FILE = f"unet/{WEIGHTS}"
CHECK = ["check-model", NAME, "--device", "cpu", "--no-trial"]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def served(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub

    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())  # as if it had passed before
    with serving(files_of(save(ddpm, tmp_path / "ddpm"))) as small_hub:
        make_usual(small_hub, cache, monkeypatch)
        yield small_hub
    huggingface_hub.close_session()


def test_the_hub_is_asked_for_nothing_before_a_person_has_said_so(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """What looks like a repository's name may be a path that was mistyped."""
    tried = count_connections(monkeypatch)
    assert main(["sculpt", "--model", NAME, "--device", "cpu", "--out", str(tmp_path / "x.gif")]) == 3
    assert capsys.readouterr().err == (
        f"There is no folder {NAME}, and no model of that name from the hub is on this computer. "
        f"Add --download to fetch it from the hub, or write ./{NAME} for a folder.\n"
    )
    assert main(CHECK) == 2
    assert "Add --download" in capsys.readouterr().err
    assert tried == []
    assert served.fetched == []


@pytest.mark.parametrize("command", ["sculpt --out x.gif", "resculpt --render bust --out x.gif", "invert --render bust",
                                     "evaluate"])  # fmt: skip
def test_every_command_that_opens_a_model_offers_the_same(
    command: str, served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "--model", NAME, "--device", "cpu"]) == 3
    assert capsys.readouterr().err.endswith(
        f"Add --download to fetch it from the hub, or write ./{NAME} for a folder.\n"
    )
    assert served.fetched == []


def test_every_command_with_a_model_takes_what_may_be_done_to_have_it() -> None:
    parser = make_parser()
    commands = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction)).choices
    given = {name: {action.dest for action in each._actions} for name, each in commands.items()}
    opening = {name for name, options in given.items() if "model" in options}
    assert opening == {
        "sculpt", "resculpt", "invert", "check-model", "evaluate", "reproduce", "fork", "decide", "claims", "grid",
        "check-instrument",
    }  # fmt: skip
    for name in opening:
        assert given[name] >= {"model", "device", "download", "convert_pickles"}, name


def test_it_is_fetched_and_goes_on(served: Hub, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "x.png"
    told = ["sculpt", "--model", NAME, "--device", "cpu", "--sampler", "model", "--steps", "2", "--out", str(out)]
    assert main([*told, "--download"]) == 0
    assert out.exists()
    assert capsys.readouterr().err == ""  # no terminal
    fetched = len(served.fetched)
    served.refuse = (404, "RepoNotFound")
    assert main([*told, "--download"]) == 0  # all of it is here: nobody is asked
    assert main(told) == 0
    assert main(CHECK) == 0
    assert len(served.fetched) == fetched


def test_nobody_is_asked_about_what_is_here(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Of all that a folder may make libraries do; a name of the hub is asked for, which shows that it is counted."""
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    folder = save(ddpm, tmp_path / "ddpm")
    tried = count_connections(monkeypatch)
    assert main(["check-model", str(folder), "--device", "cpu"]) == 0
    assert main(["check-model", str(folder), "--device", "cpu", "--download", "--convert-pickles"]) == 0
    (folder / "unet" / WEIGHTS).unlink()
    assert main(["check-model", str(folder), "--device", "cpu", "--download"]) == 1
    out = ["--steps", "2", "--device", "cpu", "--out", str(tmp_path / "x.png")]
    assert main(["sculpt", "--model", str(tiny_model), *out]) == 0
    assert hub.cached_names() == ()
    assert tried == []
    assert main(["check-model", NAME, "--download"]) == 2
    assert tried != []


def test_libraries_report_nothing_of_their_use() -> None:
    from diffusers.utils.hub_utils import http_user_agent
    from huggingface_hub import constants

    assert constants.HF_HUB_DISABLE_TELEMETRY
    assert "telemetry/off" in http_user_agent()


def test_ctrl_c_keeps_what_has_come(served: Hub, capsys: Any) -> None:
    served.breaks = [10**9, 10**9, 10**9, 8192]
    served.asked = lambda name: signal.raise_signal(signal.SIGINT) if name == WEIGHTS_FILE else None
    assert main([*CHECK, "--download"]) == 130
    assert f"what has come of {NAME} is kept" in capsys.readouterr().err
    served.asked = lambda _: None
    assert main(CHECK) == 2
    said, advice = f"Only a part of the model {NAME} is on this computer.", "Add --download to fetch the rest"
    assert capsys.readouterr().err == f"{said} {advice} from the hub.\n"
    served.sent.clear()
    assert main([*CHECK, "--download"]) == 0
    size = len(served.files[WEIGHTS_FILE])
    assert size - 8192 <= served.sent[0] < size


@pytest.mark.parametrize(
    ("refuse", "words"),
    [((404, "RepoNotFound"), "is not on the hub"), ((401, "GatedRepo"), "agreed to its terms"), ((418, "Tea"), "418")],
)
def test_what_the_hub_refuses(refuse: tuple[int, str], words: str, served: Hub, capsys: Any) -> None:
    served.refuse = refuse
    assert main([*CHECK, "--download"]) == 2
    assert words in capsys.readouterr().err


def test_programs_and_pickles(served: Hub, tmp_path: Path, capsys: Any) -> None:
    served.files["None.py"] = b""
    told = ["sculpt", "--model", NAME, "--out", str(tmp_path / "x.gif"), "--download"]
    assert main(told) == 3
    assert "has the program 'None.py' run" in capsys.readouterr().err


def test_offline(served: Hub, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main([*CHECK, "--download"]) == 2
    assert "HF_HUB_OFFLINE forbids" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert main([*CHECK, "--download"]) == 0
    (hub.find_cached(NAME) / WEIGHTS_FILE).unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    capsys.readouterr()
    assert main([*CHECK, "--download"]) == 1  # what is here says what it lacks
    assert f"{WEIGHTS} is missing" in capsys.readouterr().out
