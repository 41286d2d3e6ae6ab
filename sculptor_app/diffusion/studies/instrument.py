"""Check of the instrument: a run whose every answer is known, through the same chain as any other, and compared.

The closed-form model of `studies.gaussian_field` is sampled by `sample`; observer, trajectory and `RunMeasures` are
those of every run. What they say is compared with what the network itself was told, given and answered, in float64,
and with bands that are worked out from their definition alone (`measures.gaussian_field`).

| comparison | what it would show | holds |
| --- | --- | --- |
| levels | noise levels read off the scheduler in a wrong way | exactly; where a sampler rounds timesteps, to that |
| states | states that are not those that the network was given | exactly |
| guess | a wrong rule for the guess, a wrong level in it, a wrong order | exactly |
| guess-bands, state-bands | a fault in spectra, windows, scales or bands | exactly |
| course | steps that lead elsewhere than where the levels say | exactly for steps of Euler's kind, else nearly |

Samplers of Euler's kind (DDIM among them) go to a' x0 + s' eps: each mode is multiplied by a number that is known.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import (
    DDIM,
    EDM_EULER,
    EULER,
    FLOW_EULER,
    OWN_SUBCLASSES,
    SAMPLERS,
    draws_noise,
)
from sculptor_app.core.texts import number_text, translate
from sculptor_app.core.trajectory.events import StepTaken
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.gaussian_field import SIZE, FieldPipeline, NetworkCall, field_pipeline
from sculptor_app.measures.gaussian_field import (
    STANDARD_DEVIATION,
    band_powers,
    falling_off,
    field_power,
    flow_factor,
    half_amplitude_steps,
    mode_powers,
    posterior_gain,
    ring_powers,
)
from sculptor_app.measures.instrument import CheckProgress, Comparison, InstrumentCheck, StatePrediction
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS, slope

Floats = NDArray[np.float64]

SEED = 9
"""Of the noise: a check of the same settings always finds the same."""
LEVEL_BOUND_PERCENT = 0.01
STATE_BOUND_PERCENT = 0.001
GUESS_BOUND_PERCENT = 0.01
BAND_BOUND_DB = 0.001
COURSE_BOUND_DB = 0.01
"""What is let pass; float32 alone makes a hundredth of each, or less."""
_UNIT = 2.0**-24
"""Half of the distance of two neighbouring float32 numbers around 1."""
_CLEAR_OF_ROUNDING = 1e4
"""How far an amplitude is above what rounding leaves of it for its power to be compared: to 0.001 dB."""
_OF_EULERS_KIND = tuple(each.name for each in (DDIM, EULER, FLOW_EULER, EDM_EULER))
_UNEVEN_LEVELS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")
_SAME_LEVEL = 2e-6
"""How far float32 puts two levels apart, as a share, that are the same."""
_ROUNDED_BY = 0.6
"""Timesteps by which a level of a sampler's own spacing is beside that of the whole timestep that it tells: half of
one, and what two ways to interpolate between two differ by."""


def check_instrument(
    engine: Engine, request: RunRequest, stop: threading.Event
) -> Generator[CheckProgress | InstrumentCheck, None, None]:
    """Check the instrument with a sampler and a number of steps: how far it is, over and over, and what was found.

    Args:
        engine: Whose model's noise schedule and prediction type are taken; nothing is loaded for it.
        request: Sampler, steps, model and device; everything else of it is left out.

    Raises:
        Cancelled: `stop` was set.
        SculptorError: The sampler cannot be checked, or not with so many steps; the text says why.
    """
    pipeline, is_own = field_pipeline(engine.base_settings(request), request.sampler, request.steps)
    plain = RunRequest(
        model=request.model, sampler=request.sampler, steps=request.steps, seed=SEED, device=request.device
    )
    of_field = Engine(lambda folder, device, /, **_: pipeline.to(device))
    probe = _Probe(pipeline)
    yield CheckProgress(0, request.steps)
    run: Trajectory | None = None
    for event in sample(of_field, plain, stop, forkable=False):
        run = event.trajectory
        if isinstance(event, StepTaken):
            probe.take(event)
            yield CheckProgress(event.step.number, run.planned_steps)
    assert run is not None  # a run without a step is refused by `sample`
    yield _found(run, probe, _schedule_words(pipeline), is_own)
    run.close()


_SCHEDULES = {
    "squaredcos_cap_v2": translate("instrument", "cosine schedule"),
    "linear": translate("instrument", "linear schedule"),
    "scaled_linear": translate("instrument", "scaled linear schedule"),
}
_PREDICTIONS = {
    "epsilon": translate("instrument", "a network that predicts the noise"),
    "sample": translate("instrument", "a network that predicts the picture"),
    "v_prediction": translate("instrument", "a network that predicts v"),
    "flow_prediction": translate("instrument", "a network of flow matching"),
    "edm": translate("instrument", "a network of the kind of Karras et al. 2022"),
}


def _schedule_words(pipeline: FieldPipeline) -> str:
    """As "cosine schedule, a network that predicts v": what the run was made on."""
    name = str(pipeline.scheduler.config.get("beta_schedule") or "")
    network = _PREDICTIONS[pipeline.unet.config.prediction_type]
    return translate("instrument", "{0}, {1}").format(_SCHEDULES.get(name, name), network) if name else network


@dataclass(slots=True)
class _Largest:
    """The deviation that is largest in proportion to what is let pass at its place."""

    deviation: float = math.nan
    bound: float = math.nan
    step: int = 0

    def note(self, deviation: float, bound: float, step: int) -> None:
        if math.isnan(self.deviation) or not deviation / bound <= self.deviation / self.bound:
            self.deviation, self.bound, self.step = float(deviation), float(bound), step  # numpy’s are no JSON


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """What one step should show, from what the network was told, given and answered."""

    state_bands: Floats  # (4,) of the state that it starts from
    guess_bands: Floats  # (4,)
    state_floor: float  # power below which rounding shows
    guess_floor: float
    gain: Floats  # (H, W), from the state on the unit circle to the guess
    level: NoiseLevel  # on the unit circle, of the state that it starts from


class _Probe:
    """Compares every step of a run with what the perfect network says of it."""

    def __init__(self, pipeline: FieldPipeline) -> None:
        self._network = pipeline.unet
        self._calls: list[NetworkCall] = []
        pipeline.unet.on_call = self._calls.append
        self.levels, self.states, self.guess = _Largest(), _Largest(), _Largest()
        self.rounded = 0.0  # how far, at most, a sampler's rounded timesteps are off in sigma, as a share
        self.expected: list[_Expected] = []

    def take(self, event: StepTaken) -> None:
        """Compare a step that was taken."""
        step, run, calls = event.step, event.trajectory, tuple(self._calls)
        self._calls.clear()
        k, first, last = step.number, calls[0], calls[-1]
        guess = run.guess(k)
        if guess is None:
            raise SculptorError(step.guess_note, translate("errors", "Choose one of the other samplers."))
        uneven = any(run.info.sampler_settings.get(name) for name in _UNEVEN_LEVELS)
        own = run.levels[k - 1]
        is_exact = self._compare_level(own, first, k - 1, uneven)
        is_last_exact = is_exact if first is last else self._compare_level(step.before, last, k, uneven)
        given = first.state / first.level.scale
        off = float(np.abs(run.state(k - 1) / own.scale - given).max())
        self.states.note(100 * off, STATE_BOUND_PERCENT, k - 1)
        skip, out = self._terms(last.level if is_last_exact else step.before)
        right = last.clean if is_last_exact else skip * last.state / last.level.scale + out * last.answer
        rounding = _UNIT * (
            abs(skip) * np.abs(last.state / last.level.scale).max() + abs(out) * np.abs(last.answer).max()
        )
        off = float(np.abs(guess - right).max()) / STANDARD_DEVIATION
        self.guess.note(100 * off, GUESS_BOUND_PERCENT + 100 * 8 * rounding / STANDARD_DEVIATION, k)
        self.expected.append(
            _Expected(
                band_powers(mode_powers(np.fft.fft2(given))),
                band_powers(mode_powers(np.fft.fft2(right))),
                (_CLEAR_OF_ROUNDING * _UNIT * float(np.abs(given).max())) ** 2,
                (_CLEAR_OF_ROUNDING * rounding) ** 2,
                self._gain(first.level, own, is_exact),
                _on_circle(first.level if is_exact else own),
            )
        )

    def _compare_level(self, stated: NoiseLevel, call: NetworkCall, step: int, uneven: bool) -> bool:
        """Compare a level with that of the timestep that the network was told; whether they are the same."""
        told = call.level
        if told.signal == 0 or stated.signal == 0:
            self.levels.note(0.0 if told.signal == stated.signal else math.inf, LEVEL_BOUND_PERCENT, step)
            return True
        off = abs(stated.sigma / told.sigma - 1)
        if off > _SAME_LEVEL and (uneven or call.is_between) and self._is_rounded(stated, call):
            self.rounded = max(self.rounded, float(off))
            return False
        self.levels.note(100 * off, LEVEL_BOUND_PERCENT, step)
        return True

    def _is_rounded(self, stated: NoiseLevel, call: NetworkCall) -> bool:
        """Whether a level is that of a timestep but for what a sampler rounds, or interpolates in another way."""
        sigmas = self._network.sigmas
        if not len(sigmas):
            return False
        places = np.arange(len(sigmas))
        told = float(np.interp(call.level.sigma, sigmas, places))
        low, high = (math.floor(told), math.ceil(told)) if call.is_between else (told - _ROUNDED_BY, told + _ROUNDED_BY)
        return bool(np.interp(low, places, sigmas) <= stated.sigma <= np.interp(high, places, sigmas))

    def _terms(self, level: NoiseLevel) -> tuple[float, float]:
        """The guess as a sum: the shares of the state, on the unit circle, and of the network's answer."""
        kind, unit = self._network.config.prediction_type, _on_circle(level)
        a, s, r = unit.signal, unit.noise, level.scale
        if kind == "sample":
            return 0.0, 1.0
        if kind == "epsilon":
            return 1 / a, -s / a
        if kind == "v_prediction":
            return a, -s
        if kind == "flow_prediction":  # of the state itself, which its network is given
            return r / (level.signal + level.noise), -level.noise / (level.signal + level.noise)
        spread = level.noise**2 + 0.25  # Karras et al. 2022, table 1
        return 0.25 / spread * r, 0.5 * level.noise / math.sqrt(spread)

    def _gain(self, told: NoiseLevel, stated: NoiseLevel, is_exact: bool) -> Floats:
        """What each mode of a state, on the unit circle, is multiplied by to give that of the guess."""
        unit = _on_circle(told)
        clean = posterior_gain(SIZE, unit)
        if is_exact:
            return clean
        noise = (1 - unit.signal * clean) / unit.noise
        answers = {"sample": clean, "epsilon": noise, "v_prediction": unit.signal * noise - unit.noise * clean}
        skip, out = self._terms(stated)
        return skip + out * answers[self._network.config.prediction_type]


