"""Inspection of a model's folder: nothing of it is built, imported or run.

What slips through meets the limits of the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models import classes as catalogue
from sculptor_app.diffusion.models import weights
from sculptor_app.diffusion.models.config_checks import check_settings
from sculptor_app.diffusion.models.folder import INDEX, MOST_JSON_BYTES, Folder, repository_name, scan
from sculptor_app.diffusion.models.pickles import find_copy, other_content, pickled_finding
from sculptor_app.diffusion.models.tokenizers import missing_vocabulary
from sculptor_app.diffusion.models.verdict import (
    Component,
    Finding,
    PickledWeights,
    Severity,
    Unfit,
    Verdict,
    distinct,
    shown,
    shown_path,
)
from sculptor_app.diffusion.pipelines.suitability import obstacle_of_class, why_no_guess
from sculptor_app.diffusion.samplers.schedulers import ADD_NOISE_ALONE

PROGRAMS = (".py", ".pyc", ".pyw", ".pyd", ".so", ".dll", ".dylib")
MOST_DATA_BYTES = 256 << 20
"""Of one file without weights: the largest vocabularies take a tenth."""

_SETTINGS = {
    "network": "config.json", "encoder": "config.json", "scheduler": "scheduler_config.json",
    "guider": "guider_config.json",
}  # fmt: skip
_DATA_SETTINGS_BYTES = 8 << 20
_WHOLE = translate("errors", "Choose a folder that holds a complete model.")
_ELSEWHERE = translate("errors", "The loader would fetch another model from wherever it says, unseen by any check.")
_NO_CODE = translate("errors", "Sculptor runs no code that comes with a model, and opens none that needs it.")
_NEEDED = ("text_encoder", "tokenizer", "transformer", "unet", "vae")
"""Beginnings of what a run needs wherever the index names it, though some pipelines call it optional."""
_COMPANIONS = {"safety_checker": "feature_extractor"}
"""Components that work only with another one."""
_READ = (".json", ".txt", ".model", ".jinja")
"""Files without weights that loaders read."""
_ONE_PAGE = 1 << 20
_OTHER_FORMAT = translate("errors", "It is for other programs; look for a copy with safetensors files.")
_FOR_OTHERS = (".gguf", ".h5")
"""Files that say at their beginning what they are."""
_LOCAL_DOWNLOAD = ".cache/huggingface/download"
"""Below a folder that the hub's client downloads to: what it has begun."""
_PAIRS = ([str, str], [type(None), type(None)])
_PICKLED = translate("errors", "Opening a pickle runs the code in it; look for a copy with safetensors files.")


def inspect_folder(path: Path, wanted_variant: str | None = None, with_weights: bool = True) -> Verdict:
    """Inspect a diffusers folder without building anything.

    Args:
        path: The folder, without links in its path.
        wanted_variant: Which files to prefer where a component has several, such as "fp16".
        with_weights: Whether the weights must be there, too; those of a checkpoint lie elsewhere.
    """
    folder = scan(path)
    findings = list(folder.findings)
    index: dict[str, Any] = {}
    pipeline_class: Any = None
    components: tuple[Component, ...] = ()
    left_out: tuple[str, ...] = ()
    pickles: tuple[PickledWeights, ...] = ()
    unguessed = ""
    try:
        if INDEX not in folder.files:
            raise _no_pipeline(folder)
        index = folder.json(INDEX)
        findings += check_settings(shown_path(path / INDEX), {k: v for k, v in index.items() if k != "_class_name"})
        pipeline_class = catalogue.pipeline_class(index.get("_class_name"))
    except Unfit as unfit:
        findings.append(unfit.finding)
    obstacle = None if pipeline_class is None else obstacle_of_class(pipeline_class)
    if obstacle is not None:  # no other finding matters then, and none of it needs to be looked at
        finding = Finding(obstacle.message, obstacle.advice)
        return Verdict(
            path, pipeline_class.__name__, pipeline_class, findings=(finding,), fingerprint=folder.fingerprint()
        )
    readme = any(name.lower() == "readme.md" for name in folder.files)  # some disks take both for the same
    if getattr(pipeline_class, "_load_connected_pipes", False) and readme:
        findings.append(
            Finding(
                translate("errors", "{0} names further models to load.").format(shown_path(path / "README.md")),
                _ELSEWHERE,
            )
        )
    if index:
        inspected = _Components(folder, index, pipeline_class, wanted_variant, with_weights)
        components, left_out, pickles = inspected.components, inspected.left_out, tuple(inspected.pickles)
        findings += inspected.findings
        unguessed = inspected.why_no_guess()
    name = index.get("_class_name")
    pipeline = name if isinstance(name, str) else ""
    programs = list(_programs(folder, index))
    run = [each for each in programs if each.severity is Severity.REFUSED]
    findings = [*run, *_as_partial(path, findings), *programs]
    findings.sort(key=lambda each: each.severity is Severity.NOTE)
    return Verdict(path, pipeline, pipeline_class, components, distinct(findings), folder.fingerprint(), wanted_variant,
                   left_out=left_out, pickles=pickles, why_no_guess=unguessed)  # fmt: skip


