"""The records need numpy alone: a window is built on them before torch is there."""

import subprocess
import sys

import pytest

RECORDS = ("errors", "events", "level", "phases", "request", "step", "trajectory")


@pytest.mark.parametrize("module", RECORDS)
def test_records_import_without_torch_and_qt(module: str) -> None:
    program = (
        f"import sys, sculptor_app.diffusion.{module}; "
        "print(sorted({'torch', 'diffusers', 'greenlet', 'PySide6', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_engine_needs_no_qt() -> None:
    program = "import sys, sculptor_app.diffusion.engine; print(sorted({'PySide6', 'pyqtgraph'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
