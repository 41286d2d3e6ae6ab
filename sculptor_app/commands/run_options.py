"""What a run is made with, as it is typed: what the commands that run a model share."""

import argparse
from typing import Any

from sculptor_app.commands.model_download import add_download
from sculptor_app.commands.parsing import OneOf, number, whole_number
from sculptor_app.core.requests.request import (
    FORMS,
    MATERIALS,
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_STEPS,
    OptionValue,
    RunRequest,
)
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, SAMPLERS


def add_labels(group: argparse._ArgumentGroup) -> None:
    """Add form and material."""
    group.add_argument("--form", action=OneOf, known=FORMS, name="form", help="left free if not given")
    group.add_argument("--material", action=OneOf, known=MATERIALS, name="material", help="left free if not given")


def add_seed(group: argparse._ArgumentGroup, what: str) -> None:
    """Add the seed.

    Args:
        group: where it goes.
        what: it is the seed of.
    """
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=7, metavar="N",
                       help=f"of {what}; the same on every device (7)")  # fmt: skip


def add_steps(group: argparse._ArgumentGroup, least: int = 1) -> None:
    """Add the number of steps."""
    group.add_argument("--steps", type=whole_number("number of steps", least, MAX_STEPS), default=50, metavar="N",
                       help=f"reverse steps, {least} to {MAX_STEPS} (50)")  # fmt: skip


def add_sampler(group: argparse._ArgumentGroup) -> None:
    """Add the sampler."""
    group.add_argument("--sampler", action=OneOf, known=tuple(SAMPLERS), name="sampler", default="ddim", metavar="ID",
                       help=f"one of {', '.join(SAMPLERS)}; the embedded model has {', '.join(EMBEDDED_SAMPLERS)}, and "
                       "model is the one that a model's folder brings along (ddim)")  # fmt: skip


class StoreParameter(argparse.Action):
    """Collects what a model is told, by name."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add one value, or refuse what names none."""
        name, is_set, value = (self._own_name, True, values) if self._own_name else _named(values)
        if not is_set:
            parser.error(f"{values!r} sets nothing; write NAME=VALUE, as in height=512")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), name: value})

    @property
    def _own_name(self) -> str:
        """The parameter that an option of its own is for."""
        return "" if "--set" in self.option_strings else self.option_strings[0][2:].replace("-", "_")


def _named(text: str) -> tuple[str, bool, OptionValue]:
    """Name and value of NAME=VALUE: numbers, true and false are read as such, all else is words."""
    name, equals, value = text.partition("=")
    for read in (int, float):
        try:
            return name.strip(), bool(equals), read(value)
        except ValueError:
            continue
    return name.strip(), bool(equals and name.strip()), {"true": True, "false": False}.get(value.lower(), value)


def add_conditions(group: argparse._ArgumentGroup) -> None:
    """Add what other people's models are told."""
    group.add_argument(
        "--prompt", action=StoreParameter, dest="options", metavar="TEXT", help="for models that take words"
    )
    group.add_argument(
        "--negative-prompt", action=StoreParameter, dest="options", metavar="TEXT", help="what is not wanted"
    )
    group.add_argument("--set", action=StoreParameter, dest="options", metavar="NAME=VALUE",
                       help="whatever else the model takes, such as height=512; can be repeated")  # fmt: skip


def add_guidance(group: argparse._ArgumentGroup, usual: float = 2.0) -> None:
    """Add the guidance."""
    group.add_argument("--guidance", type=number("guidance", 0, MAX_GUIDANCE), default=usual, metavar="X",
                       help=f"how much form and material count; 1 is none ({usual:g})")  # fmt: skip


def add_model(group: argparse._ArgumentGroup) -> None:
    """Add the model and where it runs."""
    group.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:0, mps (auto)")
    group.add_argument("--model", metavar="MODEL", help="a folder in diffusers' format, a safetensors file, or the "
                       "owner/name of a model on the hub (the embedded one)")  # fmt: skip
    add_download(group)


def request_of(arguments: argparse.Namespace) -> RunRequest:
    """The request as it was typed; what the command has no option for is the usual.

    Raises:
        RequestError: a value is outside what is allowed.
    """
    typed = vars(arguments)
    given = {name: typed[name] for name in RunRequest.__dataclass_fields__ if name in typed}
    return RunRequest(**given | {"options": given.get("options") or ()})
