"""Which samplers a loaded model can be run with, and whether its own is one of them."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import diffusers

from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.requests.samplers import (
    EMBEDDED_SAMPLERS,
    OWN_SAMPLER,
    SAMPLERS,
    SCHEDULER_CLASSES,
    Family,
    Networks,
    Sampler,
)
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.parameters import code_names, function_of, plans_sigmas
from sculptor_app.diffusion.samplers.schedulers import class_of, settings_of


def samplers_for(pipeline: Any, settings: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The samplers that a pipeline can be run with, the one to begin with first.

    A model of flow matching takes those of flow matching, one of EDM those of EDM. Others are offered where the
    pipeline's code shows that they work: it scales the network's input as the sampler wants it, or the sampler wants
    none; and it gives the sampler no argument that this one does not take. What is the model's own sampler anyway is
    not offered once more.

    Args:
        settings: What `settings_of` said when it was loaded; None if it still has the scheduler that it came with.
    """
    if hasattr(pipeline, "label_embedding"):  # the embedded model's kind; they were chosen for it
        return EMBEDDED_SAMPLERS
    own = settings_of(pipeline) if settings is None else settings
    name = own.get("_class_name")
    others = (row for row in SAMPLERS.values() if row.scheduler and not _is_own(row, name))
    return (OWN_SAMPLER, *(row.id for row in others if can_run(pipeline, row.id, own)))


def check_sampler(pipeline: Any, sampler: str, settings: Mapping[str, Any]) -> None:
    """Refuse a sampler that a pipeline cannot be run with; the `RequestError` names those that it can."""
    if not can_run(pipeline, sampler, settings):
        able = ", ".join(samplers_for(pipeline, settings))
        raise RequestError(
            translate("errors", "This model cannot be run with the sampler {0!r}; choose one of {1}.").format(
                sampler, able
            )
        )


def can_run(pipeline: Any, sampler: str, settings: Mapping[str, Any]) -> bool:
    """Whether a pipeline can be run with a sampler; arguments are those of `check_sampler`."""
    if sampler == OWN_SAMPLER:
        return True
    if hasattr(pipeline, "label_embedding"):
        return SAMPLERS[sampler].is_embedded
    name, row = str(settings.get("_class_name")), SAMPLERS[sampler]
    return name in SCHEDULER_CLASSES and row.networks is _networks(name, settings) and _works(row, settings, pipeline)


def _is_own(row: Sampler, own_name: Any) -> bool:
    return own_name in {each.__name__ for each in class_of(row).__mro__} and not row.has_karras_spacing


def _networks(name: str, own: Mapping[str, Any]) -> Networks:
    family = SCHEDULER_CLASSES[name].family
    if SCHEDULER_CLASSES[name].is_own_only:
        return Networks.ITS_OWN
    if family is Family.FLOW:
        return Networks.FLOW
    if family is Family.EDM:
        return Networks.EDM
    if name in ("LCMScheduler", "TCDScheduler"):
        return Networks.FEW_STEPS
    # A network of betas that knows flows, or levels in place of timesteps: only its own sampler does so, too.
    flows = own.get("prediction_type") == "flow_prediction" or own.get("use_flow_sigmas")
    is_special = flows or own.get("timestep_type", "discrete") != "discrete"
    return Networks.ITS_OWN if is_special else Networks.BETAS


def _works(row: Sampler, own: Mapping[str, Any], pipeline: Any) -> bool:
    kind, own_kind, words = class_of(row), getattr(diffusers, own["_class_name"]), code_names(pipeline)
    if not _knows_the_network(row, own) or why_scheduler_misfits(pipeline, {"scheduler": kind.__new__(kind)}):
        return False
    if row.networks is Networks.FEW_STEPS:
        return _takes_any(pipeline)
    if row.networks is Networks.FLOW:
        takes_levels = "sigmas" in _parameters(kind.set_timesteps)
        return not own.get("use_dynamic_shifting") and (takes_levels or not plans_sigmas(pipeline))
    if row.scheduler is not None and row.scheduler.family is Family.SIGMAS and "scale_model_input" not in words:
        return False
    looks = {"prepare_extra_step_kwargs", "signature"} & words  # it looks what arguments a sampler takes
    return bool(looks) or _takes_any(pipeline) or _parameters(own_kind.step) <= _parameters(kind.step)


