"""The process of a trial: loads a model once, under limits, and says in JSON how it went.

Started by `trial`, never by a person, with the arguments PATH VARIANT DTYPE BYTES SECONDS; VARIANT is empty for the
plain files.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import SculptorError
from sculptor_app.diffusion.models import sandbox_limits
from sculptor_app.diffusion.models.verdict import Unfit


def main(arguments: Sequence[str]) -> None:
    """Try it, and write the answer to where the standard output was."""
    path, variant, dtype, memory_bytes, seconds = arguments
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print is no answer
    sandbox_limits.end_with(sys.stdin.buffer)
    json.dump({"refused": _tried(Path(path), variant or None, dtype, int(memory_bytes), int(seconds))}, answer)
    answer.flush()
    os._exit(0)  # nothing that was loaded has a say in how it ends


def _tried(path: Path, variant: str | None, dtype: str, memory_bytes: int, seconds: int) -> list[list[str]]:
    """What speaks against the model: pairs of what was found and why it matters."""
    import torch

    from sculptor_app.diffusion.models.loader import build, judge
    from sculptor_app.diffusion.pipelines.faults import is_out_of_memory

    torch.set_num_threads(1)
    verdict = judge(path, variant)  # imports the classes that the model names
    if not verdict.fit:
        return [[each.what, each.why_it_matters] for each in verdict.refusals]
    sandbox_limits.limit_resources(memory_bytes, seconds)
    sandbox_limits.forbid(Path(tempfile.gettempdir()))
    try:
        build(verdict, dtype)
    except Unfit as unfit:
        return [[unfit.finding.what, unfit.finding.why_it_matters]]
    except SculptorError as error:
        return [[error.what, error.what_to_do]]
    except (Exception, MemoryError) as error:
        return [_surprise(error, is_out_of_memory(error), memory_bytes)]
    return []


def _surprise(error: BaseException, memory: bool, memory_bytes: int) -> list[Any]:
    if memory:
        what = f"Building the model takes more than {memory_bytes / 2**30:.1f} GiB, far more than its weights."
        return [what, "Its settings ask for something huge; it would end the program."]
    return [f"Building the model failed ({type(error).__name__}: {str(error)[:200]}).", "Copy it again."]


if __name__ == "__main__":
    main(sys.argv[1:])
