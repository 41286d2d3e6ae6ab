"""Access to the engine: the one module of the session that imports the packages which need torch.

Its functions import them when they are called, in a worker thread, so that the window is on screen long before. What an
engine holds belongs to that thread and is never touched from another.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sculptor_app import folders
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.parameter import ModelParameter, UnsupportedParameter
from sculptor_app.core.requests.request import FORMS, MATERIALS, Parting, RequestError, RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.hub.cache import NotInCache as NotInCache
from sculptor_app.diffusion.models.hub.cache import cached_names as cached_names
from sculptor_app.diffusion.models.hub.cache import from_address as from_address
from sculptor_app.diffusion.models.hub.cache import is_begun as is_begun
from sculptor_app.diffusion.models.hub.cache import is_name as is_name
from sculptor_app.diffusion.models.hub.cache import is_of_the_hub as is_of_the_hub
from sculptor_app.diffusion.models.hub.cache import is_offline as is_offline
from sculptor_app.diffusion.models.hub.cache import is_partial as is_partial
from sculptor_app.diffusion.models.hub.file_download import DownloadFailed as DownloadFailed
from sculptor_app.diffusion.models.verdict import Finding as Finding
from sculptor_app.diffusion.models.verdict import LoadingProgress as LoadingProgress
from sculptor_app.diffusion.models.verdict import ModelRefused as ModelRefused
from sculptor_app.diffusion.models.verdict import Report
from sculptor_app.diffusion.models.verdict import listed as listed

if TYPE_CHECKING:
    from sculptor_app.core.pictures.painting import Ground
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.requests.changes import RunChanges
    from sculptor_app.core.requests.painting import Painting
    from sculptor_app.core.requests.request import GridRequest
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.events import ForkEnded, GridEvent
    from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import DecodedTrajectory, Trajectory
    from sculptor_app.diffusion.latents.decoding import DecodedFrame as DecodedFrame
    from sculptor_app.diffusion.models.hub.download import Offer as Offer
    from sculptor_app.diffusion.sampling.engine import Engine as Engine
    from sculptor_app.diffusion.sampling.engine import ModelFacts as ModelFacts
    from sculptor_app.diffusion.sampling.sample import Event
    from sculptor_app.diffusion.studies.inversion import Inversion as Inversion
    from sculptor_app.measures.claims import ClaimProgress, ClaimRequest, Outcome
    from sculptor_app.measures.instrument import CheckProgress, InstrumentCheck
    from sculptor_app.measures.likeness import Decision
    from sculptor_app.training.loop.live import Learning as Learning
    from sculptor_app.training.records.plan import Plan

Work = Callable[["Engine", threading.Event], Iterator[object]]
"""Called in the worker thread with the engine and the event that asks it to stop; what it yields is handed on."""

MakeStart = Callable[["Engine", RunRequest], "Start"]
"""Called in the worker thread: only there the size of the model's pictures is known."""


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that is loaded."""

    model: str | None  # as a `RunRequest` names it; None is the embedded one
    name: str  # for people
    kind: str  # the class of its pipeline
    parameters: tuple[ModelParameter, ...]  # those that a person can set
    unsupported: tuple[UnsupportedParameter, ...]  # what its call takes besides, and why that is not on offer
    samplers: tuple[str, ...]  # it can be run with these, the first being the one to begin with
    takes_loras: bool = False  # whether diffusers loads LoRAs into it
    notes: tuple[str, ...] = ()  # sentences about its runs: that they are slow, or take much memory


@dataclass(frozen=True, slots=True)
class InversionProgress:
    """So many of the planned steps are inverted."""

    done: int
    planned: int


_importing = threading.Lock()


def _import_engine() -> ModuleType:
    """Import the engine, and diffusers with it, in one thread at a time.

    What exists then is taken out of garbage collection: half a million objects of torch and diffusers, none of which
    ever goes. A full collection, in whichever thread, held up the window for a third of a second.

    WORKAROUND: diffusers 0.42 puts another module in its place while it is imported. A thread that comes to
    `from diffusers import …` meanwhile waits for the first, finds nothing in it, and fails with an ImportError.
    """
    with _importing:
        is_first = "sculptor_app.diffusion.sampling.engine" not in sys.modules
        from sculptor_app.diffusion.sampling import engine

        if is_first:
            gc.freeze()
        return engine


class Sampling:
    """Makes the engine and runs it; a test puts one that fails in its place."""

    def make_engine(self, report: Report) -> Engine:
        """Import torch and make an engine; it loads nothing yet.

        Args:
            report: Is called in the worker thread whenever the loading of a model goes on.
        """
        engine: Engine = _import_engine().Engine(report=report)
        return engine

    def sample(
        self,
        engine: Engine,
        request: RunRequest,
        stop: threading.Event,
        *,
        budget_bytes: int,
        watch_guidance: bool,
        start: Start | None,
    ) -> Generator[Event, None, None]:
        """Run a request; see `diffusion.sampling.sample.sample`."""
        from sculptor_app.diffusion.sampling.sample import sample

        return sample(
            engine, request, stop, budget_bytes=budget_bytes, watch_guidance=watch_guidance, start=start,
            journal_folder=folders.journals(),
        )  # fmt: skip

    def sample_with_changes(
        self,
        engine: Engine,
        request: RunRequest,
        changes: RunChanges,
        stop: threading.Event,
        *,
        budget_bytes: int,
        watch_guidance: bool,
        start: Start | None,
    ) -> Generator[Event, None, None]:
        """Run a request whose settings change along the run; see `diffusion.studies.changes.sample_with_changes`."""
        from sculptor_app.diffusion.studies.changes import sample_with_changes

        return sample_with_changes(
            engine, request, changes, stop, budget_bytes=budget_bytes, watch_guidance=watch_guidance, start=start,
            journal_folder=folders.journals(),
        )  # fmt: skip

    def go_on(
        self,
        engine: Engine,
        trajectory: Trajectory,
        stop: threading.Event,
        *,
        budget_bytes: int,
        watch_guidance: bool,
    ) -> Generator[Event, None, None]:
        """Go on with a run that was stopped; see `diffusion.studies.changes.go_on`."""
        from sculptor_app.diffusion.studies.changes import go_on

        return go_on(
            engine, trajectory, stop, budget_bytes=budget_bytes, watch_guidance=watch_guidance,
            journal_folder=folders.journals(),
        )  # fmt: skip

    def make_again(
        self,
        engine: Engine,
        info: RunInfo,
        stop: threading.Event,
        *,
        budget_bytes: int,
        watch_guidance: bool,
        start: Start | None,
    ) -> Generator[Event, None, None]:
        """Make a run again from what is told of it; see `diffusion.studies.fork.make_again`."""
        from sculptor_app.diffusion.studies.fork import make_again

        return make_again(
            engine, info, stop, start, budget_bytes, watch_guidance=watch_guidance, journal_folder=folders.journals()
        )

    def fork(
        self,
        engine: Engine,
        trajectory: Trajectory,
        k: int,
        request: RunRequest,
        stop: threading.Event,
        *,
        parting: Parting,
        budget_bytes: int,
        watch_guidance: bool,
        painting: Painting | None = None,
    ) -> Generator[Event, None, None]:
        """Go on from state k of a run in another way; see `diffusion.studies.fork.fork`.

        Args:
            parting: What it goes on from; noise that is laid on is of the request's seed.
            painting: What was painted, where that is how it parts.
        """
        from sculptor_app.diffusion.studies.fork import fork
        from sculptor_app.diffusion.studies.parting import parted

        shared, state = parted(trajectory, k, parting, request.seed, painting)
        return fork(
            trajectory, shared, engine, stop, request, budget_bytes, watch_guidance=watch_guidance,
            state=state, journal_folder=folders.journals(), parting=parting, painting=painting,
        )  # fmt: skip


# Models ---------------------------------------------------------------------------------------------------------------


def describe_model(engine: Engine, pipeline: Any, model: str | None) -> OpenedModel:
    """Which parameters and samplers a model that the engine has loaded takes, with its name as in a `RunRequest`.

    Raises:
        RequestError: It makes pictures from what a person cannot give it.
    """
    from sculptor_app.diffusion.models.lora import takes_loras
    from sculptor_app.diffusion.pipelines import parameters
    from sculptor_app.diffusion.pipelines.compatibility import samplers_for
    from sculptor_app.diffusion.pipelines.suitability import obstacle_of
    from sculptor_app.diffusion.sampling.engine import model_name

    obstacle = obstacle_of(pipeline)
    if obstacle is not None:
        raise RequestError(str(obstacle))
    return OpenedModel(
        model=model,
        name=model_name(model),
        kind=type(pipeline).__name__,
        parameters=parameters.model_parameters(pipeline),
        unsupported=parameters.unsupported_parameters(pipeline),
        samplers=samplers_for(pipeline, engine.settings),
        takes_loras=takes_loras(pipeline),
        notes=engine.notes,
    )


def find_missing(name: str) -> Offer | None:
    """What of a repository has to be fetched; None where nothing has. See `diffusion.models.hub.download`."""
    from sculptor_app.diffusion.models.hub.download import find_missing

    return find_missing(name, pickles=True)


def download(offer: Offer, progress: Callable[[int, int], None], stop: threading.Event) -> None:
    """Fetch what was offered; see `diffusion.models.hub.download`."""
    from sculptor_app.diffusion.models.hub.download import download

    download(offer, progress, stop)


# Latents --------------------------------------------------------------------------------------------------------------


def find_latent_map(
    engine: Engine, request: RunRequest, stop: threading.Event
) -> Iterator[MapFittingProgress | LatentMap]:
    """Find the linear map of a model's latents; see `diffusion.latents.decoding`."""
    from sculptor_app.diffusion.latents.decoding import find_latent_map

    return find_latent_map(engine, request, stop)


