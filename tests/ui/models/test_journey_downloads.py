"""Models of the hub in the real window: offered with their size, fetched beside a run, broken off, gone on with."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sculptor_app.core.errors import Cancelled
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.verdict import Verdict
from sculptor_app.ui.models.dialogs import HubDialog
from tests.helpers.diffusers_models import WEIGHTS, ddpm, save
from tests.helpers.small_hub import NAME, Hub, count_connections, files_of, make_usual, serving
from tests.helpers.window import RUN_MS, Driver

WEIGHTS_FILE = f"unet/{WEIGHTS}"


@pytest.fixture(scope="module")
def ddpm_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(save(ddpm, tmp_path_factory.mktemp("models") / "ddpm"))


@pytest.fixture
def served(ddpm_files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub

    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())  # as if it had passed before
    with serving(dict(ddpm_files)) as small_hub:
        make_usual(small_hub, tmp_path / "cache", monkeypatch)
        yield small_hub
    huggingface_hub.close_session()


@pytest.fixture
def ready(served: Hub, open_window: Callable[..., Driver]) -> Driver:
    """A window that is closed before the hub is."""
    driver = open_window()
    driver.prepare()
    return driver


def bar(driver: Driver):
    return driver.window.panels.download_bar


def offer(driver: Driver) -> None:
    """Ask for the model, and wait for what is offered."""
    models = driver.window.bench.models
    with driver.qtbot.waitSignal(models.downloads.download.offered, timeout=RUN_MS):
        models.open(NAME)


def click(driver: Driver, text: str) -> None:
    button = next(each for each in bar(driver).buttons if each.isVisible() and each.text() == text)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_for_half(driver: Driver, served: Hub) -> None:
    """Fetch until the weights have begun, and no further."""
    served.pause_after = 8192
    served.pause.clear()
    click(driver, "Download")
    whole = sum(len(content) for content in served.files.values())
    least = whole - len(served.files[WEIGHTS_FILE]) + 1
    downloads = driver.window.bench.models.downloads
    driver.qtbot.waitUntil(lambda: downloads._done >= least, timeout=RUN_MS)


def test_a_model_is_offered_fetched_and_opened(ready: Driver, served: Hub) -> None:
    models = ready.window.bench.models
    offer(ready)
    assert bar(ready).text.text().startswith(f"{NAME}: 9")
    assert "kB in 4 files" in bar(ready).text.text()
    assert not bar(ready).progress.isVisible()
    wait_for_half(ready, served)
    assert bar(ready).progress.maximum() > bar(ready).progress.value() > 0
    assert "kB of 9" in bar(ready).detail.text()
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        served.pause.set()
    assert not bar(ready).isVisible()
    assert not ready.window.panels.opening_bar.isVisible()
    assert ready.window.panels.controls.model_name.text() == NAME
    assert models.recent()[0] == NAME
    ready.run(3)
    assert ready.session.trajectory.info.model_name == NAME


def test_a_download_is_stopped_in_the_middle_and_gone_on_with(ready: Driver, served: Hub) -> None:
    models = ready.window.bench.models
    offer(ready)
    wait_for_half(ready, served)
    with ready.qtbot.waitSignal(models.downloads.download.stopped, timeout=RUN_MS):
        click(ready, "Stop")
        served.pause.set()
    assert not bar(ready).isVisible()
    assert "was stopped; " in ready.window.panels.messages.message
    assert ready.window.panels.controls.model_name.text() != NAME
    served.sent.clear()
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        ready.window.panels.messages._action.click()  # "Go on": what was agreed to is not asked again
    assert served.sent[-1] < len(served.files[WEIGHTS_FILE])


def test_carving_goes_on_beside_a_download(ready: Driver, served: Hub) -> None:
    ready.start_long_run()
    offer(ready)
    downloads = ready.window.bench.models.downloads
    with ready.qtbot.waitSignal(downloads.download.fetched, timeout=RUN_MS):
        click(ready, "Download")
    assert f"{NAME} is here now." in ready.window.panels.messages.message
    last = ready.session.last
    ready.wait_for_step(last + 2)  # it was not stopped
    with ready.qtbot.waitSignal(ready.window.bench.models.opening.opened, timeout=RUN_MS):
        ready.window.panels.messages._action.click()
    assert ready.window.panels.controls.model_name.text() == NAME


def test_no_download_after_all(ready: Driver, served: Hub) -> None:
    offer(ready)
    click(ready, "Cancel")
    assert not bar(ready).isVisible()
    assert served.fetched == ["model_index.json"]
    ready.run(3)
    assert ready.session.trajectory.is_complete


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda served: served.files.update({"None.py": b""}), "has the program 'None.py' run"),
        (lambda served: setattr(served, "refuse", (404, "RepoNotFound")), "is not on the hub"),
        (lambda served: setattr(served, "refuse", (401, "GatedRepo")), "agreed to its terms"),
    ],
)
def test_what_the_hub_does_not_give_is_one_sentence(
    change: Callable[[Hub], object], words: str, ready: Driver, served: Hub
) -> None:
    change(served)
    models = ready.window.bench.models
    with ready.qtbot.waitSignal(models.downloads.download.failed, timeout=RUN_MS):
        models.open(NAME)
    assert words in ready.window.panels.messages.message
    assert not ready.window.panels.messages._action.isVisible()  # it would not help to try again
    assert not bar(ready).isVisible()


def test_a_connection_that_breaks_is_one_sentence_and_can_be_tried_again(ready: Driver, served: Hub) -> None:
    models = ready.window.bench.models
    offer(ready)
    served.breaks = [10**9, 10**9, 8192, 0]
    with ready.qtbot.waitSignal(models.downloads.download.failed, timeout=RUN_MS):
        click(ready, "Download")
    assert "connection to it broke off" in ready.window.panels.messages.message
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        ready.window.panels.messages._action.click()


def test_a_model_that_is_here_in_part_is_offered_after_it_was_refused(ready: Driver, served: Hub) -> None:
    models = ready.window.bench.models
    offer(ready)
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        click(ready, "Download")
    models.unload()  # else it would be opened from memory
    ready.qtbot.waitUntil(lambda: ready.runner.engine.device is None, timeout=RUN_MS)
    (cache.find_cached(NAME) / WEIGHTS_FILE).resolve().unlink()
    asked = len(served.asked_for)
    models.open(NAME)
    ready.qtbot.waitUntil(lambda: "is missing" in ready.window.panels.messages.message, timeout=RUN_MS)
    assert f"{WEIGHTS} is missing" in ready.window.panels.messages.message
    assert bar(ready).text.text() == f"{NAME} may be here in part only."
    assert len(served.asked_for) == asked  # not before a person agrees
    with ready.qtbot.waitSignal(models.downloads.download.offered, timeout=RUN_MS):
        click(ready, "Ask the hub")
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        click(ready, "Download")


def test_a_model_that_is_named_at_the_start_is_offered(open_window: Callable[..., Driver], served: Hub) -> None:
    driver = open_window(model=NAME)
    driver.window.complete()
    driver.prepare()
    driver.qtbot.waitUntil(bar(driver).isVisible, timeout=RUN_MS)
    assert bar(driver).text.text() == f"{NAME} is not on this computer."
    assert served.asked_for == []
    with driver.qtbot.waitSignal(driver.window.bench.models.downloads.download.offered, timeout=RUN_MS):
        click(driver, "Ask the hub")
    assert served.asked_for != []
    assert not driver.window.panels.messages.message


def test_the_dialog_knows_what_is_here_and_judges_names(
    ready: Driver, served: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ready.window.bench.models
    offer(ready)
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        click(ready, "Download")
    models.ask_name()
    dialog = next(child for child in ready.window.children() if isinstance(child, HubDialog))
    said = {}
    pasted = f"https://huggingface.co/{NAME}/tree/main", "https://huggingface.co/datasets/some/body"
    for name in ("", "nonsense", "some/body", NAME, *pasted):
        dialog.name.setEditText(name)
        said[name] = (dialog.accepting.isEnabled(), dialog.accepting.text(), dialog.state.text())
    assert [enabled for enabled, _, _ in said.values()] == [False, False, True, True, True, False]
    assert said[pasted[0]] == said[NAME]
    assert "is no address of a model on the hub" in said[pasted[1]][2]
    dialog.name.setEditText(f"  {pasted[0]} ")
    assert said["nonsense"][2].startswith("A name has the form owner/name")
    assert said["some/body"][1:] == (
        "Ask the hub",
        "It is not on this computer. The hub is asked how large it is before anything is downloaded.",
    )
    assert said[NAME][1:] == ("Open", "It is on this computer and opens without a network.")
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        dialog.accept()
    (cache.find_cached(NAME) / WEIGHTS_FILE).unlink()
    models.ask_name()
    dialog = next(child for child in ready.window.findChildren(HubDialog) if child.isVisible())
    dialog.name.setEditText(NAME)
    part = "Only a part of it is on this computer"
    assert dialog.state.text() == f"{part}. The hub is asked for the rest when you agree."
    assert dialog.accepting.text() == "Open"
    dialog.close()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    offline = HubDialog(ready.window)
    offline.name.setEditText("some/body")
    assert not offline.accepting.isEnabled()
    assert "not asked while the environment variable HF_HUB_OFFLINE is set" in offline.state.text()
    offline.name.setEditText(NAME)
    assert offline.state.text().startswith(f"{part}, and Sculptor works offline: the hub is not asked")
    (cache.find_cached(NAME).parents[1] / "refs" / "main").unlink()
    models._open_recent(NAME)
    assert bar(ready).text.text() == f"{NAME} may be here in part only."
    offline.close()


def test_a_disk_that_is_too_small_and_a_part_of_it_that_is_here(ready: Driver, served: Hub) -> None:
    downloads = ready.window.bench.models.downloads
    offer(ready)
    small = replace(downloads._offer, missing_bytes=10**20)
    downloads.download.offered.emit(small)
    assert "Free some space" in ready.window.panels.messages.message
    assert not bar(ready).isVisible()
    downloads.download.offered.emit(replace(small, missing_bytes=50_000))
    assert "50 kB of it not here yet" in bar(ready).text.text()


def test_offline_is_one_sentence(ready: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    models = ready.window.bench.models
    with ready.qtbot.waitSignal(models.downloads.download.failed, timeout=RUN_MS):
        models.open("nobody/nothing")
    assert "HF_HUB_OFFLINE forbids" in ready.window.panels.messages.message


def test_opening_says_what_is_done_and_can_be_stopped(
    ready: Driver, tmp_path: Path, ddpm_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ddpm"

    def wait_until_stopped(verdict: Verdict, dtype: str, stop: threading.Event) -> tuple[()]:
        if verdict.path == folder.resolve():  # the tiny model has passed
            assert stop.wait(RUN_MS / 1000)
            raise Cancelled
        return ()

    monkeypatch.setattr(loader, "check_in_sandbox", wait_until_stopped)
    for name, content in ddpm_files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    window, models = ready.window, ready.window.bench.models
    opening_bar = window.panels.opening_bar
    models.open(str(folder))
    assert opening_bar.isVisible()
    wanted = f"Opening {folder}: trying it in a separate process"
    ready.qtbot.waitUntil(lambda: opening_bar.text.text() == wanted, timeout=RUN_MS)
    with ready.qtbot.waitSignal(models.opening.cancelled, timeout=RUN_MS):
        QTest.mouseClick(opening_bar.buttons[0], Qt.MouseButton.LeftButton)
    assert not opening_bar.isVisible()
    assert window.panels.messages.message == (
        f"Opening {folder} was stopped. Nothing is loaded now; the next run loads tiny again."
    )
    assert ready.runner.engine.device is None
    ready.run(3)
    assert ready.session.trajectory.is_complete
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())
    said: list[str] = []
    models.opening.loading.connect(lambda _: said.append(opening_bar.text.text()))
    with ready.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        models.open(str(folder))
    assert f"Opening {folder}: reading unet (2 of 2)" in said
    assert not opening_bar.isVisible()
    assert not window.panels.messages.message


def test_no_connection_is_made_before_a_person_agrees(
    open_window: Callable[..., Driver], tmp_path: Path, ddpm_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at the start, nor for a folder, nor while a name is typed, nor for a recent model that is gone."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name, content in ddpm_files.items():
        (tmp_path / "ddpm" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ddpm" / name).write_bytes(content)
    tried = count_connections(monkeypatch)
    driver = open_window()
    driver.prepare()
    models = driver.window.bench.models
    with driver.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        models.open(str(tmp_path / "ddpm"))
    models.ask_name()
    dialog = next(child for child in driver.window.children() if isinstance(child, HubDialog))
    for end in range(1, len(NAME) + 1):
        dialog.name.setEditText(NAME[:end])
    dialog.close()
    models._open_recent(NAME)
    assert bar(driver).text.text() == f"{NAME} is not on this computer."
    assert tried == []
    with driver.qtbot.waitSignal(models.downloads.download.failed, timeout=RUN_MS):
        click(driver, "Ask the hub")
    assert tried != []
