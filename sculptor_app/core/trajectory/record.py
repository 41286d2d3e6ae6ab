"""The record of a run as plain values that JSON takes, and back from values that nobody vouches for.

Numbers that are not finite have no place in JSON: a level that is not known is null, as is a timestep that there is
none of, and a scheduler's setting is written as {"$float": "-inf"}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import Parting, RunRequest
from sculptor_app.core.requests.samplers import draws_noise
from sculptor_app.core.texts import from_plain, harmless, to_plain
from sculptor_app.core.trajectory.base import AnyTrajectory, Fork, RunInfo
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.levels import UNKNOWN, NoiseLevel
from sculptor_app.core.trajectory.step import StepSummary

MOST_STATES = 20_000
"""States of a run that are read; the samplers call their schedulers some 4,000 times at most."""
_MOST_LETTERS = 100_000
_MOST_CHANNELS = 1_024
"""Of latents that a map is read for."""
_MOST_NUMBER = 1e30
"""Of any number: what is computed from one within it stays a number, in float32, too."""
_LEAST_FACTOR = 1e-75
"""Of a level's factors that are not 0: the square of the other one divided by it is a number."""
_FLOAT = "$float"
_NOT_KEPT = "_name_or_path"
"""Where a scheduler's settings lay on the disk, which diffusers keeps among them."""
_TEXTS = (
    "model_name", "device_name", "sampler_name", "space", "conditions", "created", "app_version",
    "weights_hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything of a run but its frames."""

    info: RunInfo
    levels: tuple[NoiseLevel, ...]  # of all planned states
    steps: tuple[StepSummary, ...]  # those that were taken
    ended: str

    @classmethod
    def of(cls, trajectory: AnyTrajectory, info: RunInfo | None = None) -> RunRecord:
        """That of a run as far as it has come.

        Args:
            info: What is told in place of the run's own.
        """
        last = trajectory.last
        steps = tuple(trajectory.step(k) for k in range(1, last + 1))
        return cls(info or trajectory.info, trajectory.levels, steps, trajectory.ended)

    def plain(self) -> dict[str, Any]:
        """The values that `from_plain` reads."""
        return {
            "info": _plain_info(self.info),
            "levels": [plain_level(level) for level in self.levels],
            "steps": [plain_step(step) for step in self.steps],
            "ended": to_plain(self.ended),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RunRecord:
        """The record of values from a file.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: They are no record of a run.
            RequestError: Its settings are none that this version knows.
        """
        levels = tuple(_level(each) for each in _listed(plain["levels"], MOST_STATES))
        steps = tuple(_step(k, each) for k, each in enumerate(_listed(plain["steps"], MOST_STATES), start=1))
        if len(levels) < 2 or len(steps) >= len(levels):
            raise ValueError(f"it has {len(steps)} steps and {len(levels)} levels")
        return cls(_info(plain["info"]), levels, steps, from_plain(plain["ended"]))


def _plain_info(info: RunInfo) -> dict[str, Any]:
    return {
        "request": info.request.as_dict(),
        **{name: str(getattr(info, name)) for name in _TEXTS},
        "first_step": info.first_step,
        "origin": to_plain(info.origin),
        "note": to_plain(info.note),
        "forks": [_plain_fork(each) for each in info.forks],
        "decoder_factor": info.decoder_factor,
        "sampler_settings": _plain_settings(info.sampler_settings),
        "libraries": {str(name): str(version) for name, version in info.libraries.items()},
        "has_seed": info.has_seed,
        "latent_map": None if info.latent_map is None else _plain_map(info.latent_map),
    }


def _info(plain: Mapping[str, Any]) -> RunInfo:
    request, settings = _request(plain["request"]), _mapped(_settings(_mapped(plain["sampler_settings"])))
    return RunInfo(
        request=request,
        has_seed=plain.get("has_seed", True) is True,  # files of before it have one
        **{name: _text(plain[name]) for name in _TEXTS},
        first_step=_whole(plain["first_step"], 1, MOST_STATES),
        origin=from_plain(plain["origin"]),
        note=from_plain(plain["note"]),
        forks=_forks(_listed(plain["forks"], MOST_STATES), request, settings),
        decoder_factor=_whole(plain["decoder_factor"], 1, 4_096),
        sampler_settings=settings,
        libraries={_text(name): _text(version) for name, version in _mapped(plain["libraries"]).items()},
        latent_map=None if plain["latent_map"] is None else _map(plain["latent_map"]),
    )


def _plain_fork(fork: Fork) -> dict[str, Any]:
    told = {"step": fork.step, "request": fork.request.as_dict(), "parting": fork.parting.value}
    return told if fork.painting is None else told | {"painting": fork.painting.plain()}


def _forks(plain: Sequence[Any], last: RunRequest, settings: Mapping[str, Any]) -> tuple[Fork, ...]:
    """The forks of a run whose own request is the last; in files of before they told it, the parting shows in seeds."""
    steps = [_whole(each["step"], 0, MOST_STATES) for each in plain]
    requests = [*(_request(each["request"]) for each in plain), last]
    found = []
    for place, each in enumerate(plain):
        is_noised_back = requests[place].seed != requests[place + 1].seed and not draws_noise(settings)
        inferred = Parting.NOISED_BACK if is_noised_back else Parting.OWN_STATE
        parting = Parting(each.get("parting", inferred))
        painting = Painting.from_plain(each["painting"]) if parting is Parting.PAINTED else None
        found.append(Fork(steps[place], requests[place], parting, painting))
    return tuple(found)


def _request(plain: Any) -> RunRequest:
    given = _mapped(plain)
    for name in ("device", "model"):
        if given.get(name) is not None:
            _text(given[name])
    return RunRequest(**given)


def _plain_settings(value: Any) -> Any:
    """A scheduler's settings; what is neither number, word nor list of such is written as it prints itself."""
    if isinstance(value, Mapping):
        return {str(name): _plain_settings(each) for name, each in value.items() if name != _NOT_KEPT}
    if isinstance(value, list | tuple):
        return [_plain_settings(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return _plain_settings(value.tolist()) if isinstance(value, np.ndarray | np.generic) else str(value)


def _settings(plain: Any) -> Any:
    if isinstance(plain, dict):
        if plain.keys() == {_FLOAT}:
            return float(_text(plain[_FLOAT]))
        return {name: _settings(each) for name, each in plain.items()}
    return [_settings(each) for each in plain] if isinstance(plain, list) else plain


def _plain_map(latent_map: LatentMap) -> dict[str, Any]:
    return {
        "channels": latent_map.channels,
        "weights": latent_map.weights.ravel().tolist(),
        "bias": latent_map.bias.tolist(),
        "r2": [float(each) for each in latent_map.r2],
        "r2_overall": float(latent_map.r2_overall),
        "fitted_pictures": latent_map.fitted_pictures,
        "held_out_pictures": latent_map.held_out_pictures,
    }


def _map(plain: Mapping[str, Any]) -> LatentMap:
    channels = _whole(plain["channels"], 1, _MOST_CHANNELS)
    weights, bias, r2 = (
        _numbers(plain[name], count) for name, count in (("weights", 27 * channels), ("bias", 3), ("r2", 3))
    )
    return LatentMap(
        np.asarray(weights, np.float32).reshape(3, channels, 3, 3),
        np.asarray(bias, np.float32),
        (r2[0], r2[1], r2[2]),
        _number(plain["r2_overall"]),
        _whole(plain["fitted_pictures"], 0, 2**53),
        _whole(plain["held_out_pictures"], 0, 2**53),
    )


def plain_level(level: NoiseLevel) -> list[float] | None:
    """A level as `RunRecord.from_plain` reads it."""
    return [float(level.signal), float(level.noise)] if level.is_known else None


def _level(plain: Any) -> NoiseLevel:
    if plain is None:
        return UNKNOWN
    factors = _numbers(plain, 2)
    if any(0 < each < _LEAST_FACTOR for each in factors):
        raise ValueError("a level in it is none")
    return NoiseLevel(*factors)


def plain_step(step: StepSummary) -> dict[str, Any]:
    """A step as `RunRecord.from_plain` reads it."""
    return {
        "calls": step.calls,
        "timestep": None if math.isnan(step.timestep) else float(step.timestep),
        "before": plain_level(step.before),
        "after": plain_level(step.after),
        "duration_s": float(step.duration_s),
        "guess_note": to_plain(step.guess_note),
        "guidance": None if step.guidance is None else float(step.guidance),
        "guidance_note": to_plain(step.guidance_note),
    }


def _step(number: int, plain: Mapping[str, Any]) -> StepSummary:
    return StepSummary(
        number=number,
        calls=_whole(plain["calls"], 1, MOST_STATES),
        timestep=math.nan if plain["timestep"] is None else _number(plain["timestep"]),
        before=_level(plain["before"]),
        after=_level(plain["after"]),
        duration_s=_number(plain["duration_s"]),
        guess_note=from_plain(plain["guess_note"]),
        guidance=None if plain["guidance"] is None else _number(plain["guidance"]),
        guidance_note=from_plain(plain["guidance_note"]),
    )


def _listed(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("a list in it is none, or too long")
    return value


def _mapped(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a table in it is none")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text in it is none")
    return harmless(value, _MOST_LETTERS)


def _whole(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError("a number in it is not within its bounds")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST_NUMBER:
        raise ValueError("a number in it is none")
    return float(value)


def _numbers(values: Any, count: int) -> Sequence[float]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError("numbers in it are missing")
    return [_number(each) for each in values]
