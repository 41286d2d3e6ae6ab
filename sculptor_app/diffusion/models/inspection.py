"""Inspection of a model's folder: nothing of it is built, imported or run.

The bounds for settings are wide: several times what any published model uses. What slips through them meets the limits
of the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models import classes as catalogue
from sculptor_app.diffusion.models import weights
from sculptor_app.diffusion.models.folder import MOST_JSON_BYTES, Folder, scan
from sculptor_app.diffusion.models.verdict import (
    Component,
    Finding,
    Severity,
    Unfit,
    Verdict,
    distinct,
    shown,
    shown_path,
)

INDEX = "model_index.json"
PROGRAMS = (".py", ".pyc", ".pyw", ".pyd", ".so", ".dll", ".dylib")
MOST_DATA_BYTES = 256 << 20
"""Of one file without weights: the largest vocabularies take a tenth."""

_SETTINGS = {"network": "config.json", "encoder": "config.json", "scheduler": "scheduler_config.json"}
_DATA_SETTINGS_BYTES = 8 << 20
_WHOLE = translate("errors", "Choose a folder that holds a complete model.")
_ELSEWHERE = translate("errors", "The loader would fetch another model from wherever it says, unseen by any check.")
_NO_CODE = translate("errors", "Sculptor runs no code that comes with a model, and opens none that may need it.")
_PAIRS = ([str, str], [type(None), type(None)])
_PICKLED = translate("errors", "Opening a pickle runs the code in it; look for a copy with safetensors files.")

MOST_ITEMS = 20_000
MOST_LETTERS = 100_000

_HUGE = translate("errors", "Building it would take more memory or time than any model needs.")
_BOUNDS = (
    ("num_train_timesteps", 1, 10_000),
    (r".*(vocab|token|position|sample_size|image_size|num_embeds|num_classes|labels|n_embed|codebook).*",
     -(1 << 22), 1 << 22),
    (r".*(layers|blocks|depth|num_stages|num_frames|heads|groups|experts).*", -1_000, 4_096),
    (r".*(channels|dim|dims|width|hidden|size|features|rank|filters|kernel|stride|patch|scale_factor).*",
     -1_000, 100_000),
)  # fmt: skip
"""Keys as patterns, the first that fits counts; and the whole numbers that are allowed for them."""
_COMPILED = tuple((re.compile(pattern), least, most) for pattern, least, most in _BOUNDS)
_ATTENTION = [None, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]
_FILES = ("vocab_file", "merges_file", "tokenizer_file", "spm_file", "sp_model_file", "source_spm", "target_spm")

_FORBIDDEN = {
    "auto_map": translate("errors", "It names program files to run; Sculptor runs no code that comes with a model."),
    "custom_pipeline": translate(
        "errors", "It names program files to run; Sculptor runs no code that comes with a model."
    ),
    "custom_pipelines": translate(
        "errors", "It names program files to run; Sculptor runs no code that comes with a model."
    ),
    "trust_remote_code": translate("errors", "A model has no say in whom to trust."),
    "transformers_weights": translate("errors", "It names weight files of its own, which no check has seen."),
    "quantization_config": translate(
        "errors", "Quantised weights cannot be opened yet; look for a copy in 16 or 32 bits."
    ),
    "compression_config": translate(
        "errors", "Compressed weights cannot be opened yet; look for a copy in 16 or 32 bits."
    ),
}


def inspect_folder(path: Path, wanted_variant: str | None = None, with_weights: bool = True) -> Verdict:
    """Inspect a diffusers folder without building anything.

    Args:
        path: The folder, without links in its path.
        wanted_variant: Which files to prefer where a component has several, such as "fp16".
        with_weights: Whether the weights must be there, too; those of a checkpoint lie elsewhere.
    """
    folder = scan(path)
    findings = [*folder.findings, *_programs(folder)]
    index: dict[str, Any] = {}
    pipeline_class: Any = None
    components: tuple[Component, ...] = ()
    try:
        index = folder.json(INDEX)
        findings += check_settings(shown_path(path / INDEX), {k: v for k, v in index.items() if k != "_class_name"})
        pipeline_class = catalogue.pipeline_class(index.get("_class_name"))
    except Unfit as unfit:
        findings.append(unfit.finding)
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
        components = inspected.components
        findings += inspected.findings
    name = index.get("_class_name")
    pipeline = name if isinstance(name, str) else ""
    return Verdict(path, pipeline, pipeline_class, components, distinct(findings), folder.fingerprint(), wanted_variant)


class _Components:
    """The components that an index names, each inspected; arguments are those of `inspect_folder`."""

    def __init__(
        self, folder: Folder, index: dict[str, Any], pipeline_class: Any, wanted_variant: str | None, with_weights: bool
    ) -> None:
        self.findings: list[Finding] = []
        self._folder, self._pipeline_class = folder, pipeline_class
        named = self._named(index)
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
                folder.root / self._places[name],
                self._weights(name, kind, variants, offers),
            )
            for name, (component_class, kind) in classes.items()
        )
        for component in self.components:
            self.findings += self._settings(component)
            self.findings += self._others(component)

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
            elif name in required and entry != [None, None]:
                self._refuse(
                    translate("errors", "{0} says {1} for {2}.").format(INDEX, shown(entry), name),
                    translate("errors", "It must name a library and a class of it."),
                )
        optional = set(getattr(self._pipeline_class, "_optional_components", ()))
        for name in sorted(required - index.keys() - optional):
            self._refuse(
                translate("errors", "{0} names no {1}.").format(INDEX, name),
                translate("errors", "{0} does not work without it.").format(self._pipeline_class.__name__),
            )
        return named

    def _class(self, name: str, entry: list[Any]) -> tuple[Any, str] | None:
        try:
            found = catalogue.component_class(*entry)
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
            self._refuse(translate("errors", "{0} is missing.").format(shown_path(self._folder.root / name)), _WHOLE)
            return {}
        offer = weights.sources(self._folder.within(place), weights.STEMS[kind])
        if not offer:
            self._refuse(*self._no_weights(place, weights.STEMS[kind]))
        return offer

    def _no_weights(self, place: str, stem: str) -> tuple[str, str]:
        pickles = [
            each for each in self._folder.within(place) if each.endswith((*weights.PICKLES, *weights.OTHER_WEIGHTS))
        ]
        if pickles:
            return translate("errors", "{0} has weights only in {1}.").format(
                shown_path(self._folder.root / place), shown(pickles[0])
            ), _PICKLED
        return translate("errors", "{0}.safetensors is missing.").format(
            shown_path(self._folder.root / place / stem)
        ), _WHOLE

    def _weights(self, name: str, kind: str, variants: dict[str, str | None], offers: dict[str, Any]) -> Any:
        if name not in variants:
            return None
        try:
            source = offers[name][variants[name]]
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
                settings = self._folder.json(f"{place}/{file}" if place else file, most)
            except Unfit as unfit:
                yield unfit.finding
            else:
                yield from check_settings(shown_path(component.folder / file), settings, component.kind != "data")
        if component.kind == "encoder" and "adapter_config.json" in names:
            message = translate("errors", "{0} has an adapter_config.json.").format(shown_path(component.folder))
            yield Finding(message, _ELSEWHERE)

    def _others(self, component: Component) -> Iterator[Finding]:
        """Files of a component that are in the way, or that nobody will open."""
        place = self._places[component.name]
        for name in self._folder.within(place):
            path = shown_path(component.folder / name)
            if name.endswith((*weights.PICKLES, *weights.OTHER_WEIGHTS)):
                if component.kind not in weights.STEMS:
                    yield Finding(translate("errors", "{0} is a pickle, or may be one.").format(path), _PICKLED)
                elif component.weights is not None:
                    yield Finding(
                        translate("errors", "{0} is left alone; the safetensors files beside it are read.").format(
                            path
                        ),
                        "",
                        Severity.NOTE,
                    )
            elif not name.endswith(".safetensors"):
                size = self._folder.files[f"{place}/{name}" if place else name].size
                if size > MOST_DATA_BYTES:
                    yield Finding(
                        translate("errors", "{0} has {1:,} bytes.").format(path, size),
                        translate("errors", "Reading it could fill the memory."),
                    )

    def _refuse(self, message: str, explanation: str) -> None:
        self.findings.append(Finding(message, explanation))


def _signature(pipeline_class: Any) -> tuple[set[str], set[str]]:
    """What a pipeline is made of: the names of its components, and of its settings."""
    if pipeline_class is None:
        return set(), set()
    required, settings = pipeline_class._get_signature_keys(pipeline_class)
    return set(required), set(settings)


def _programs(folder: Folder) -> Iterator[Finding]:
    """Program files: they are never run here, but may be needed by the model."""
    for name in folder.files:
        if PurePosixPath(name.lower()).suffix in PROGRAMS:
            path = shown_path(folder.root / name)
            yield Finding(translate("errors", "{0} is a program.").format(path), _NO_CODE)


def check_settings(path: str, settings: dict[str, Any], numbers: bool = True) -> Iterator[Finding]:
    """Everything in a component's settings that speaks against it.

    Args:
        numbers: Whether something is built as large as the numbers say; a tokenizer may say 10^30.
    """
    waiting: list[tuple[str, Any]] = [("", settings)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            yield from _check_keys(path, value)
            waiting.extend((str(inner), each) for inner, each in value.items())
        elif isinstance(value, list):
            if len(value) > MOST_ITEMS:
                yield Finding(
                    translate("errors", "{0} in {1} has {2:,} items; allowed are {3:,}.").format(
                        key, path, len(value), MOST_ITEMS
                    ),
                    _HUGE,
                )
            waiting.extend((key, each) for each in value[:MOST_ITEMS])
        elif isinstance(value, str) and len(value) > MOST_LETTERS:
            yield Finding(
                translate("errors", "{0} in {1} has {2:,} letters; allowed are {3:,}.").format(
                    key, path, len(value), MOST_LETTERS
                ),
                _HUGE,
            )
        elif numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from _check_number(path, key, value)


def _check_keys(path: str, settings: dict[str, Any]) -> Iterator[Finding]:
    for key, why in _FORBIDDEN.items():
        if settings.get(key) not in (None, False, [], {}):
            yield Finding(translate("errors", "{0} has {1}: {2}.").format(path, key, shown(settings[key])), why)
    for key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
        named = settings.get(key)
        if any(each not in _ATTENTION for each in (named.values() if isinstance(named, dict) else [named])):
            message = translate("errors", "{0} has {1}: {2}.").format(path, key, shown(named))
            yield Finding(
                message,
                translate(
                    "errors", "It can name program code on the hub; Sculptor runs no code that comes with a model."
                ),
            )
    for key in _FILES:
        if isinstance(settings.get(key), str) and not re.fullmatch(r"\w[\w.\-]*", settings[key]):
            message = translate("errors", "{0} has {1}: {2}.").format(path, key, shown(settings[key]))
            yield Finding(message, translate("errors", "It leads out of the folder; it could read any file of yours."))


def _check_number(path: str, key: str, value: float) -> Iterator[Finding]:
    for pattern, least, most in _COMPILED:
        if pattern.fullmatch(key):
            if not least <= value <= most:
                yield Finding(
                    translate("errors", "{0} in {1} is {2}; allowed is {3} to {4}.").format(
                        _shown_key(key), path, shown(value), least, most
                    ),
                    _HUGE,
                )
            return


def _shown_key(key: str) -> str:
    """A setting's name; one that is no plain word stands in quotes."""
    return key if re.fullmatch(r"\w{1,60}", key, re.ASCII) else shown(key)
