"""What a picture or a film says that it was made with, read as settings of a run: files of this program, and others'.

Of other programs two conventions are read, which most of them share. The one of AUTOMATIC1111's web UI (and of Forge,
SD.Next, Fooocus, Civitai) is a text "parameters" of a PNG, or the user comment in the EXIF data of a JPEG or WebP: the
prompt, a line "Negative prompt: …", and a last line "Steps: 20, Sampler: Euler a, …". ComfyUI's is the graph of nodes
as JSON, in the texts "prompt" and "workflow" of a PNG, or in the EXIF data of a WebP.

Nothing of a file is run, no link in it is followed beyond its own graph, and what is no setting is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from sculptor_app.core.requests.changes import (
    NO_CHANGES,
    Place,
    RunChanges,
    Segment,
    base_request,
    changes_between,
)
from sculptor_app.core.requests.request import OptionValue, Parting, RequestError, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.settings import APPLICATION, BROKEN_FILE, read_settings

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""Endings of pictures in which other programs' settings are looked for."""
MOST_LETTERS = 4_000_000
"""Of a text in a file that is read."""
MOST_NODES = 5_000
"""Of a graph that are walked through."""
MOST_SAMPLERS = 50
"""Nodes of a graph that are looked at as the one which samples first."""
MOST_LISTED = 8
"""Names of LoRAs and the like that are listed."""


@dataclass(frozen=True, slots=True)
class MadeWith:
    """The settings of a file.

    Attributes:
        program: that wrote the file, as "ComfyUI".
        fields: settings of a run that can be taken over, by the names of `RunRequest`'s fields; "model" is among them
            only as None, where it was the embedded one.
        model: name, address or path of the model, as the file has it; empty for the embedded one, and where it does
            not say.
        left_out: what of it has no counterpart here, as "the sampler DPM fast"; English, marked for translation.
        settings: everything that was read, for a person or a program to look at.
        changes: what changed along the run, by its steps.
    """

    program: str
    fields: Mapping[str, Any]
    model: str
    left_out: tuple[str, ...]
    settings: Mapping[str, Any]
    changes: RunChanges = NO_CHANGES

    @property
    def is_own(self) -> bool:
        """Whether this program wrote the file: then the same settings make the same picture."""
        return self.program == APPLICATION

    def over(self, request: RunRequest) -> RunRequest:
        """A request with these settings in place of its own; of the options those that the file does not name stay."""
        fields = dict(self.fields)
        if "options" in fields:
            fields["options"] = request.option_values | fields["options"]
        return replace(request, **fields)


def read_made_with(path: Path) -> MadeWith:
    """The settings in a picture, film or web page.

    Raises:
        ExportError: it cannot be read, or holds none.
    """
    try:
        return _own(read_settings(path))
    except ExportError:
        found = _foreign(path) if path.suffix.lower() in SUFFIXES else None
        if found is None:
            raise
        return found


# Files of this program ------------------------------------------------------------------------------------------------


def _own(settings: Mapping[str, Any]) -> MadeWith:
    """What one of this program's files was made with; of many runs, what the first one was."""
    left_out: list[str] = []
    runs, told, changes = settings.get("runs"), settings.get("request"), NO_CHANGES
    if isinstance(runs, list) and runs and isinstance(runs[0], dict):
        told = runs[0].get("request")
        left_out.append(translate("names", "the other runs of {0}").format(len(runs)))
    elif settings.get("origin"):
        left_out.append(translate("names", "the picture that it began with"))
    elif settings.get("forks"):
        segments = _segments(settings)
        found = changes_between(segments) if segments else None
        if found is None:
            left_out.append(translate("names", "the run that it parted from"))
        else:
            told, changes = base_request(segments).as_dict() | {"loras": ()}, found
    told = told if isinstance(told, dict) else {}
    wanted = {name: told[name] for name in RunRequest.__dataclass_fields__ if name in told and name != "device"}
    if wanted.get("seed", 0) is None:  # its noise was none of a seed's
        del wanted["seed"]
    if wanted.pop("loras", None):
        left_out.append(translate("names", "its LoRAs"))  # named, but not where they lie
    model = wanted.pop("model", "")
    fields = _checked(wanted, left_out) | ({"model": None} if model is None else {})
    return MadeWith(APPLICATION, fields, str(model or ""), tuple(left_out), settings, changes)