def _on_circle(level: NoiseLevel) -> NoiseLevel:
    """The same signal-to-noise ratio with a^2 + s^2 = 1, as `RunMeasures` looks at states."""
    return NoiseLevel(level.signal / level.scale, level.noise / level.scale)


def _found(run: Trajectory, probe: _Probe, schedule: str, is_own: bool) -> InstrumentCheck:
    """The comparisons of a run that is complete."""
    measures = RunMeasures.of(run, window="none")
    measured: dict[Source, Floats] = {each: measures.energies(each) for each in ("state", "guess")}
    last = np.fft.fft2(run.state(run.last).astype(np.float64) / run.levels[run.last].scale)
    given = [*(each.state_bands for each in probe.expected), band_powers(mode_powers(last))]
    prediction, states, guesses = _course(run, probe.expected)
    bands_of_states = [band_powers(each) for each in states]
    expected: dict[Source, Floats] = {
        "state": np.array(bands_of_states),
        "guess": np.array([np.full(len(BANDS), math.nan), *(each.guess_bands for each in probe.expected)]),
    }
    state_floors = [each.state_floor for each in probe.expected]
    floors = [*state_floors, state_floors[-1]]
    of_states = _compare_bands(measured["state"], np.array(given), floors, BAND_BOUND_DB)
    guess_floors = [math.inf, *(each.guess_floor for each in probe.expected)]
    of_guesses = _compare_bands(measured["guess"], expected["guess"], guess_floors, BAND_BOUND_DB)
    course = _compare_bands(measured["state"], expected["state"], floors, _course_bounds(run, expected["state"]))
    halves = (
        half_amplitude_steps(measured["guess"][1:]),
        half_amplitude_steps(np.array([band_powers(each) for each in guesses])),
    )
    comparisons = _comparisons(probe, of_states, of_guesses, course, halves, prediction)
    return InstrumentCheck(
        sampler=SAMPLERS[run.info.request.sampler].label, schedule=schedule, is_own_schedule=is_own,
        levels=tuple(run.levels), state_prediction=prediction, measured=measured, expected=expected, half_steps=halves,
        slopes=_slopes(measures, states, guesses), comparisons=comparisons,
    )  # fmt: skip