def decode_run(
    engine: Engine, decoded: DecodedTrajectory, stop: threading.Event, tiny_decoder: Path | None
) -> Iterator[int]:
    """Decode a run state by state; see `diffusion.latents.decoding`."""
    from sculptor_app.diffusion.latents.decoding import decode_run

    return decode_run(engine, decoded, stop, tiny_decoder)


def decode_frames(
    engine: Engine,
    request: RunRequest,
    wanted: list[tuple[object, Frame]],
    stop: threading.Event,
    tiny_decoder: Path | None,
) -> Iterator[DecodedFrame]:
    """Decode single frames; see `diffusion.latents.decoding`."""
    from sculptor_app.diffusion.latents.decoding import decode_frames

    return decode_frames(engine, request, wanted, stop, tiny_decoder)


# Many runs ------------------------------------------------------------------------------------------------------------


def sample_grid(engine: Engine, request: GridRequest, stop: threading.Event, budget_bytes: int) -> Iterator[GridEvent]:
    """Run a grid; see `diffusion.studies.grid.sample_grid`."""
    from sculptor_app.diffusion.studies.grid import sample_grid

    return sample_grid(engine, request, stop, budget_bytes=budget_bytes)


def decisions(
    engine: Engine,
    run: Trajectory,
    forks: int,
    stop: threading.Event,
    known: Sequence[Decision],
    closer: bool,
    u_turn: bool,
) -> Iterator[ForkEnded | Decision]:
    """What is decided by which step of a complete run; see `diffusion.studies.decisions.measure_run`."""
    from sculptor_app.diffusion.studies.decisions import measure_run
    from sculptor_app.training.evaluation.judge_training import read_labels

    steps = decision_steps(run)
    return measure_run(engine, run, steps, forks, stop, read_labels, known, closer, u_turn)


