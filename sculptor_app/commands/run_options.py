"""Options of the commands that run a model: labels, sampler, model and its download, and the picture to begin with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sculptor_app.commands.terminal import (
    Interruption,
    OneOf,
    ProgressBar,
    file_path,
    is_terminal,
    model_address,
    number,
    say,
    stderr,
    stdout,
    whole_number,
)
from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.files import is_same_place
from sculptor_app.core.requests.changes import Change, Place, RunChanges, segments_words, with_settings
from sculptor_app.core.requests.request import (
    FIRST_GUIDANCE,
    FIRST_SAMPLER,
    FORMS,
    MATERIALS,
    MAX_GUIDANCE,
    MAX_LORA_WEIGHT,
    MAX_SEED,
    MAX_STEPS,
    Lora,
    OptionValue,
    RequestError,
    RunRequest,
)
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, OWN_SAMPLER, SAMPLERS
from sculptor_app.core.texts import decimal_text, number_text
from sculptor_app.exports.files import ExportError, OptionError

if TYPE_CHECKING:
    from sculptor_app.core.pictures.file import OpenedPicture
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.diffusion.models.hub.download import Offer


def _add_download(group: argparse._ActionsContainer) -> None:
    """Add the permission to fetch a model."""
    group.add_argument("--download", action="store_true", help="ask the hub for a model owner/name, and fetch "
                       "what of it is not here; Ctrl-C keeps what has come")  # fmt: skip
    group.add_argument("--convert-pickles", action="store_true", help="read weights that are pickles in a sandbox, "
                       "where nothing in them is run, and keep a copy without code")  # fmt: skip


def bring_model(arguments: argparse.Namespace, interruption: Interruption) -> None:
    """Fetch what is missing of the model that was named, and convert its pickles, if that is wanted.

    The hub is asked only after `--download`: a name of the hub may be a path that was mistyped.

    Raises:
        ModelRefused: A pickle holds more than weights.
        ModelFolderError: It is not here, and to be fetched neither.
        Cancelled: It was interrupted.
    """
    if arguments.model is None:
        return
    with interruption.at_once():  # it may take seconds to import
        from sculptor_app.diffusion.models.hub.cache import from_address

    arguments.model = from_address(arguments.model)
    if arguments.download:
        with interruption.at_once():
            from sculptor_app.diffusion.models.hub.download import find_missing

        offer = find_missing(arguments.model, arguments.convert_pickles)
        if offer is not None:
            _fetch(offer, interruption)
    else:
        _check_is_here(arguments.model)
    if arguments.convert_pickles:
        from sculptor_app.diffusion.models.loader import convert_pickles, find_model

        with ProgressBar("Converting", 0, "file") as bar:
            convert_pickles(find_model(arguments.model), stop=interruption.event, report=bar.say)


def _check_is_here(model: str) -> None:
    """Refuse a name of the hub of which nothing is here, or only a part."""
    from sculptor_app.diffusion.models.hub import cache

    if not cache.is_of_the_hub(model) or cache.is_begun(model):  # what is not whole says itself what it lacks
        return
    if cache.is_partly_here(model):
        raise ModelFolderError(
            f"Only a part of the model {model} is on this computer.", "Add --download to fetch the rest from the hub."
        )
    raise ModelFolderError(
        f"There is no folder {model}, and no model of that name from the hub is on this computer.",
        f"Add --download to fetch it from the hub, or write ./{model} for a folder.",
    )


def _fetch(offer: Offer, interruption: Interruption) -> None:
    from sculptor_app.diffusion.models.hub.download import download

    if is_terminal(stderr()):
        say(f"{offer.summary}.", stderr())
    with ProgressBar("Downloading", offer.total_bytes, "B", is_scaled=True) as bar:
        try:
            download(offer, lambda done, _: bar.move_to(done), interruption.event)
        except Cancelled as error:
            what = f"Interrupted; what has come of {offer.name} is kept, and --download goes on from there."
            raise Cancelled(what) from error


def add_labels(group: argparse._ArgumentGroup) -> None:
    """Add form and material."""
    group.add_argument("--form", action=OneOf, known=FORMS, name="form", help="any one if not given")
    group.add_argument("--material", action=OneOf, known=MATERIALS, name="material", help="any one if not given")


def add_seed(group: argparse._ArgumentGroup, what: str) -> None:
    """Add the seed."""
    group.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED), default=7, metavar="N",
                       help=f"of {what}; the same on every device (7)")  # fmt: skip


def add_steps(group: argparse._ArgumentGroup, least: int = 1) -> None:
    """Add the number of steps."""
    group.add_argument("--steps", type=whole_number("number of steps", least, MAX_STEPS), default=50, metavar="N",
                       help=f"reverse steps, {least} to {MAX_STEPS} (50)")  # fmt: skip


def add_sampler(group: argparse._ArgumentGroup) -> None:
    """Add the sampler."""
    group.add_argument("--sampler", action=OneOf, known=tuple(SAMPLERS), name="sampler", metavar="ID",
                       help=f"one of {', '.join(SAMPLERS)}; the embedded model has {', '.join(EMBEDDED_SAMPLERS)}, and "
                       "model is the one that a model's folder brings along "
                       f"({FIRST_SAMPLER}; of other models their own)")  # fmt: skip


class StoreParameter(argparse.Action):
    """Collects parameters of a model by name."""

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
    """Add the parameters that other people's models take: prompts, and whatever else by name."""
    group.add_argument(
        "--prompt", action=StoreParameter, dest="options", metavar="TEXT", help="for models that take words"
    )
    group.add_argument(
        "--negative-prompt", action=StoreParameter, dest="options", metavar="TEXT", help="what is not wanted"
    )
    group.add_argument("--set", action=StoreParameter, dest="options", metavar="NAME=VALUE",
                       help="whatever else the model takes, such as height=512; can be repeated")  # fmt: skip
    group.add_argument("--lora", action="append", dest="loras", metavar="FILE[:WEIGHT]",
                       help="a LoRA for the model, a safetensors file, and how much it counts, "
                       f"{decimal_text(-MAX_LORA_WEIGHT)} to {decimal_text(MAX_LORA_WEIGHT)} (1); can be "
                       "repeated")  # fmt: skip