def _no_pipeline(folder: Folder) -> Unfit:
    """The refusal of a folder without an index, by what it holds instead."""
    path, names = shown_path(folder.root), [name for name in folder.files if "/" not in name]
    missing = translate("errors", "{0} is missing.").format(shown_path(folder.root / INDEX))
    inner = sorted(name.removesuffix(f"/{INDEX}") for name in folder.files if name.endswith(f"/{INDEX}"))
    checkpoints = [name for name in names if name.endswith(".safetensors")]
    if inner:
        return Unfit(
            missing, translate("errors", "Open {0}, which has one.").format(shown_path(folder.root / inner[0]))
        )
    if "adapter_config.json" in names or any("lora" in name.lower() for name in checkpoints):
        message = translate("errors", "{0} holds an adapter (LoRA), no whole model.").format(path)
        advice = translate("errors", "Open the model that it was made for, and give it the file with --lora.")
        return Unfit(message, advice)
    if "config.json" in names:
        settings = folder.json("config.json")
        kind = settings.get("_class_name") or (settings.get("architectures") or [settings.get("model_type")])[0]
        if isinstance(kind, str):
            message = translate("errors", "{0} holds one part of a pipeline ({1}), not all of it.")
            above = (folder.root.parent / INDEX).is_file()
            whole = shown_path(folder.root.parent) if above else translate("errors", "the whole pipeline")
            return Unfit(
                message.format(path, shown(kind)[1:-1]), translate("errors", "Open {0} instead.").format(whole)
            )
    if checkpoints:
        advice = translate("errors", "Open the checkpoint in it instead: {0}.")
        return Unfit(missing, advice.format(shown_path(folder.root / checkpoints[0])))
    return Unfit(missing, _WHOLE)


def _as_partial(path: Path, findings: list[Finding]) -> list[Finding]:
    """The findings, with those of missing files as one where the folder is a download that was broken off."""
    name, advice = (
        repository_name(path),
        translate(
            "errors", "Open {0} by that name while there is a network (on the command line with --download) to go on."
        ),
    )
    missing = list(dict.fromkeys(each.missing for each in findings if each.missing))
    if name is None and missing and any((path / _LOCAL_DOWNLOAD).rglob("*.incomplete")):
        name = shown_path(path)
        advice = translate("errors", "Start the same `hf download` to that folder again; it goes on where it was.")
    if name is None or not missing:
        return findings
    first, others = shown_path(missing[0]), len(missing) - 1
    message = (
        translate("errors", "Only a part of {0} has been downloaded: {1} and {2} more are missing.").format(
            name, first, others
        )
        if others
        else translate("errors", "Only a part of {0} has been downloaded: {1} is missing.").format(name, first)
    )
    return [Finding(message, advice.format(name)), *(each for each in findings if not each.missing)]