def _course(run: Trajectory, steps: Sequence[_Expected]) -> tuple[StatePrediction, list[Floats], list[Floats]]:
    """The power of each mode, (H, W), of the states 0..N and of the guesses 1..N, predicted from the noise alone."""
    settings = run.info.sampler_settings
    name = str(settings.get("_class_name"))
    kind = StatePrediction.ENSEMBLE_MEAN if draws_noise(settings) else StatePrediction.PROBABILITY_FLOW
    if kind is StatePrediction.PROBABILITY_FLOW and OWN_SUBCLASSES.get(name, name) in _OF_EULERS_KIND:
        kind = StatePrediction.EXACT
    levels = [*(each.level for each in steps), _on_circle(run.levels[run.last])]
    if kind is StatePrediction.ENSEMBLE_MEAN:
        states = [each.signal**2 * field_power(SIZE) + each.noise**2 for each in levels]
    else:
        noise = mode_powers(np.fft.fft2(run.state(0).astype(np.float64) / run.levels[0].scale))
        factor = np.ones_like(noise)
        states = [noise]
        for step, after in zip(steps, levels[1:], strict=True):
            if kind is StatePrediction.EXACT:  # to a' x0 + s' eps, both of which are multiples of the state
                rest = (1 - step.level.signal * step.gain) / step.level.noise
                factor = factor * (after.signal * step.gain + after.noise * rest)
            else:
                factor = flow_factor(SIZE, levels[0], after)
            states.append(factor**2 * noise)
    return kind, states, [each.gain**2 * state for each, state in zip(steps, states[:-1], strict=True)]