def decision_steps(run: Trajectory) -> tuple[int, ...]:
    """At which steps a run is forked, those aside that are looked at closer; of a fork those after it left its run."""
    from sculptor_app.core.trajectory.levels import FIRST_FORK_STEP
    from sculptor_app.measures.likeness import usual_steps

    if not run.info.origin and not run.info.forks:
        return usual_steps(run.planned_steps)
    # Other noise from the beginning would make another kind of run.
    first = max([FIRST_FORK_STEP, *(each.step + 1 for each in run.info.forks)])
    return usual_steps(run.planned_steps, first)


def test_claim(
    engine: Engine, key: str, asked: ClaimRequest, stop: threading.Event
) -> Iterator[ClaimProgress | Outcome]:
    """Test a published finding on a model; see `diffusion.studies.claims.measure.measure_claim`."""
    from sculptor_app.diffusion.studies.claims.measure import measure_claim
    from sculptor_app.training.evaluation.claims.measure import SAMPLE_MEASURES
    from sculptor_app.training.evaluation.judge_training import read_labels
    from sculptor_app.training.memorising.claim import TRAINING_MEASURES

    return measure_claim(key, engine, asked, stop, read_labels, {**SAMPLE_MEASURES, **TRAINING_MEASURES})


def check_instrument(
    engine: Engine, request: RunRequest, stop: threading.Event
) -> Iterator[CheckProgress | InstrumentCheck]:
    """Check the instrument on a run whose every answer is known; see `diffusion.studies.instrument`."""
    from sculptor_app.diffusion.studies.instrument import check_instrument

    return check_instrument(engine, request, stop)