class _Components:
    """The components that an index names, each inspected; arguments are those of `inspect_folder`."""

    def __init__(
        self, folder: Folder, index: dict[str, Any], pipeline_class: Any, wanted_variant: str | None, with_weights: bool
    ) -> None:
        self.findings: list[Finding] = []
        self._folder, self._pipeline_class, self._with_weights = folder, pipeline_class, with_weights
        self.pickles: list[PickledWeights] = []
        self._schedulers: dict[str, dict[str, Any]] = {}  # settings of those that sample
        self._copies: dict[str, Folder] = {}
        self._nullable = catalogue.nullable_components(pipeline_class)
        self._optional = set(getattr(pipeline_class, "_optional_components", ()))
        named = self._named(index)
        self.left_out = self._leave_out(named)
        named = {name: entry for name, entry in named.items() if name not in self.left_out}
        self.left_out += tuple(sorted(name for name in self._nullable if index.get(name) in (None, [None, None])))
        classes = {name: found for name, entry in named.items() if (found := self._class(name, entry)) is not None}
        self._places = {name: self._place(name, *found) for name, found in classes.items()}
        weighty = {name: kind for name, (_, kind) in classes.items() if kind in weights.STEMS and with_weights}
        offers = {name: self._offer(name, kind) for name, kind in weighty.items()}
        variants = weights.choose_variants(offers, wanted_variant)
        self.components = tuple(
            Component(
                name,
                kind,
                component_class,
                self._copies[name].root if name in self._copies else folder.root / self._places[name],
                self._weights(name, kind, variants, offers),
            )
            for name, (component_class, kind) in classes.items()
        )
        for component in self.components:
            place = self._places[component.name]
            if component.kind != "scheduler" and place and place not in folder.folders:
                self.findings.append(self._missing(component.name))
                continue
            self.findings += self._settings(component)
            self.findings += self._others(component)

    def why_no_guess(self) -> str:
        """The reason why a run has no guess, by the settings of the schedulers that sample; empty where it has one."""
        reasons = [why_no_guess(settings) for settings in self._schedulers.values()]
        return reasons[0] if reasons and all(reasons) else ""

    def _named(self, index: dict[str, Any]) -> dict[str, list[Any]]:
        """The entries that are components in use, by name."""
        required, settings = _signature(self._pipeline_class)
        named = {}
        for name, entry in index.items():
            is_pair = isinstance(entry, list) and [type(each) for each in entry] in _PAIRS
            if name.startswith("_") or (name in settings and name not in required):
                continue
            if not name.isidentifier() or not name.isascii():
                self._refuse(
                    translate("errors", "{0} names a component {1}.").format(INDEX, shown(name)),
                    translate("errors", "The name leads out of the folder."),
                )
            elif is_pair and entry != [None, None]:
                named[name] = entry
            elif name in required - self._optional - self._nullable and entry == [None, None]:
                self._lack(name)
            elif name in required and entry != [None, None]:
                self._refuse(
                    translate("errors", "{0} says {1} for {2}.").format(INDEX, shown(entry), name),
                    translate("errors", "It must name a library and a class of it."),
                )
        for name in sorted(required - index.keys() - self._optional - self._nullable):
            self._lack(name)
        return named

    def _lack(self, name: str) -> None:
        self._refuse(
            translate("errors", "{0} names no {1}.").format(INDEX, name),
            translate("errors", "{0} does not work without it.").format(self._pipeline_class.__name__),
        )

    def _leave_out(self, named: dict[str, list[Any]]) -> tuple[str, ...]:
        """The optional components that are not there, or not without another one; each is noted."""
        absent = {
            name: translate("errors", "{0} is not there, and is left out; {1} works without it.")
            for name in named
            if name in self._optional and not name.startswith(_NEEDED) and self._is_absent(name)
        }
        for name, other in _COMPANIONS.items():
            if name in named and name in self._optional and (other in absent or other not in named):
                absent.setdefault(name, translate("errors", "{0} is left out, as it does not work without {2}."))
        for name, message in absent.items():
            text = message.format(name, self._pipeline_class.__name__, _COMPANIONS.get(name, ""))
            self.findings.append(Finding(text, "", Severity.NOTE))
        return tuple(absent)

    def _is_absent(self, name: str) -> bool:
        """Whether a component's folder is missing, empty, or without all of the weights that its settings need."""
        names = self._folder.within(name)
        others = [each for each in names if each not in ("config.json", "generation_config.json", "README.md")]
        return not names or (self._with_weights and "config.json" in names and not others)

    def _class(self, name: str, entry: list[Any]) -> tuple[Any, str] | None:
        try:
            found = catalogue.component_class(entry[0], entry[1], self._pipeline_class)
        except Unfit as unfit:
            self.findings.append(unfit.finding)
            return None
        if self._pipeline_class is not None and name not in _signature(self._pipeline_class)[0]:
            message = translate("errors", "{0} names {1}, which {2} does not use.").format(
                INDEX, name, self._pipeline_class.__name__
            )
            self.findings.append(Finding(message, "", Severity.NOTE))
            return None
        return found

    def _place(self, name: str, component_class: Any, kind: str) -> str:
        """The folder of a component below the model's; empty where it lies beside the index, as in the oldest models.

        That is where diffusers looks, too; what lies there counts only if it says that it is this component.
        """
        file = _SETTINGS.get(kind)
        if name in self._folder.folders or kind == "encoder" or file not in self._folder.files:
            return name
        try:
            said = self._folder.json(str(file)).get("_class_name")
        except Unfit:
            return name
        return "" if said == component_class.__name__ else name

    def _offer(self, name: str, kind: str) -> dict[str | None, weights.Source]:
        place = self._places[name]
        if place and place not in self._folder.folders:
            return {}
        offer = weights.sources(self._folder.within(place), weights.STEMS[kind])
        copy = None if offer else self._find_copy(name, place, kind)
        if copy is not None:
            self._folder.note(_below(place, "converted"), copy.fingerprint().encode())
            self._copies[name] = copy
            return weights.sources(copy.within(""), weights.STEMS[kind])
        if not offer and not any(each.name == name for each in self.pickles):
            self.findings.append(self._no_weights(place, weights.STEMS[kind]))
        return offer

    def _find_copy(self, name: str, place: str, kind: str) -> Folder | None:
        """The copy of a component's pickled weights as safetensors; where there is none, the pickles are noted."""
        try:
            pickled = weights.find_pickles(self._folder, place, kind, name)
        except Unfit:
            return None
        if pickled is None or other_content(pickled) is not None:
            return None
        copy = find_copy(pickled)
        if copy is None:
            self.pickles.append(pickled)
            self.findings.append(pickled_finding(self._folder.root / place, pickled))
        return None if copy is None else scan(copy)

    def _no_weights(self, place: str, stem: str) -> Finding:
        pickles = [
            each for each in self._folder.within(place) if each.endswith((*weights.PICKLES, *weights.OTHER_WEIGHTS))
        ]
        for each in pickles:
            other = self._folder.mistaken(_below(place, each), is_weights=each.endswith(_FOR_OTHERS))
            if other is not None:
                return other.finding
        if pickles:
            message = translate("errors", "{0} has weights only in {1}.")
            why = _PICKLED if pickles[0].endswith(weights.PICKLES) else _OTHER_FORMAT
            return Finding(message.format(shown_path(self._folder.root / place), shown(pickles[0])), why)
        return self._missing(_below(place, f"{stem}.safetensors"))

    def _missing(self, name: str) -> Finding:
        message = translate("errors", "{0} is missing.").format(shown_path(self._folder.root / name))
        return Finding(message, _WHOLE, missing=name)

    def _weights(self, name: str, kind: str, variants: dict[str, str | None], offers: dict[str, Any]) -> Any:
        if name not in variants:
            return None
        try:
            source = offers[name][variants[name]]
            if name in self._copies:
                return weights.check_weights(self._copies[name], "", kind, variants[name], source)
            return weights.check_weights(self._folder, self._places[name], kind, variants[name], source)
        except Unfit as unfit:
            self.findings.append(unfit.finding)
            return None

    def _settings(self, component: Component) -> Iterator[Finding]:
        needed, place = _SETTINGS.get(component.kind), self._places[component.name]
        names = self._folder.within(place)
        files = [needed] if needed else [each for each in names if each.endswith(("config.json", "tokens_map.json"))]
        most = MOST_JSON_BYTES if needed else _DATA_SETTINGS_BYTES
        for file in files:
            try:
                settings = self._folder.json(_below(place, file), most)
            except Unfit as unfit:
                yield unfit.finding
            else:
                where, kind = shown_path(component.folder / file), component.kind
                yield from check_settings(where, settings, kind, component.component_class)
                if component.kind == "scheduler" and component.name not in ADD_NOISE_ALONE:
                    name = component.component_class.__name__
                    self._schedulers[component.name] = {**settings, "_class_name": name}
        if component.kind == "encoder" and "adapter_config.json" in names:
            message = translate("errors", "{0} has an adapter_config.json.").format(shown_path(component.folder))
            yield Finding(message, _ELSEWHERE)

    def _others(self, component: Component) -> Iterator[Finding]:
        """Files of a component that are in the way, or that nobody will open."""
        place = self._places[component.name]
        names = self._folder.within(place)
        lacking = missing_vocabulary(component.component_class, component.folder, names)
        if lacking is not None:
            yield lacking
        for name in names:
            path = shown_path(self._folder.root / place / name)
            if name.endswith((*weights.PICKLES, *weights.OTHER_WEIGHTS)):
                if component.kind not in weights.STEMS and place:
                    yield Finding(translate("errors", "{0} is a pickle, or may be one.").format(path), _PICKLED)
                elif component.weights is not None and component.name not in self._copies:
                    yield Finding(
                        translate("errors", "{0} is left alone; the safetensors files beside it are read.").format(
                            path
                        ),
                        "",
                        Severity.NOTE,
                    )
            elif not name.endswith(".safetensors"):
                size = self._folder.files[_below(place, name)].size
                if size > MOST_DATA_BYTES:
                    yield Finding(
                        translate("errors", "{0} has {1:,} bytes.").format(path, size),
                        translate("errors", "Reading it could fill the memory."),
                    )
                elif 0 < size <= _ONE_PAGE and name.endswith(_READ):
                    other = self._folder.mistaken(_below(place, name))
                    if other is not None:
                        yield other.finding

    def _refuse(self, message: str, explanation: str) -> None:
        self.findings.append(Finding(message, explanation))


