"""The table of all pipeline classes of the installed diffusers: watched, run without a guess, or refused and why.

    python -m tests.benchmarks.bench_walk [--only PATTERN]

For each class a tiny model is made, saved, inspected as `check-model` does, opened, and run in three steps, watched and
bare. What is refused by its class alone is not built: both doors refuse it before anything is opened. A line that says
"fault" is one: the verdict and the run disagree, or a run fails, or differs from the bare one. "not tried" are classes
for which no tiny model is made here.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.loader import build, check_suitable
from sculptor_app.diffusion.models.verdict import Unfit
from sculptor_app.diffusion.pipelines.suitability import obstacle_of_class
from sculptor_app.diffusion.sampling.trial import rehearse
from tests.helpers import walk, walk_models

TRIAL_BYTES = 1 << 30


def main() -> None:
    """Print a line for each class, then the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a pattern of the classes' names")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    failed: list[str] = []
    with walk.quiet_libraries():
        for name, kind in walk_models.pipeline_classes().items():
            if re.search(options.only, name):
                ending, group = _ending(kind, failed)
                counts[group] += 1
                print(f"{name:48} {ending.answer:9} {ending.why}", flush=True)
    print()
    for group, count in counts.most_common():
        print(f"{count:4} {group}")
    print(f"{len(failed):4} of them with a tiny model that is too small for its trial: {', '.join(failed) or 'none'}")


def _ending(kind: Any, failed: list[str]) -> tuple[walk.Ending, str]:
    """What becomes of a class, and the group that it is counted in; the name goes to `failed` if its trial does."""
    obstacle = obstacle_of_class(kind)
    if obstacle is not None:
        return walk.Ending("refused", obstacle.message), f"refused ({obstacle.cause})"
    try:
        pipeline = walk_models.build_tiny(kind)
    except walk_models.NoTinyModel as reason:
        return walk.Ending("not tried", str(reason)), "not tried"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        walk.write_pictures(folder)
        pipeline.save_pretrained(folder / "model")
        verdict = inspect_folder(folder / "model")
        if not verdict.fit:
            return walk.Ending("fault", str(verdict.refusals[0])), "fault"
        try:
            built = build(verdict, "float32")
            check_suitable(built)
        except Unfit as unfit:
            return walk.Ending("fault", str(unfit.finding)), "fault"
        try:
            rehearse(built, TRIAL_BYTES)
        except TypeError:  # of this program's own calls, too
            raise
        except Exception as error:  # a tiny model may want more than a real one, as a size of its own
            failed.append(kind.__name__)
            print(f"{kind.__name__:48} its trial failed ({type(error).__name__}: {error})", flush=True)
        try:
            ending = walk.run(pipeline, folder)
        except Exception as error:  # whatever a pipeline of 300 raises is what is looked for
            ending = walk.Ending("fault", f"{type(error).__name__}: {error}")
    if ending.answer not in ("fault", verdict.answer):
        ending = walk.Ending("fault", f"the files say {verdict.answer}, the run is {ending.answer}: {ending.why}")
    return ending, ending.answer


if __name__ == "__main__":
    main()
