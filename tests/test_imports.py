"""What an import brings along, in a fresh process: the core knows no Qt, and no window waits for torch."""

import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import sculptor_app

ROOT = Path(__file__).parent.parent
TORCH = ("torch", "diffusers", "accelerate", "safetensors", "peft", "numba")
QT = ("PySide6", "shiboken6", "pyqtgraph")


def modules_below(package: str) -> list[str]:
    folder = Path(sculptor_app.__file__).parent.joinpath(*package.split(".")[1:])
    return [package, *(found.name for found in pkgutil.walk_packages([str(folder)], f"{package}."))]


def brought_along(modules: list[str], unwanted: tuple[str, ...]) -> list[str]:
    """The unwanted packages that are loaded after `modules` were imported, and by which of them first."""
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = [bad for bad in {unwanted!r} if bad in sys.modules]\n"
        "    if loaded:\n"
        "        print(name, 'brings', *loaded)\n"
        "        break\n"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_the_check_finds_what_it_looks_for():
    assert brought_along(["sculptor_app", "json", "decimal"], ("decimal",)) == ["decimal brings decimal"]


@pytest.mark.parametrize("package", ["sculptor_app.core", "sculptor_app.measures", "sculptor_app.exports"])
def test_records_numbers_and_files_need_neither_qt_nor_torch(package):
    assert brought_along(modules_below(package), QT + TORCH) == []


@pytest.mark.parametrize("package", ["sculptor_app.core.requests", "sculptor_app.core.trajectory"])
def test_records_of_runs_need_no_pictures_library_and_no_coroutines(package):
    assert brought_along(modules_below(package), ("PIL", "greenlet")) == []


def test_what_computes_needs_no_qt():
    packages = ("sculptor_app.diffusion", "sculptor_app.training", "sculptor_app.atelier")
    modules = [module for package in packages for module in modules_below(package)]
    if find_spec("numba") is None:  # not every processor has it
        modules = [module for module in modules if not module.startswith("sculptor_app.atelier.kernel")]
    assert brought_along(modules, QT) == []


def test_nothing_is_compiled_before_something_is_rendered():
    modules = [module for module in modules_below("sculptor_app.atelier") if "kernel" not in module]
    assert brought_along([*modules, "sculptor_app.training.loop.live"], ("numba",)) == []


def test_the_session_knows_no_widgets_and_no_torch():
    unwanted = ("PySide6.QtWidgets", "PySide6.QtGui", "pyqtgraph", *TORCH)
    assert brought_along(modules_below("sculptor_app.session"), unwanted) == []


def test_the_interface_waits_for_no_torch():
    assert brought_along(modules_below("sculptor_app.ui"), TORCH) == []


def test_asking_the_command_line_needs_neither():
    assert brought_along(["sculptor_app.cli", "sculptor_app.commands.menu", "sculptor_app.logs"], QT + TORCH) == []


def test_the_window_waits_for_no_work_of_the_command_line():
    """The whole parser is made before the window: what only a command's work needs is imported with the work."""
    commands = [f"sculptor_app.commands.{name}" for name in ("train", "evaluate", "atelier", "window")]
    assert brought_along(["sculptor_app.cli", *commands], ("numpy", "PIL", "tqdm", "subprocess", "hashlib")) == []


def test_the_window_is_painted_before_torch_is_imported():
    program = (
        "import sys\n"
        "from sculptor_app.ui.shell import main_window\n"
        "class Window(main_window.MainWindow):\n"
        "    def complete(self):\n"  # called once it has been painted
        "        print('painted', [name for name in ('torch', 'diffusers', 'numba') if name in sys.modules])\n"
        "        self.complete = super().complete\n"  # prepare() asks for it once more
        "        self.complete()\n"
        "        self.close()\n"
        "main_window.MainWindow = Window\n"
        "from sculptor_app.ui.shell.app import main\n"
        "sys.exit(main())\n"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == ["painted []"]