def _signature(pipeline_class: Any) -> tuple[set[str], set[str]]:
    """What a pipeline is made of: the names of its components, and of its settings."""
    if pipeline_class is None:
        return set(), set()
    required, settings = pipeline_class._get_signature_keys(pipeline_class)
    return set(required), set(settings)


def _below(place: str, name: str) -> str:
    """Name below the model's folder of a file in one of its folders; an empty one is the model's own."""
    return f"{place}/{name}" if place else name


def programs_to_run(index: dict[str, Any]) -> set[str]:
    """Names of the programs that diffusers runs where they lie beside an index, in small letters."""
    named = {f"{name}/{entry[0]}" for name, entry in index.items() if isinstance(entry, list) and entry}
    whole = index.get("_class_name")
    if isinstance(whole, list) and whole:
        named.add(str(whole[0]))
    # WORKAROUND: diffusers 0.42 takes a custom pipeline that is not asked for for the file None.py.
    return {f"{name}.py".lower() for name in named} | {"none.py"}


def _programs(folder: Folder, index: dict[str, Any]) -> Iterator[Finding]:
    """Program files: those that the index would have run are refused, all others are merely not used.

    A copy under the name of one that is refused is not noted: it would read as if that one were not used.
    """
    programs = [name for name in folder.files if PurePosixPath(name.lower()).suffix in PROGRAMS]
    run = programs_to_run(index) & {name.lower() for name in programs}
    refused = {PurePosixPath(name).name for name in run}
    for name in programs:
        path = shown_path(folder.root / name)
        if name.lower() in run:
            yield Finding(translate("errors", "{0} is a program that {1} has run.").format(path, INDEX), _NO_CODE)
        elif PurePosixPath(name.lower()).name not in refused:
            yield Finding(translate("errors", "{0} is a program, and is not used.").format(path), "", Severity.NOTE)