def _segments(settings: Mapping[str, Any]) -> tuple[Segment, ...]:
    """The stretches of a run whose settings changed along it; none where it left another run in another way."""
    try:
        forks = settings["forks"]
        if any(each["parting"] != Parting.OWN_STATE for each in forks):
            return ()
        told = [*(each["request"] for each in forks), settings["request"]]
        requests = [RunRequest(**{**each, "loras": ()}) for each in told]
        starts = [Place("step", each["step"]).value for each in forks]
    except (RequestError, TypeError, ValueError, KeyError, AttributeError):
        return ()
    return tuple(Segment(int(after), request) for after, request in zip((0, *starts), requests, strict=True))


# Other programs' ------------------------------------------------------------------------------------------------------


def _foreign(path: Path) -> MadeWith | None:
    """What another program says; None where nothing is found."""
    texts = _texts_of(path)
    for read in (_from_parameters, _from_graph):
        found = read(texts)
        if found is not None:
            return found
    return None


_TAGS = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.ImageDescription)


def _texts_of(path: Path) -> dict[str, str]:
    """The texts in a picture's file, by names in small letters; those in its EXIF data by what they begin with."""
    found: dict[str, str] = {}
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:  # its pixels are not decoded
            for name, text in image.info.items():
                if isinstance(name, str) and isinstance(text, str):
                    found[name.lower()] = text[:MOST_LETTERS]
            exif = image.getexif()
            comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
            tagged = [exif.get(tag) for tag in _TAGS]
    except BROKEN_FILE:
        return found
    if comment is not None:
        found.setdefault("parameters", _user_comment(comment))
    for text in tagged:  # as ComfyUI writes them: "prompt:{…}"
        name, colon, rest = str(text or "").partition(":")
        if colon and name.lower() in ("prompt", "workflow"):
            found.setdefault(name.lower(), rest[:MOST_LETTERS])
    return found


def _user_comment(comment: object) -> str:
    """The user comment of EXIF data, whose first eight bytes say how it is written."""
    if isinstance(comment, str):
        return comment[:MOST_LETTERS]
    if not isinstance(comment, bytes):
        return ""
    code, text = comment[:8], comment[8 : 8 + 2 * MOST_LETTERS]
    if code.startswith(b"UNICODE"):
        # The order of the bytes is that of the EXIF data by the standard, and big-endian in practice.
        zeros = [text[start:200:2].count(0) for start in (0, 1)]
        return text.decode("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be", "replace")
    return (text if code.startswith((b"ASCII", b"\0")) else comment).decode("utf-8", "replace")


# The texts of AUTOMATIC1111's web UI ----------------------------------------------------------------------------------

_FIRST_SETTING = re.compile(r"^\s*Steps:\s*\d", re.MULTILINE)
_NEGATIVE = re.compile(r"^Negative prompt:\s?", re.MULTILINE)
_LORA_IN_PROMPT = re.compile(r"<(?:lora|lyco|hypernet):([^:<>]{1,200})(?::[^<>]{0,100})?>")
_WEB_UI = "Stable Diffusion web UI"


def _from_parameters(texts: Mapping[str, str]) -> MadeWith | None:
    text = texts.get("parameters", "").replace("\r\n", "\n").strip()
    starts = [found.start() for found in _FIRST_SETTING.finditer(text)]
    if not starts:
        return None
    words, line = text[: starts[-1]].strip("\n"), text[starts[-1] :]
    told = dict(_settings_in(line))
    prompt, negative = words, ""
    if (parted := _NEGATIVE.search(words)) is not None:
        prompt, negative = words[: parted.start()], words[parted.end() :]
    left_out = _loras(_LORA_IN_PROMPT.findall(prompt))
    prompt = _LORA_IN_PROMPT.sub("", prompt).strip()
    wanted: dict[str, Any] = {
        "seed": _whole(told.get("Seed")), "steps": _whole(told.get("Steps")),
        "guidance": _number(told.get("CFG scale")),
        "sampler": _sampler(told.get("Sampler", ""), told.get("Schedule type", ""), left_out),
    }  # fmt: skip
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", told.get("Size", ""))
    options = _options(prompt, negative.strip(), *(map(int, size.groups()) if size else (None, None)))
    if "Denoising strength" in told and "Hires upscale" not in told:
        left_out.append(translate("names", "the picture that it began with"))
    for name in ("Hires upscale", "ControlNet 0", "Refiner"):
        if name in told:
            left_out.append(name.removesuffix(" 0"))
    fields = _checked(_said(wanted) | {"options": options}, left_out)
    settings = {"program": _WEB_UI, "prompt": prompt, "negative_prompt": negative.strip()} | told
    return MadeWith(_WEB_UI, fields, told.get("Model", ""), tuple(left_out), settings)


