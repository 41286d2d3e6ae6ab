"""What holds for every test: no window on screen, folders of its own, and nothing left running behind it."""

import contextlib
import ctypes
import functools
import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before Qt, numpy or torch is imported: they read these once.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("SCULPTOR_TEST_PLATFORM", "offscreen")
_displays = os.environ.get("SCULPTOR_TEST_DISPLAYS", "").split()
if _displays:  # a screen for each of pytest-xdist's processes
    os.environ["DISPLAY"] = _displays[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % len(_displays)]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches for the network
# What numba compiles is kept from run to run: it takes ten seconds, and every test has a cache of its own.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "kernels"))
_SESSION_HOME = tempfile.TemporaryDirectory(prefix="sculptor-tests-")
for _name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
    os.environ[_name] = str(Path(_SESSION_HOME.name) / _name.lower())

import pytest  # noqa: E402
import tqdm  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from sculptor_app.identity import COMMAND  # noqa: E402
from tests.helpers import leaks  # noqa: E402
from tests.helpers.tiny_model import write_tiny_model  # noqa: E402

tqdm.tqdm.monitor_interval = 0  # its monitor thread lives as long as the process and would look like a leak

settings.register_profile(
    "sculptor",
    deadline=None,  # the machine may be busy
    max_examples=50,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("sculptor")


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread, a running QThread, an active QTimer or an open window behind."""
    before = leaks.snapshot()
    yield
    found = leaks.leftovers(before)
    if found:
        pytest.fail("This test left something running:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture(autouse=True)
def own_folders(
    nothing_left_running: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give the test a home of its own: settings, caches, logs and menu entries never meet a person's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    _point_settings_at(home / "config")
    return home


@pytest.fixture
def closed_folder(own_folders: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may enter, this thread as root neither: a foreign home, or a mount that was lost."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0)
    with without_rights_of_root():
        if _can_enter(folder):
            pytest.skip("this system lets everybody in")
        yield folder
    folder.chmod(0o700)


def _can_enter(folder: Path) -> bool:
    try:
        (folder / "x").exists()
    except PermissionError:
        return False
    return True


@contextlib.contextmanager
def without_rights_of_root() -> Iterator[None]:
    """Permissions hold for this thread, too, where it is root's (Linux: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    rights = (ctypes.c_uint32 * 6)()  # twice: effective, permitted, inheritable
    libc.capget(header, rights)
    effective = rights[0]
    rights[0] = effective & ~0b110
    libc.capset(header, rights)
    try:
        yield
    finally:
        rights[0] = effective
        libc.capset(header, rights)


@pytest.fixture(scope="session")
def trials_of_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which models have passed the sandbox: a trial takes seconds, and many tests open one model."""
    return tmp_path_factory.mktemp("trials")


@pytest.fixture
def tried_once(own_folders: Path, trials_of_models: Path) -> None:
    """Tries a model in the sandbox once for many tests, like a person's second opening; not for the sandbox's own."""
    folder = own_folders / "cache" / COMMAND
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models"
    if models.is_dir() and not models.is_symlink():  # of `tiny_model_has_passed`, whichever comes first
        shutil.copytree(models, trials_of_models, dirs_exist_ok=True)
        shutil.rmtree(models)
    models.symlink_to(trials_of_models, target_is_directory=True)


@pytest.fixture
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models need no trial in the sandbox: it takes five seconds, and the test is about something else."""
    from sculptor_app.diffusion.models import sandbox

    monkeypatch.setattr(sandbox, "_load", lambda *_: [])


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that measure are forked from one that has imported torch: their own start takes five seconds."""
    from sculptor_app.diffusion.studies import processes
    from tests.helpers import unlucky_workers

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sculptor_app.diffusion.studies.decisions", "tests.helpers.unlucky_workers"])
    monkeypatch.setattr(processes.multiprocessing, "get_context", lambda _: context)
    monkeypatch.setattr(processes, "_begin", functools.partial(unlucky_workers.begin, unlucky_workers.Surroundings()))


@pytest.fixture(scope="session")
def trial_of_tiny_model(tiny_model: Path) -> str:
    """Name of the file that says that the tiny model has passed the sandbox."""
    from sculptor_app.diffusion.models import loader, sandbox

    passed = sandbox._remembered(loader.inspect_model(tiny_model), "float32")
    assert passed is not None
    return passed.name


@pytest.fixture(autouse=True)
def tiny_model_has_passed(own_folders: Path, request: pytest.FixtureRequest) -> None:
    """The tiny model needs no trial: that takes seconds, and whoever uses it is about something else."""
    if "tried_once" in request.fixturenames:
        request.getfixturevalue("tried_once")  # it makes the folder, as a link
    if "tiny_model" in request.fixturenames:
        passed = own_folders / "cache" / COMMAND / "models" / request.getfixturevalue("trial_of_tiny_model")
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.write_text('{"notes": []}', encoding="utf-8")


def _point_settings_at(folder: Path) -> None:
    try:
        from PySide6.QtCore import QSettings
    except ImportError:  # the core is tested without Qt, too
        return
    for form in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        for scope in (QSettings.Scope.UserScope, QSettings.Scope.SystemScope):
            QSettings.setPath(form, scope, str(folder))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a complete model with random weights: 16×16 pixels, all forms and materials, milliseconds a step."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


SLOW_FOLDERS = ("atelier", "commands", "diffusion/latents", "diffusion/sampling", "diffusion/studies", "training")
SLOW_MODULES = (
    "diffusion/models/hub/test_download.py", "diffusion/models/test_loader.py", "diffusion/models/test_sandbox.py",
    "diffusion/observe/test_guidance.py", "diffusion/observe/test_stages.py", "exports/gif/test_gif.py",
    "measures/test_pictures.py", "measures/test_twin.py", "session/test_runner.py", "test_imports.py", "test_leaks.py",
    "test_packaging.py", "test_setup.py", "ui/drown/test_page.py", "ui/learn/test_page.py",
    "ui/plots/test_known_answer.py", "ui/widgets/test_filmstrip.py",
)  # fmt: skip
"""What takes seconds: whole runs, training, subprocesses, journeys through the window (every test_journey_*.py)."""


def _is_slow(path: Path) -> bool:
    place = path.relative_to(Path(__file__).parent).as_posix()
    return (
        path.name.startswith("test_journey_")
        or place in SLOW_MODULES
        or any(place.startswith(f"{folder}/") for folder in SLOW_FOLDERS)
    )


def _is_journey(item: pytest.Item) -> bool:
    place = item.path.relative_to(Path(__file__).parent).as_posix()
    named = any(word in f"{item.path.name} {item.name}" for word in ("journey", "window"))
    return (place.startswith("ui/") and named) or item.get_closest_marker("window") is not None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even import what is slow where it is not wanted: importing torch and models takes its time, too."""
    unwanted = collection_path.suffix == ".py" and "not slow" in config.option.markexpr
    return True if unwanted and collection_path.name.startswith("test_") and _is_slow(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine has not got, and say so."""
    for item in items:
        if _is_slow(item.path):
            item.add_marker(pytest.mark.slow)
        if _is_journey(item):
            item.add_marker(pytest.mark.journey)
        if item.get_closest_marker("soak") and "soak" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="takes minutes: -m soak"))
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if item.get_closest_marker("window") and os.environ["QT_QPA_PLATFORM"] == "offscreen":
            item.add_marker(pytest.mark.skip(reason="needs a real window system: SCULPTOR_TEST_PLATFORM=xcb"))


def pytest_collection_finish() -> None:
    """Take what all tests have imported out of garbage collection: to go through it takes half a second each time."""
    gc.collect()
    gc.freeze()


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