def _knows_the_network(row: Sampler, own: Mapping[str, Any]) -> bool:
    """Whether a sampler fits what the network predicts and the schedule that it was trained on."""
    if row.package and importlib.util.find_spec(row.package) is None:
        return False
    if own.get("prediction_type") == "sample" and not row.takes_sample:
        return False
    if str(own.get("variance_type")).startswith("learned") and not row.takes_learned_variance:
        return False
    # On a cosine schedule Karras' spacing begins at sigma 20,000, and spends most steps where nothing can be seen.
    return not (row.has_karras_spacing and own.get("beta_schedule") == "squaredcos_cap_v2")


def _takes_any(pipeline: Any) -> bool:
    """Whether a pipeline says that it works with all of diffusers' usual samplers."""
    annotation = inspect.signature(type(pipeline).__init__).parameters["scheduler"].annotation
    return annotation is diffusers.schedulers.KarrasDiffusionSchedulers


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


# What a pipeline calls its scheduler for ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SchedulerCall:
    """A call of one of the scheduler's methods in a pipeline's code."""

    part: str  # name of the scheduler among the components
    method: str
    places: int  # arguments without a name
    names: tuple[str, ...]  # of the others
    is_open: bool  # whether there may be more, of which the pipeline asks whether they are taken


def why_scheduler_misfits(pipeline: Any, schedulers: Mapping[str, Any]) -> str:
    """The sentence that a pipeline calls its scheduler for what that one cannot do; empty where it can, or who knows.

    A folder may put any of diffusers' schedulers beside any pipeline; the call fails in mid-run then.

    Args:
        schedulers: by their names among the components.
    """
    name = type(pipeline).__name__
    for call in _scheduler_calls(function_of(pipeline)):
        scheduler = schedulers.get(call.part)
        if scheduler is None:
            continue
        method, kind = getattr(scheduler, call.method, None), type(scheduler).__name__
        if method is None:
            sentence = translate("errors", "{0} needs the {1} of its scheduler, and {2} has none.")
            return sentence.format(name, call.method, kind)
        try:
            signature = inspect.signature(method)
            bind = signature.bind_partial if call.is_open else signature.bind
            bind(*(None,) * call.places, **dict.fromkeys(call.names))
        except TypeError:
            unknown = ", ".join(each for each in call.names if each not in signature.parameters)
            sentence = translate("errors", "{0} hands {1} to the {2} of its scheduler, and {3} does not take that.")
            what = unknown or translate("errors", "{0} values").format(call.places + len(call.names))
            return sentence.format(name, what, call.method, kind)
    return ""


@functools.lru_cache(maxsize=256)
def _scheduler_calls(function: Any) -> tuple[_SchedulerCall, ...]:
    """The calls that a pipeline makes whatever its scheduler is; none where its source is not there."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return ()
    return tuple(_calls_below(tree))


def _calls_below(node: ast.AST) -> Iterator[_SchedulerCall]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If | ast.IfExp) and "scheduler" in ast.unparse(child.test):  # it asks what it has
            continue
        yield from _calls_below(child)
        match child:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=part), attr=method)):
                names = tuple(each.arg for each in child.keywords if each.arg is not None)
                starred = any(isinstance(each, ast.Starred) for each in child.args)
                is_open = starred or len(names) < len(child.keywords)
                places = sum(not isinstance(each, ast.Starred) for each in child.args)
                yield _SchedulerCall(part, method, places, names, is_open)