def _settings_in(line: str) -> Iterator[tuple[str, str]]:
    """Names and values of "Steps: 20, Sampler: Euler a, …"; a value with commas stands in quotation marks, as JSON."""
    place = 0
    while place < len(line):
        name, colon, _ = line[place:].partition(":")
        if not colon or len(name) > 200:
            return
        place += len(name) + 1
        while place < len(line) and line[place] == " ":
            place += 1
        if line[place : place + 1] == '"':
            try:
                value, length = json.JSONDecoder().raw_decode(line[place:])
            except ValueError:
                value, length = line[place:].split(",", 1)[0], len(line[place:].split(",", 1)[0])
        else:
            value = re.split(r"[,\n]", line[place:], maxsplit=1)[0]
            length = len(value)
        yield name.strip(" ,\n"), str(value).strip()
        place += length
        while place < len(line) and line[place] in ", \n":
            place += 1


# The graphs of ComfyUI ------------------------------------------------------------------------------------------------

Graph = dict[str, dict[str, Any]]
"""Nodes by their ids: "type", and "inputs", each a value or [id of another node, number of its output]."""

_COMFY = "ComfyUI"
_WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "EmptyLatentImage": ("width", "height"),
    "EmptySD3LatentImage": ("width", "height"),
    "RandomNoise": ("noise_seed",),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",),
    "LoraLoader": ("lora_name",),
    "LoraLoaderModelOnly": ("lora_name",),
    "PrimitiveNode": ("value",),
}
"""What the values of a node are called, in the order in which a workflow's file lists them without names."""
_VALUE_NAMES = ("value", "int", "float", "number", "seed")
_PROMPT_NAMES = ("text", "prompt", "text_g", "t5xxl", "clip_l", "string", "value")


def _from_graph(texts: Mapping[str, str]) -> MadeWith | None:
    graph = _prompt_graph(_json(texts.get("prompt", ""))) or _workflow_graph(_json(texts.get("workflow", "")))
    sampler = _first_sampler(graph)
    if sampler is None:
        return None
    left_out: list[str] = []
    seed = _found(graph, sampler, "seed", "noise_seed")
    name, spacing = (_found(graph, sampler, each) for each in ("sampler_name", "scheduler"))
    # A network that was given its guidance as a number, as Flux, has it in a node of its own, beside a "cfg" of 1.
    guidance = _found(graph, sampler, "guidance")
    if guidance is None:
        guidance = _found(graph, sampler, "cfg")
    prompt, negative = (_words(graph, sampler, side) for side in ("positive", "negative"))
    prompt = prompt or _words(graph, sampler, "guider") or _words(graph, sampler, "conditioning")
    wanted: dict[str, Any] = {
        "seed": _whole(seed), "steps": _whole(_found(graph, sampler, "steps")), "guidance": _number(guidance),
        "sampler": _sampler(str(name or ""), str(spacing or ""), left_out),
    }  # fmt: skip
    width, height = (_whole(_found(graph, sampler, each)) for each in ("width", "height"))
    left_out += _loras_of(graph, sampler)
    if (_number(_found(graph, sampler, "denoise")) or 1.0) < 1:
        left_out.append(translate("names", "the picture that it began with"))
    options = _options(prompt, negative, width, height)
    fields = _checked(_said(wanted) | {"options": options}, left_out)
    model = _found(graph, sampler, "ckpt_name", "unet_name") or ""
    settings = {
        "program": _COMFY, "prompt": prompt, "negative_prompt": negative, "model": str(model),
        "sampler": str(name or ""), "scheduler": str(spacing or ""),
        **{key: wanted[key] for key in ("seed", "steps", "guidance")}, "width": width, "height": height,
    }  # fmt: skip
    return MadeWith(_COMFY, fields, str(model), tuple(left_out), settings)


