"""Access to the engine from several threads, in a process where torch has not been imported yet."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BESIDE_EACH_OTHER = """
import gc, sys, threading, time
from pathlib import Path
from sculptor_app.session import engine
from sculptor_app.training.records.plan import PRESETS, TINY

opening = threading.Thread(target=lambda: engine.Sampling().make_engine(print))
opening.start()
while "diffusers" not in sys.modules:
    time.sleep(0.001)
engine.begin_training(Path("nowhere"), PRESETS[TINY])
opening.join()
print(gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 50_000)
"""


def test_training_can_begin_while_the_engine_is_imported_and_its_packages_are_not_searched_for_garbage() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_EACH_OTHER], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "True True\n"