def add_guidance(group: argparse._ArgumentGroup, usual: float | None = None) -> None:
    """Add the guidance; without a usual one it is the model's own."""
    shown = f"{number_text(FIRST_GUIDANCE)}; of other models their own" if usual is None else decimal_text(usual)
    group.add_argument("--guidance", type=number("guidance", 0, MAX_GUIDANCE), default=usual, metavar="X",
                       help=f"how much form and material, or a prompt, count; 1 is none ({shown})")  # fmt: skip


def add_model(group: argparse._ActionsContainer, option: str = "--model") -> None:
    """Add the model, where it runs, and what may be done to have it: the same for every command that opens one.

    Args:
        option: "model" where the command asks for one by its place; without the option it is the embedded one.
    """
    what = "a folder in diffusers' format, a safetensors file, or the owner/name of a model on the hub"
    group.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:0, mps (auto)")
    group.add_argument(option, type=model_address, metavar="MODEL",
                       help=what if option == "model" else f"{what} (the embedded one)")  # fmt: skip
    _add_download(group)


class LikeFile(argparse.Action):
    """Takes over the settings of a file; what was typed to another value than the usual one stays."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Set what the file says, or refuse a file that says nothing."""
        from sculptor_app.exports.made_with import read_made_with  # Pillow comes with it

        try:
            made = read_made_with(values)
        except ExportError as error:
            parser.error(f"--like: {error.message} {error.advice}".strip())
        for name, value in made.fields.items():
            if name == "options":
                namespace.options = {**value, **(namespace.options or {})}
            elif getattr(namespace, name) == parser.get_default(name):
                setattr(namespace, name, value)
        setattr(namespace, self.dest, made)


def add_like(group: argparse._ArgumentGroup) -> None:
    """Add the file whose settings are taken over."""
    group.add_argument("--like", action=LikeFile, type=file_path, metavar="FILE",
                       help="take over what a picture, film or page says that it was made with: one of this program, "
                       "or a picture of ComfyUI or AUTOMATIC1111’s web UI; options beside it go before")  # fmt: skip


def check_like(arguments: argparse.Namespace) -> None:
    """Say what of a file is not taken over, and refuse one whose model is not named."""
    made = getattr(arguments, "like", None)
    if made is None:
        return
    if made.model and arguments.model is None:
        raise OptionError(f"It was made by the model {made.model}.", "Say with --model where that is.")
    left_out = [*made.left_out]
    if made.changes and not hasattr(arguments, "change"):
        left_out.append("what changed along the run")
    if left_out:
        say(f"Not taken over: {', '.join(left_out)}.", stderr())
    if not made.is_own:
        say(f"{made.program} makes its noise otherwise: expect a picture of the kind, not the same.", stderr())


