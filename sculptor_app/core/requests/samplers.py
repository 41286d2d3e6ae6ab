"""The table of samplers. One row holds everything about one; window, command line, engine and tests read it.

Neither torch nor diffusers is needed: a row names its scheduler class as diffusers does. Which of the samplers a model
can be run with is decided when it is loaded, see `diffusion.pipelines.compatibility`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from sculptor_app.core.texts import translate


class Family(Enum):
    """Families of schedulers, by how their own numbers give the factors (a, s) of a noise level."""

    ALPHAS = "alphas"
    SIGMAS = "sigmas"
    SPLIT_SIGMAS = "split sigmas"
    FLOW = "flow"
    EDM = "edm"
    CONSISTENCY = "consistency"
    TRIGFLOW = "trigflow"  # of angles: the picture's share is their cosine, the noise's their sine
    ANGLES = "angles"  # the same, as tables of both
    WUERSTCHEN = "wuerstchen"
    SCORE = "score"  # variance-exploding, of networks that predict the score


@dataclass(frozen=True, slots=True)
class SchedulerClass:
    """A scheduler class of diffusers whose noise levels and predictions are known.

    Attributes:
        stages: calls of `step`, and of the network, for each step that is shown; the last step may take one alone.
        is_own_only: whether its network was trained on levels that no other class has: only it can sample that one.
        ends_clean: of `Family.ALPHAS`, whether the last state has no noise, whatever the schedule's last level is.
        draws_noise: whether its steps add fresh noise, with whatever settings; see the function `draws_noise`.
        begins_anywhere: whether it can begin at any of its levels, with nothing known of the steps before.
    """

    name: str  # in diffusers
    family: Family  # where its noise levels stand
    clips: bool = False  # whether it obeys `clip_sample`; the others ignore the setting
    thresholds: bool = False  # whether it obeys `thresholding`
    stages: int = 1
    is_own_only: bool = False
    ends_clean: bool = False
    draws_noise: bool = False
    begins_anywhere: bool = True


DDPM = SchedulerClass("DDPMScheduler", Family.ALPHAS, clips=True, thresholds=True, ends_clean=True, draws_noise=True)
DDIM = SchedulerClass("DDIMScheduler", Family.ALPHAS, clips=True, thresholds=True)
PNDM = SchedulerClass("PNDMScheduler", Family.ALPHAS, begins_anywhere=False)
LCM = SchedulerClass("LCMScheduler", Family.ALPHAS, clips=True, thresholds=True, ends_clean=True, draws_noise=True)
TCD = SchedulerClass("TCDScheduler", Family.ALPHAS, draws_noise=True)
EULER = SchedulerClass("EulerDiscreteScheduler", Family.SIGMAS)
EULER_ANCESTRAL = SchedulerClass("EulerAncestralDiscreteScheduler", Family.SIGMAS, draws_noise=True)
HEUN = SchedulerClass("HeunDiscreteScheduler", Family.SIGMAS, clips=True, stages=2)
LMS = SchedulerClass("LMSDiscreteScheduler", Family.SIGMAS, begins_anywhere=False)
KDPM2 = SchedulerClass("KDPM2DiscreteScheduler", Family.SIGMAS, stages=2)
KDPM2_ANCESTRAL = SchedulerClass("KDPM2AncestralDiscreteScheduler", Family.SIGMAS, stages=2, draws_noise=True)
DPM_MULTISTEP = SchedulerClass("DPMSolverMultistepScheduler", Family.SPLIT_SIGMAS, thresholds=True)
DPM_SINGLESTEP = SchedulerClass("DPMSolverSinglestepScheduler", Family.SPLIT_SIGMAS, thresholds=True)
UNIPC = SchedulerClass("UniPCMultistepScheduler", Family.SPLIT_SIGMAS, thresholds=True)
DEIS = SchedulerClass("DEISMultistepScheduler", Family.SPLIT_SIGMAS, thresholds=True)
SA_SOLVER = SchedulerClass("SASolverScheduler", Family.SPLIT_SIGMAS, thresholds=True, draws_noise=True)
FLOW_EULER = SchedulerClass("FlowMatchEulerDiscreteScheduler", Family.FLOW)
FLOW_HEUN = SchedulerClass("FlowMatchHeunDiscreteScheduler", Family.FLOW, stages=2)
EDM_EULER = SchedulerClass("EDMEulerScheduler", Family.EDM)
EDM_MULTISTEP = SchedulerClass("EDMDPMSolverMultistepScheduler", Family.EDM, thresholds=True)

_OWN_ONLY = (
    SchedulerClass(
        "DDPMParallelScheduler", Family.ALPHAS, clips=True, thresholds=True, ends_clean=True, draws_noise=True
    ),
    SchedulerClass("DDIMParallelScheduler", Family.ALPHAS, clips=True, thresholds=True),
    SchedulerClass("UnCLIPScheduler", Family.ALPHAS, clips=True, is_own_only=True, ends_clean=True, draws_noise=True),
    SchedulerClass("CogVideoXDDIMScheduler", Family.ALPHAS, is_own_only=True),
    SchedulerClass("CogVideoXDPMScheduler", Family.ALPHAS, is_own_only=True, draws_noise=True),
    SchedulerClass("FlowMatchLCMScheduler", Family.FLOW, draws_noise=True),
    SchedulerClass("LTXEulerAncestralRFScheduler", Family.FLOW, is_own_only=True, draws_noise=True),
    SchedulerClass("CMStochasticIterativeScheduler", Family.CONSISTENCY, is_own_only=True, draws_noise=True),
    SchedulerClass("SCMScheduler", Family.TRIGFLOW, is_own_only=True),
    SchedulerClass("IPNDMScheduler", Family.ANGLES, is_own_only=True),
    SchedulerClass("DDPMWuerstchenScheduler", Family.WUERSTCHEN, is_own_only=True, draws_noise=True),
    SchedulerClass("ScoreSdeVeScheduler", Family.SCORE, is_own_only=True, draws_noise=True),
)
"""Classes that only come with a model."""


class Networks(Enum):
    """The networks that a sampler is for, by what they were trained on."""

    BETAS = "a discrete schedule of betas"
    FEW_STEPS = "distilled for a few large steps"
    FLOW = "flow matching"
    EDM = "the levels of Karras et al. 2022"
    ITS_OWN = "whatever it came with"


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of the table.

    Attributes:
        settings: laid over those of the model's own scheduler, where the class has them.
        starts_late: whether it should not start where a cosine schedule has almost no signal: diffusers' advice.
    """

    id: str  # as the command line and saved files write it
    label: str  # English name, as the interface writes it after translation (context "names")
    scheduler: SchedulerClass | None  # class in diffusers; None for the model's own
    networks: Networks = Networks.BETAS  # what it can sample
    settings: Mapping[str, object] = field(default_factory=dict)
    is_embedded: bool = False  # whether it is on offer for the embedded model's kind
    takes_learned_variance: bool = False  # whether it leaves a learned variance aside, or uses it
    takes_sample: bool = True  # whether it knows networks that predict the clean picture itself
    starts_late: bool = False
    divides_by_strides: bool = False  # whether timesteps that repeat make it divide by zero
    even_from_steps: int = 0  # runs of fewer steps, but for one, take the spacing of Karras et al. 2022, eq. 5
    package: str = ""  # what must be installed beside diffusers; empty for nothing

    @property
    def has_karras_spacing(self) -> bool:
        """Whether its levels are spaced as in Karras et al. 2022, eq. 5, at any number of steps."""
        return bool(self.settings.get("use_karras_sigmas"))