def _json(text: str) -> Any:
    """What a text says as JSON; None where it is none. NaN, which ComfyUI writes, is read as nothing."""
    try:
        return json.loads(text, parse_constant=lambda _: None) if text else None
    except (ValueError, RecursionError):
        return None


def _prompt_graph(told: Any) -> Graph:
    """The graph as ComfyUI runs it."""
    if not isinstance(told, dict):
        return {}
    return {
        str(id): {"type": str(node.get("class_type", "")), "inputs": node["inputs"]}
        for id, node in list(told.items())[:MOST_NODES]
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
    }


def _workflow_graph(told: Any) -> Graph:
    """The graph as ComfyUI's window saves it: links in a list of their own, values without names."""
    if not isinstance(told, dict) or not isinstance(told.get("nodes"), list):
        return {}
    links = told.get("links")
    sources = {
        each[0]: [str(each[1]), each[2]]
        for each in (links if isinstance(links, list) else [])[: 10 * MOST_NODES]
        if isinstance(each, list) and len(each) >= 3 and isinstance(each[0], int)
    }
    graph: Graph = {}
    for node in told["nodes"][:MOST_NODES]:
        if not isinstance(node, dict):
            continue
        type, values, inputs = str(node.get("type", "")), node.get("widgets_values"), node.get("inputs")
        named: dict[str, Any] = {}
        if isinstance(values, list):
            named |= {name: each for name, each in zip(_WIDGETS.get(type, ()), values, strict=False) if name}
        elif isinstance(values, dict):
            named |= values
        for each in inputs if isinstance(inputs, list) else ():
            if isinstance(each, dict) and isinstance(each.get("link"), int) and each["link"] in sources:
                named[str(each.get("name", ""))] = sources[each["link"]]
        graph[str(node.get("id"))] = {"type": type, "inputs": named}
    return graph


def _first_sampler(graph: Graph) -> str | None:
    """The node that samples first: none of those before it does. None where there is none."""
    samplers = [id for id, node in graph.items() if _is_sampler(node)][:MOST_SAMPLERS]
    for id in samplers:
        others = (each for each in _before(graph, id) if each != id)
        if not any(_is_sampler(graph[each]) for each in others):
            return id
    return None


def _is_sampler(node: Mapping[str, Any]) -> bool:
    names = node["inputs"].keys()
    samples = {"steps", "sampler_name"} <= names and bool({"seed", "noise_seed"} & names)
    return samples or {"noise", "sampler", "sigmas"} <= names


def _before(graph: Graph, id: str) -> Iterator[str]:
    """A node and all those that it depends on, the nearest first; each once."""
    seen, waiting = {id}, [id]
    while waiting:
        following: list[str] = []
        for each in waiting:
            yield each
            for value in graph[each]["inputs"].values():
                other = _linked(graph, value)
                if other is not None and other not in seen:
                    seen.add(other)
                    following.append(other)
        waiting = following


def _linked(graph: Graph, value: Any) -> str | None:
    """The node that an input comes from; None for a value of its own."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) and str(value[0]) in graph:
        return str(value[0])
    return None


def _found(graph: Graph, id: str, *names: str) -> Any:
    """The value of one of these names at the nearest node that has one; a link is followed to the first plain value."""
    for each in _before(graph, id):
        inputs = graph[each]["inputs"]
        name = next((one for one in names if one in inputs), None)
        if name is None:
            continue
        other = _linked(graph, inputs[name])
        if other is None:
            return inputs[name]
        for behind in _before(graph, other):
            for key in (name, *_VALUE_NAMES):
                value = graph[behind]["inputs"].get(key)
                if value is not None and _linked(graph, value) is None:
                    return value
        return None
    return None


def _words(graph: Graph, id: str, side: str) -> str:
    """The text of the node that a sampler's input of that name comes from."""
    for each in _before(graph, id):
        first = _linked(graph, graph[each]["inputs"].get(side))
        if first is None:
            continue
        for behind in _before(graph, first):
            inputs = graph[behind]["inputs"]
            for name in _PROMPT_NAMES:
                if isinstance(inputs.get(name), str) and (inputs[name].strip() or name == "text"):
                    return str(inputs[name])[:MOST_LETTERS].strip()
        return ""
    return ""