_OF_THE_MODEL = ("sampler", "guidance")
"""What other models have settings of their own for, where nothing is typed."""


def with_models_own(request: RunRequest, arguments: argparse.Namespace) -> RunRequest:
    """The request with a model's own sampler and guidance where none is typed; the model must be here by now."""
    from sculptor_app.diffusion.models.loader import is_of_embedded_kind

    if request.model is None or is_of_embedded_kind(request.model):
        return request
    own: dict[str, Any] = {"sampler": OWN_SAMPLER, "guidance": None}
    return replace(request, **{name: own[name] for name in _OF_THE_MODEL if getattr(arguments, name) is None})


def request_of(arguments: argparse.Namespace) -> RunRequest:
    """The request as typed, else with what is usual of the embedded model; `RequestError` if a value is not allowed."""
    typed = {name: value for name, value in vars(arguments).items() if value is not None or name not in _OF_THE_MODEL}
    given = {name: typed[name] for name in RunRequest.__dataclass_fields__ if name in typed}
    loras = tuple(Lora.parse(text) for text in given.get("loras") or ())
    for lora in loras:
        lora.check_file()
    if given.get("model") is None:
        given = {"sampler": FIRST_SAMPLER, "guidance": FIRST_GUIDANCE} | given
    return RunRequest(**given | {"options": given.get("options") or (), "loras": loras})


def add_picture(group: argparse._ArgumentGroup) -> None:
    """Add the file, and what is rendered instead."""
    group.add_argument("picture", type=file_path, nargs="?", metavar="PICTURE",
                       help="a file that holds a picture; its middle is brought to the model's size")  # fmt: skip
    group.add_argument("--render", action=OneOf, known=FORMS, name="form",
                       help="or: a sculpture, rendered for this")  # fmt: skip
    group.add_argument("--render-material", action=OneOf, known=MATERIALS, name="material",
                       help="of the sculpture (marble)")  # fmt: skip
    group.add_argument("--render-seed", type=whole_number("seed", 0, MAX_SEED), metavar="N",
                       help="of the sculpture (7)")  # fmt: skip


def check_picture(
    arguments: argparse.Namespace,
    missing: str = "There is no picture.",
    of_the_sculpture: tuple[str, ...] = ("render-material", "render-seed"),
) -> None:
    """Refuse (`OptionError`) what can be seen to be wrong before a file is opened.

    Args:
        missing: The sentence where there is no picture.
        of_the_sculpture: Options that need `--render`.
    """
    if arguments.picture is None and arguments.render is None:
        raise OptionError(missing, "Name a PICTURE, or add --render FORM.")
    if arguments.picture is not None and arguments.render is not None:
        raise OptionError("There are a PICTURE and --render.", "Choose one of them.")
    for option in of_the_sculpture:
        if arguments.render is None and getattr(arguments, option.replace("-", "_")) is not None:
            raise OptionError(f"--{option} is that of a sculpture.", "Add --render FORM, or leave it out.")
    for path in (arguments.out, arguments.csv, getattr(arguments, "save", None)):
        if path is not None and arguments.picture is not None and is_same_place(path, arguments.picture):
            raise OptionError(f"{path} is the picture itself.", "Choose another name to save under.")


def given_picture(arguments: argparse.Namespace, square_px: int) -> OpenedPicture:
    """The picture as a square of this size; `PictureError` if the file holds none that can be used."""
    if arguments.render is not None:
        seed = 7 if arguments.render_seed is None else arguments.render_seed
        return rendered(arguments.render, arguments.render_material, seed, square_px)
    from sculptor_app.core.pictures.file import open_picture  # numpy and Pillow come with it

    opened = open_picture(arguments.picture, square_px=square_px)
    say_changes(opened)
    return opened


def say_changes(opened: OpenedPicture) -> None:
    """Say on the error stream what was done to a picture besides resizing it, and to a person that, too."""
    if opened.changes:
        say(f"{opened.name}: {', '.join(opened.notes)}", stderr())
    elif opened.notes and is_terminal(stdout()):
        say(f"{opened.name}: {', '.join(opened.notes)}", stdout())