_MULTISTEP = {"solver_order": 2, "final_sigmas_type": "zero", "use_karras_sigmas": False, "lower_order_final": True}
_MULTISTEP_PP = {**_MULTISTEP, "algorithm_type": "dpmsolver++", "solver_type": "midpoint"}
_SINGLESTEP = {
    "solver_order": 2, "algorithm_type": "dpmsolver++", "final_sigmas_type": "zero", "lower_order_final": True,
}  # fmt: skip
_EULER = {"final_sigmas_type": "zero", "interpolation_type": "linear"}
_KARRAS = {"use_karras_sigmas": True}
_EVEN = {"use_karras_sigmas": False}
# Of Heun's method, measured on a field of known power with 20 evenly spaced steps, the lowest band held 2.44 of the
# power that it should, as its strides in sigma are too long at the noisy end; 0.75 with Karras' spacing, and 0.72 of
# the same noise in the limit of many steps.
_HEUN_EVEN_FROM = 40

_ROWS = (
    Sampler("ddim", translate("names", "DDIM"), DDIM, is_embedded=True),
    Sampler("ddpm", translate("names", "DDPM"), DDPM, is_embedded=True, takes_learned_variance=True),
    Sampler("dpmpp-2m", translate("names", "DPM-Solver++ 2M"), DPM_MULTISTEP, settings=_MULTISTEP_PP,
            is_embedded=True, takes_learned_variance=True, starts_late=True, divides_by_strides=True),
    Sampler("dpmpp-2m-sde", translate("names", "DPM-Solver++ 2M SDE"), DPM_MULTISTEP,
            settings={**_MULTISTEP_PP, "algorithm_type": "sde-dpmsolver++"},
            is_embedded=True, takes_learned_variance=True, starts_late=True, divides_by_strides=True),
    Sampler("euler", translate("names", "Euler"), EULER, settings={**_EULER, **_EVEN}, is_embedded=True),
    Sampler("euler-a", translate("names", "Euler ancestral"), EULER_ANCESTRAL, is_embedded=True,
            takes_sample=False),
    Sampler("heun", translate("names", "Heun"), HEUN, settings=_EVEN, is_embedded=True,
            even_from_steps=_HEUN_EVEN_FROM),
    Sampler("unipc", translate("names", "UniPC"), UNIPC, is_embedded=True, divides_by_strides=True,
            settings={**_MULTISTEP, "solver_type": "bh2", "predict_x0": True}),
    Sampler("model", translate("names", "the model's own"), None, Networks.ITS_OWN),
    Sampler("dpmpp-2m-karras", translate("names", "DPM-Solver++ 2M, Karras spacing"), DPM_MULTISTEP,
            settings={**_MULTISTEP_PP, **_KARRAS}, takes_learned_variance=True),
    Sampler("dpmpp-2s", translate("names", "DPM-Solver++ 2S"), DPM_SINGLESTEP,
            settings={**_SINGLESTEP, **_EVEN}, takes_learned_variance=True, starts_late=True),
    Sampler("dpmpp-2s-karras", translate("names", "DPM-Solver++ 2S, Karras spacing"), DPM_SINGLESTEP,
            settings={**_SINGLESTEP, **_KARRAS}, takes_learned_variance=True),
    Sampler("euler-karras", translate("names", "Euler, Karras spacing"), EULER,
            settings={**_EULER, **_KARRAS}),
    Sampler("kdpm2", translate("names", "DPM2"), KDPM2, settings=_EVEN, takes_sample=False),
    Sampler("kdpm2-a", translate("names", "DPM2 ancestral"), KDPM2_ANCESTRAL, settings=_EVEN,
            takes_sample=False),
    Sampler("lms", translate("names", "LMS"), LMS, settings=_EVEN, package="scipy"),
    Sampler("pndm", translate("names", "PNDM"), PNDM, settings={"skip_prk_steps": True}),
    Sampler("deis", translate("names", "DEIS"), DEIS,
            settings={**_EVEN, "algorithm_type": "deis"}, starts_late=True),
    Sampler("sa", translate("names", "SA-Solver"), SA_SOLVER,
            settings={**_EVEN, "algorithm_type": "data_prediction"}, starts_late=True),
    Sampler("lcm", translate("names", "LCM"), LCM, Networks.FEW_STEPS),
    Sampler("tcd", translate("names", "TCD"), TCD, Networks.FEW_STEPS),
    Sampler("edm-euler", translate("names", "EDM Euler"), EDM_EULER, Networks.EDM),
    Sampler("edm-dpmpp-2m", translate("names", "EDM DPM-Solver++ 2M"), EDM_MULTISTEP, Networks.EDM),
    Sampler("flow-euler", translate("names", "Flow-matching Euler"), FLOW_EULER, Networks.FLOW),
    Sampler("flow-heun", translate("names", "Flow-matching Heun"), FLOW_HEUN, Networks.FLOW),
)  # fmt: skip