def _course_bounds(run: Trajectory, expected: Floats) -> Floats:
    """What is let pass of the bands predicted from the noise, (N + 1, 4) in dB: with what float32 adds up to.

    A step from strong noise rounds what is many times larger than what is left after it.
    """
    left = np.zeros(run.last + 1)
    for k in range(1, run.last + 1):
        left[k] = left[k - 1] + _UNIT * float(np.abs(run.state(k - 1)).max()) / run.levels[k].scale
    with np.errstate(divide="ignore"):
        rounding: Floats = 20 * np.log10(1 + left[:, None] / np.sqrt(expected))
    return COURSE_BOUND_DB + rounding


def _compare_bands(measured: Floats, expected: Floats, floors: Sequence[float], bounds: float | Floats) -> _Largest:
    """The largest difference of two tables of powers, (states, 4), in dB; what rounding blurs is left out."""
    largest, let_pass = _Largest(), np.broadcast_to(bounds, expected.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nan_to_num(np.abs(10 * np.log10(measured / expected)), nan=math.inf, posinf=math.inf)
    for k, floor in enumerate(floors):
        for band in np.flatnonzero(expected[k] > floor):
            largest.note(float(off[k, band]), float(let_pass[k, band]), k)
    return largest


def _slopes(
    measures: RunMeasures, states: Sequence[Floats], guesses: Sequence[Floats]
) -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[Source, int, Floats]] = {
        "noise": ("state", 0, states[0]),
        "picture": ("state", measures.last, states[-1]),
        "first guess": ("guess", 1, guesses[0]),
    }
    found = {}
    for name, (source, k, powers) in places.items():
        spectrum = measures.spectrum(source, k)
        is_there = spectrum is not None and bool((powers[powers > 0].size) and powers.max() > 0)
        own = slope(spectrum, 1, SIZE // 2) if spectrum is not None and is_there else math.nan
        found[name] = own, falling_off(ring_powers(powers), SIZE // 2) if is_there else math.nan
    return found


def _comparisons(
    probe: _Probe,
    of_states: _Largest,
    of_guesses: _Largest,
    course: _Largest,
    halves: tuple[Sequence[int], Sequence[int]],
    prediction: StatePrediction,
) -> tuple[Comparison, ...]:
    rounded = ""
    if probe.rounded:
        rounded = translate(
            "instrument", "This sampler tells the network timesteps whose levels are up to {0} % beside those that it "
            "goes on with; that is taken into account."
        ).format(number_text(float(f"{100 * probe.rounded:.2g}")))  # fmt: skip
    decides = prediction is StatePrediction.EXACT
    off = [abs(one - other) for one, other in zip(*halves, strict=True)]
    return (
        _compared("levels", translate("instrument", "noise levels"), probe.levels, "%", rounded),
        _compared("states", translate("instrument", "states, pixel by pixel"), probe.states, "%"),
        _compared("guess", translate("instrument", "guesses, pixel by pixel"), probe.guess, "%"),
        _compared("guess-bands", translate("instrument", "bands of the guesses"), of_guesses, "dB"),
        _compared("state-bands", translate("instrument", "bands of the states"), of_states, "dB"),
        _compared("course", translate("instrument", "bands predicted from the noise"), course, "dB", decides=decides),
        Comparison("half", translate("instrument", "steps of half amplitude"), float(max(off)),
                   1.0 if decides else None, "", int(halves[1][off.index(max(off))])),
    )  # fmt: skip


def _compared(key: str, name: str, found: _Largest, unit: str, note: str = "", decides: bool = True) -> Comparison:
    if math.isnan(found.deviation):
        nothing = translate("instrument", "Nothing of it is above what rounding leaves.")
        return Comparison(key, name, math.nan, None, unit, 0, nothing)
    return Comparison(key, name, found.deviation, found.bound if decides else None, unit, found.step, note)