def rendered(form: str, material: str | None, seed: int, size_px: int) -> OpenedPicture:
    """A sculpture; marble if the material is not said."""
    from sculptor_app.atelier.renderer import render  # torch takes seconds to import
    from sculptor_app.core.pictures.file import OpenedPicture

    material = material or MATERIALS[0]
    picture = render([seed], [FORMS.index(form)], [MATERIALS.index(material)], size_px, may_compile=False)[0]
    return OpenedPicture(picture.numpy(), f"{form} · {material}", (size_px, size_px), ())


def add_changes(group: argparse._ArgumentGroup) -> None:
    """Add what changes along the run."""
    group.add_argument("--change", action="append", default=[], metavar="PLACE:NAME=VALUE",
                       help="another form, material, guidance, sampler, prompt or parameter from a place on: "
                       "8:form=vase after step 8, snr=0.3:guidance=4 or sigma=2:prompt=TEXT from a noise level on; can "
                       "be repeated")  # fmt: skip
    group.add_argument("--guidance-between", metavar="PLACE,PLACE",
                       help="guidance between two places only, 1 outside: 0.02,1.9 are SNRs, and step=5,step=30 "
                       "steps")  # fmt: skip


def changes_of(arguments: argparse.Namespace) -> RunChanges:
    """What changes along the run as it was typed, else as along that of `--like`.

    Raises:
        OptionError, RequestError: It cannot be read, or is none.
    """
    like, changes = getattr(arguments, "like", None), []
    if like is not None and not arguments.change and arguments.guidance_between is None:
        own: RunChanges = like.changes
        return own
    for text in arguments.change:
        place, colon, setting = text.partition(":")
        name, equals, value = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not colon or not equals or not name:
            raise OptionError(f"{text!r} changes nothing.", "Write PLACE:NAME=VALUE, as in 8:form=vase.")
        change = change_of(name, value.strip())
        [(name, told)] = change.get("options", change).items()
        changes.append(Change(Place.parse(place), name, told))
        with_settings(RunRequest(), {name: told})  # refused here if the value is none for any model
    places = None
    if arguments.guidance_between is not None:
        first, comma, last = arguments.guidance_between.partition(",")
        if not comma or "," in last:
            raise OptionError(
                f"{arguments.guidance_between!r} is not two places.", "Write two, as in 0.02,1.9 or step=5,step=30."
            )
        places = Place.parse(first, "snr"), Place.parse(last, "snr")
    return RunChanges(tuple(changes), places)


def check_changes(changes: RunChanges, steps: int) -> None:
    """Refuse places by steps that no run of so many has, before any time is spent."""
    from sculptor_app.core.trajectory.levels import UNKNOWN

    by_steps = tuple(each for each in changes.changes if each.place.kind == "step")
    RunChanges(by_steps).segments(RunRequest(steps=steps), (UNKNOWN,) * (steps + 1))


def say_changes_along(info: RunInfo) -> None:
    """Say on the error stream what changed along the run where something was to."""
    words = segments_words(info.segments)
    say(
        f"Along the run: {words}." if words else "Nothing changed along the run: it had these values already.", stderr()
    )


def step_or_level(low: int, high: int) -> Callable[[str], int | Place]:
    """A converter for argparse: the number of a step within bounds, or a noise level in words, as "snr=0.3"."""
    whole = whole_number("step", low, high)

    def convert(text: str) -> int | Place:
        if not any(each.isalpha() for each in text):
            return whole(text)
        try:
            place = Place.parse(text)
        except RequestError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return whole(str(place.value)) if place.kind == "step" else place

    return convert


def change_of(name: str, value: str) -> dict[str, Any]:
    """What another value of a setting changes in a request, for `changed`; `RequestError` where it is no value."""
    if name in ("form", "material", "sampler"):
        return {name: value}
    if name == "guidance":
        try:
            return {name: float(value)}
        except ValueError as error:
            raise RequestError(f"The guidance {value!r} is no number; give one.") from error
    if name in ("seed", "steps"):
        if not value.isdecimal():
            raise RequestError(f"{value!r} is no value of {name}; give a whole number.")
        return {name: int(value)}
    if "prompt" in name:
        return {"options": {name: value}}
    for read in (int, float):
        try:
            return {"options": {name: read(value)}}
        except ValueError:
            continue
    return {"options": {name: {"true": True, "false": False}.get(value.lower(), value)}}


def changed(request: RunRequest, change: dict[str, Any]) -> RunRequest:
    """A request with another value, as `change_of` gives it; `RequestError` where it is not allowed."""
    if "options" in change:
        change = change | {"options": request.option_values | change["options"]}
    return replace(request, **change)