SAMPLERS: Mapping[str, Sampler] = MappingProxyType({row.id: row for row in _ROWS})
"""All samplers by id, in the order in which they are shown."""

OWN_SAMPLER = "model"
"""The sampler that a model's folder brings along, with the settings that it has there."""

EMBEDDED_SAMPLERS = tuple(row.id for row in _ROWS if row.is_embedded)
"""Ids of those on offer for the embedded model."""

SCHEDULER_CLASSES: Mapping[str, SchedulerClass] = MappingProxyType(
    {each.name: each for each in (*(row.scheduler for row in _ROWS if row.scheduler), *_OWN_ONLY)}
)
"""The scheduler classes of diffusers that are known, by name: those of the rows, and what only a model's own can be.

A model with any other runs, too, and its states are recorded; there is no guess of it.
"""


OWN_SUBCLASSES: Mapping[str, str] = MappingProxyType(
    {"EvenDDIMScheduler": DDIM.name, "EvenUniPCScheduler": UNIPC.name, "BoundedHeunScheduler": HEUN.name}
)
"""Classes of `diffusion.samplers.schedulers`, which mend one of diffusers', by name."""


def draws_noise(settings: Mapping[str, object]) -> bool:
    """Whether a scheduler's steps add fresh noise, so that another seed leads elsewhere from the same state.

    Args:
        settings: its config, with its class as `_class_name`, as `RunInfo.sampler_settings` has it.
    """
    known = _class_of(settings)
    is_sde = str(settings.get("algorithm_type", "")).startswith("sde-")
    return is_sde or bool(settings.get("stochastic_sampling")) or (known is not None and known.draws_noise)


def begins_anywhere(settings: Mapping[str, object]) -> bool:
    """Whether a scheduler can begin at any of its levels, with nothing known of the steps before.

    Args:
        settings: as for `draws_noise`.
    """
    known = _class_of(settings)
    return known is not None and known.begins_anywhere


def _class_of(settings: Mapping[str, object]) -> SchedulerClass | None:
    name = str(settings.get("_class_name", ""))
    return SCHEDULER_CLASSES.get(OWN_SUBCLASSES.get(name, name))


NOISELESS_SAMPLERS = tuple(
    row.id for row in _ROWS
    if row.is_embedded and row.scheduler and not draws_noise({"_class_name": row.scheduler.name, **row.settings})
)  # fmt: skip
"""Ids of those on offer for the embedded model whose pictures come of the noise at the start alone."""