def _loras_of(graph: Graph, id: str) -> list[str]:
    names = (graph[each]["inputs"].get("lora_name") for each in _before(graph, id))
    return _loras([name for name in names if isinstance(name, str)])


# Values ---------------------------------------------------------------------------------------------------------------


def _said(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}


def _loras(names: list[str]) -> list[str]:
    return [translate("names", "the LoRA {0}").format(name) for name in names[:MOST_LISTED]]


_SAMPLER_IDS = {
    "ddim": "ddim", "ddpm": "ddpm", "euler": "euler", "eulera": "euler-a", "eulerancestral": "euler-a", "heun": "heun",
    "lms": "lms", "dpm2": "kdpm2", "dpm2a": "kdpm2-a", "dpm2ancestral": "kdpm2-a", "dpm++2m": "dpmpp-2m",
    "dpmpp2m": "dpmpp-2m", "dpm++2msde": "dpmpp-2m-sde", "dpmpp2msde": "dpmpp-2m-sde", "plms": "pndm", "pndm": "pndm",
    "unipc": "unipc", "unipcbh2": "unipc", "lcm": "lcm", "tcd": "tcd", "deis": "deis",
}  # fmt: skip
"""Other programs' samplers, in small letters without spaces, dashes and underscores. Those that draw noise between two
stages ("DPM++ 2S a", "DPM++ SDE") have no counterpart in diffusers."""
_SPACED_OTHERWISE = ("karras", "exponential", "polyexponential", "beta", "sgmuniform", "simple", "ddimuniform")


def _sampler(name: str, spacing: str, left_out: list[str]) -> str | None:
    """The id of a sampler by the name that another program gives it; what has no counterpart is noted."""
    plain, spaced = (re.sub(r"[\s_\-]", "", each.lower()) for each in (name, spacing))
    for each in _SPACED_OTHERWISE:  # older versions write it behind the sampler's name
        if plain.endswith(each) and plain != each:
            plain, spaced = plain.removesuffix(each), each
    found = _SAMPLER_IDS.get(plain)
    if found is None:
        if name:
            left_out.append(translate("names", "the sampler {0}").format(name))
        return None
    with_spacing = f"{found}-{spaced}"
    if with_spacing in SAMPLERS:
        return with_spacing
    if spaced in _SPACED_OTHERWISE:
        left_out.append(translate("names", "the spacing {0} of its steps").format(spacing or spaced))
    return found


def _options(prompt: str, negative: str, width: int | None, height: int | None) -> dict[str, OptionValue]:
    told: dict[str, OptionValue] = {"prompt": prompt, "negative_prompt": negative, "width": width, "height": height}
    return {name: value for name, value in told.items() if value}


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None or number != int(number):
        return None
    text = str(value).strip()
    return int(text) if text.isdecimal() else int(number)  # a float has not all figures of a long seed


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


_WORDS = {
    "seed": translate("names", "the seed {0}"), "steps": translate("names", "the number of steps {0}"),
    "guidance": translate("names", "the guidance {0}"), "sampler": translate("names", "the sampler {0}"),
    "form": translate("names", "the form {0}"), "material": translate("names", "the material {0}"),
}  # fmt: skip


def _checked(wanted: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    """Those of the settings that a request takes; the others are noted."""
    taken: dict[str, Any] = {}
    for name, value in wanted.items():
        try:
            RunRequest(**{name: value})
        except (RequestError, TypeError, ValueError, AttributeError):
            left_out.append(_WORDS[name].format(value) if name in _WORDS else translate("names", "its options"))
        else:
            taken[name] = value
    return taken
