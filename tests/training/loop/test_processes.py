"""Several processes of one run: they agree on what happens next, and a failure of one ends all."""

import json
import subprocess
import sys

import pytest

from tests.training.loop.test_cycle import ROOT, two_processes

PROGRAM = """
import json, torch
from sculptor_app.training.errors import BadInput
from sculptor_app.training.loop.processes import agreed, gathered, largest, new_accelerator, on_first

accelerator = new_accelerator("no")
rank = accelerator.process_index
told = {"largest": largest(accelerator, rank + 1, -rank), "did": []}
told["gathered"] = [tensor.tolist() for tensor in gathered(accelerator, torch.tensor([rank, 7]))]
on_first(accelerator, lambda: told["did"].append("on first"))
agreed(accelerator, lambda: told["did"].append("together"))


def fail():
    raise BadInput("The second fails.")


try:
    agreed(accelerator, fail if rank == 1 else lambda: None)
except Exception as error:
    told["end"] = [type(error).__name__, error.everywhere]
print(json.dumps(told))
accelerator.end_training()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gloo is bound to a POSIX interface here")
def test_two_processes_agree():
    children = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        for environment in two_processes()
    ]
    first, second = (json.loads(child.communicate()[0].splitlines()[-1]) for child in children)
    assert first["largest"] == second["largest"] == [2, 0]
    assert first["gathered"] == second["gathered"] == [[0, 7], [1, 7]]
    assert (first["did"], second["did"]) == (["on first", "together"], ["together"])
    assert first["end"] == ["OtherProcessFailed", True]
    assert second["end"] == ["BadInput", False]  # it alone can say why