def fork_at(run: Trajectory, step: int, number: int, u_turn: bool) -> tuple[RunRequest, Parting]:
    """What a fork among those of `decisions` is asked for, and how it parts from the run; see `Sampling.fork`."""
    from sculptor_app.diffusion.studies.decisions import fork_request, parting_at

    return fork_request(run, step, number), parting_at(run, u_turn)


def model_facts(model: str | None) -> ModelFacts:
    """What a model's folder says of itself, without loading it."""
    facts: ModelFacts = _import_engine().model_facts(model)
    return facts


def check_paintable(run: Trajectory, k: int) -> Ground:
    """The frames of a step, if a fork can go on from what is painted on them; see `diffusion.studies.fork`."""
    from sculptor_app.diffusion.studies.parting import check_paintable

    return check_paintable(run, k)


def white_noise(seed: int, shape: tuple[int, int, int]) -> Frame:
    """Noise of a seed, as a painted fork has it; see `diffusion.sampling.noise`."""
    from sculptor_app.diffusion.sampling.noise import white_noise

    return white_noise(seed, shape)


def picture_for(model: str | None, picture: Frame) -> Frame | None:
    """The middle of a picture at a model's size, as `fit_picture` hands it to a run, without loading the model.

    None where the model is of another kind, or its folder cannot be read.
    """
    from sculptor_app.core.pictures.start import fit_square

    try:
        return fit_square(picture, model_facts(model).size)
    except SculptorError:
        return None


def grid_noises(request: GridRequest) -> tuple[Trajectory, ...]:
    """A trajectory for each cell of a grid that holds its noise alone."""
    _import_engine()
    from sculptor_app.diffusion.studies.grid import initial_trajectories

    return initial_trajectories(request)


# Pictures -------------------------------------------------------------------------------------------------------------


def fit_picture(engine: Engine, request: RunRequest, picture: Frame) -> Frame:
    """The middle of a picture, brought to the size of a request's model.

    Raises:
        RequestError: The model is of another kind, which takes pictures in its own way.
    """
    from sculptor_app.core.pictures.start import fit_square

    size: int | None = getattr(engine.load(request.model, request.device), "picture_size", None)
    if size is None:
        raise RequestError(
            translate(
                "errors",
                "This model takes pictures in its own way, or none; open the embedded model, or one that was "
                "learned here.",
            )
        )
    return fit_square(picture, size)


def invert(
    engine: Engine, request: RunRequest, picture: Frame, name: str, stop: threading.Event
) -> Iterator[InversionProgress | Inversion]:
    """Find the noise that a request's model makes a picture of; see `diffusion.studies.inversion.invert`.

    Args:
        request: Its sampler is DDIM.
        picture: (3, H, W) float32 in [-1, 1], of any size.
        stop: Ends it within a step.
    """
    from sculptor_app.diffusion.studies.inversion import Inversion, invert

    engine.load(request.model, request.device, stop)  # what fits the picture cannot be stopped
    for item in invert(engine, request, fit_picture(engine, request, picture), stop, name=name):
        yield item if isinstance(item, Inversion) else InversionProgress(item.done, item.planned)


def render_sculpture(form: str, material: str, seed: int, size_px: int) -> Frame:
    """A rendered sculpture, (3, size_px, size_px) float32 in [-1, 1]; nobody waits for a compiler for one picture."""
    from sculptor_app.atelier.renderer import render

    labels = [FORMS.index(form)], [MATERIALS.index(material)]
    picture: Frame = render([seed], *labels, size=size_px, may_compile=False)[0].numpy()
    return picture


# Training -------------------------------------------------------------------------------------------------------------


def begin_training(folder: Path, plan: Plan) -> Learning:
    """A training run in memory; see `training.loop.live.Learning`."""
    _import_engine()
    from sculptor_app.training.loop.live import Learning

    return Learning(folder, plan)


def export_training(folder: Path) -> Path:
    """Make a model of a training run's last checkpoint, and say where it is."""
    _import_engine()
    from sculptor_app.training.loop.live import export

    return export(folder)
