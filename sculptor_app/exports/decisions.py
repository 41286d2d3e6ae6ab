"""The file of what is decided by which step of a run: JSON, written as results come, and gone on with."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.files import OptionError, replacing
from sculptor_app.exports.settings import told_request
from sculptor_app.measures.likeness import PIXELS, Decision
from sculptor_app.measures.spectrum import BANDS

FORMAT = "sculptor decisions"
FORKS, U_TURN = "forks", "u-turn"
"""What was measured of a run: what its forks share, or what U-turns keep of its picture."""
LARGEST = 2.0
"""No likeness, -1 to 1, and no error of one is as large."""


@dataclass(frozen=True, slots=True)
class DecisionSet:
    """Results of one kind, and of what they are."""

    request: RunRequest  # of the first run; the others differ from it in their seeds
    forks: int  # how many there were at each step
    decisions: Sequence[Decision]
    u_turn: bool = False  # whether they tell what U-turns keep; else what forks share
    beginning: str = ""  # how the run began, where not with the noise of its seed: a fork, or one out of a picture


def write_decisions(path: Path, found: DecisionSet, disclosure: Disclosure = Disclosure.NAMES) -> None:
    """Write all results, in place of the file that is there.

    Args:
        disclosure: what is told of prompt and paths.
    """
    in_order = sorted(found.decisions, key=lambda each: (each.seed, each.step))
    facts = _facts(found.request, found.forks, found.u_turn, disclosure)
    facts |= {"beginning": found.beginning} if found.beginning else {}
    content = facts | {"results": [_as_dict(each) for each in in_order]}
    with replacing(path) as file:
        file.write(json.dumps(content, indent=1, allow_nan=False).encode())


def read_decisions(path: Path, request: RunRequest, forks: int, u_turn: bool = False) -> list[Decision]:
    """What was measured before with the same settings, whatever the seeds; nothing where there is no file.

    Results of other devices and other sizes of batches go together: they differ in rounding alone. Each that was
    made in batches says in which, under "batch".

    Raises:
        OptionError: The file holds something else, or results of other settings.
    """
    if not path.exists():
        return []
    something_else = OptionError(
        translate("errors", "{0} holds something else.").format(path),
        translate("errors", "Choose another name, or remove it."),
    )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise something_else
        every = [_from_dict(each) for each in content["results"]]
        found = {(each.seed, each.step): each for each in every if 0 <= each.step < request.steps}
        own = content["request"]
        told = _facts(request, forks, u_turn, Disclosure(content.get("disclosure", Disclosure.NAMES)))
        differing = [name for name, value in told["request"].items()
                     if name != "seed" and own.get(name) != json.loads(json.dumps(value))]  # fmt: skip
        if content.get("beginning"):
            differing.append(str(content["beginning"]))
        if content.get("measured", FORKS) != told["measured"]:
            differing.append(translate("errors", "forks or U-turns"))
        if content["forks"] != forks:
            differing.append(translate("errors", "number of forks"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise something_else from error
    if differing:
        raise OptionError(
            translate("errors", "{0} is of other settings: {1}.").format(path, ", ".join(differing)),
            translate("errors", "Choose another name, or the same settings."),
        )
    return list(found.values())


def _facts(request: RunRequest, forks: int, u_turn: bool, disclosure: Disclosure) -> dict[str, Any]:
    told = {**told_request(request, "", disclosure), "device": None}
    measured = U_TURN if u_turn else FORKS
    return {
        "format": FORMAT, "measured": measured, "request": told, "forks": forks, "disclosure": disclosure.value,
    }  # fmt: skip


def _as_dict(decision: Decision) -> dict[str, Any]:
    likeness = {name: _number(value) for name, value in decision.likeness.items()}
    bands = {band.name: likeness[band.name] for band in BANDS if band.name in likeness}
    told: dict[str, Any] = {"seed": decision.seed, "step": decision.step, "bands": bands, PIXELS: likeness.get(PIXELS)}
    for kind, labels in decision.labels.items():
        told[kind] = {"shared": likeness[kind], "read": list(labels)}
    told["errors"] = {name: _number(value) for name, value in decision.errors.items()}
    return told | ({"batch": decision.batch} if decision.batch != 1 else {})


def _from_dict(told: dict[str, Any]) -> Decision:
    likeness = {band.name: told["bands"].get(band.name) for band in BANDS} | {PIXELS: told[PIXELS]}
    kinds = {name: value for name, value in told.items() if isinstance(value, dict) and "read" in value}
    likeness |= {kind: value["shared"] for kind, value in kinds.items()}
    errors = told.get("errors") or {}
    if not isinstance(told["seed"], int) or not isinstance(told["step"], int):
        raise ValueError("seed and step are whole numbers")
    batch = told.get("batch", 1)
    if type(batch) is not int or batch < 1:
        raise ValueError(f"{batch!r} is no number of pictures")
    return Decision(
        told["seed"],
        told["step"],
        {name: _float(value) for name, value in likeness.items()},
        {name: _float(errors.get(name)) for name in likeness},
        {kind: [str(each) for each in value["read"]] for kind, value in kinds.items()},
        batch,
    )


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _float(value: float | None) -> float:
    if value is not None and not -LARGEST <= value <= LARGEST:  # nor NaN
        raise ValueError(f"{value} is no likeness")
    return math.nan if value is None else float(value)
