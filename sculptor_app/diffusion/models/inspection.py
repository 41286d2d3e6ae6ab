"""Judging a model by what lies on the disk: nothing of it is built, imported or run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sculptor_app.diffusion.models import classes as catalogue
from sculptor_app.diffusion.models.bounds import check_settings
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
)  # fmt: skip
from sculptor_app.diffusion.models.weights import (
    OTHER_WEIGHTS,
    PICKLES,
    STEMS,
    Source,
    check_weights,
    choose_variants,
    sources,
)  # fmt: skip

INDEX = "model_index.json"
PROGRAMS = (".py", ".pyc", ".pyw", ".pyd", ".so", ".dll", ".dylib")
MOST_DATA_BYTES = 256 << 20
"""Of one file without weights: the largest vocabularies take a tenth."""

_SETTINGS = {"network": "config.json", "encoder": "config.json", "scheduler": "scheduler_config.json"}
_DATA_SETTINGS_BYTES = 8 << 20
_WHOLE = "Choose a folder that holds a complete model."
_ELSEWHERE = "The loader would fetch another model from wherever it says, unseen by any check."
_NO_CODE = "Sculptor runs no code that comes with a model, and opens none that may need it."
_PAIRS = ([str, str], [type(None), type(None)])
_PICKLED = "Opening a pickle runs the code in it; look for a copy with safetensors files."


def judge_folder(path: Path, wanted_variant: str | None = None, with_weights: bool = True) -> Verdict:
    """Everything that can be said of a diffusers folder without building anything.

    Args:
        path: The folder, without links in its path.
        wanted_variant: Which files to prefer where a component has several, such as "fp16".
        with_weights: Whether the weights must be there, too; those of a checkpoint lie elsewhere.
    """
    folder = scan(path)
    findings = [*folder.findings, *_programs(folder)]
    index: dict[str, Any] = {}
    made_by: Any = None
    components: tuple[Component, ...] = ()
    try:
        index = folder.json(INDEX)
        findings += check_settings(shown_path(path / INDEX), {k: v for k, v in index.items() if k != "_class_name"})
        made_by = catalogue.pipeline_class(index.get("_class_name"))
    except Unfit as unfit:
        findings.append(unfit.finding)
    readme = any(name.lower() == "readme.md" for name in folder.files)  # some disks take both for the same
    if getattr(made_by, "_load_connected_pipes", False) and readme:
        findings.append(Finding(f"{shown_path(path / 'README.md')} names further models to load.", _ELSEWHERE))
    if index:
        looked = _Components(folder, index, made_by, wanted_variant, with_weights)
        components = looked.components
        findings += looked.findings
    name = index.get("_class_name")
    pipeline = name if isinstance(name, str) else ""
    return Verdict(path, pipeline, made_by, components, distinct(findings), folder.fingerprint(), wanted_variant)


class _Components:
    """The components that an index names, each looked at.

    Args:
        folder: The model's.
        index: What its model_index.json holds.
        made_by: The pipeline's class; None where there is none.
        wanted_variant: See `judge_folder`.
        with_weights: See `judge_folder`.
    """

    def __init__(
        self, folder: Folder, index: dict[str, Any], made_by: Any, wanted_variant: str | None, with_weights: bool
    ) -> None:
        self.findings: list[Finding] = []
        self._folder, self._made_by = folder, made_by
        named = self._named(index)
        classes = {name: found for name, entry in named.items() if (found := self._class(name, entry)) is not None}
        weighty = {name: kind for name, (_, kind) in classes.items() if kind in STEMS and with_weights}
        offers = {name: self._offer(name, kind) for name, kind in weighty.items()}
        variants = choose_variants(offers, wanted_variant)
        self.components = tuple(
            Component(name, kind, made_by, folder.root / name, self._weights(name, kind, variants, offers))
            for name, (made_by, kind) in classes.items()
        )
        for component in self.components:
            self.findings += self._settings(component)
            self.findings += self._others(component)

    def _named(self, index: dict[str, Any]) -> dict[str, list[Any]]:
        """The entries that are components and not left out, by name."""
        required, settings = _signature(self._made_by)
        named = {}
        for name, entry in index.items():
            is_pair = isinstance(entry, list) and [type(each) for each in entry] in _PAIRS
            if name.startswith("_") or (name in settings and name not in required):
                continue
            if not name.isidentifier() or not name.isascii():
                self._refuse(f"{INDEX} names a component {shown(name)}.", "The name leads out of the folder.")
            elif is_pair and entry != [None, None]:
                named[name] = entry
            elif name in required and entry != [None, None]:
                self._refuse(f"{INDEX} says {shown(entry)} for {name}.", "It must name a library and a class of it.")
        optional = set(getattr(self._made_by, "_optional_components", ()))
        for name in sorted(required - index.keys() - optional):
            self._refuse(f"{INDEX} names no {name}.", f"{self._made_by.__name__} does not work without it.")
        return named

    def _class(self, name: str, entry: list[Any]) -> tuple[Any, str] | None:
        try:
            found = catalogue.component_class(*entry)
        except Unfit as unfit:
            self.findings.append(unfit.finding)
            return None
        if self._made_by is not None and name not in _signature(self._made_by)[0]:
            self.findings.append(Finding(f"{INDEX} names {name}, which {self._made_by.__name__} does not use.", "",
                                         Severity.NOTE))  # fmt: skip
            return None
        return found

    def _offer(self, name: str, kind: str) -> dict[str | None, Source]:
        if name not in self._folder.folders:
            self._refuse(f"{shown_path(self._folder.root / name)} is missing.", _WHOLE)
            return {}
        offer = sources(self._folder.within(name), STEMS[kind])
        if not offer:
            self._refuse(*self._no_weights(name, STEMS[kind]))
        return offer

    def _no_weights(self, name: str, stem: str) -> tuple[str, str]:
        pickles = [each for each in self._folder.within(name) if each.endswith((*PICKLES, *OTHER_WEIGHTS))]
        if pickles:
            return f"{shown_path(self._folder.root / name)} has weights only in {shown(pickles[0])}.", _PICKLED
        return f"{shown_path(self._folder.root / name / stem)}.safetensors is missing.", _WHOLE

    def _weights(self, name: str, kind: str, variants: dict[str, str | None], offers: dict[str, Any]) -> Any:
        if name not in variants:
            return None
        try:
            return check_weights(self._folder, name, kind, variants[name], offers[name][variants[name]])
        except Unfit as unfit:
            self.findings.append(unfit.finding)
            return None

    def _settings(self, component: Component) -> Iterator[Finding]:
        """What the settings of a component say."""
        needed = _SETTINGS.get(component.kind)
        names = self._folder.within(component.name)
        files = [needed] if needed else [each for each in names if each.endswith(("config.json", "tokens_map.json"))]
        most = MOST_JSON_BYTES if needed else _DATA_SETTINGS_BYTES
        for file in files:
            try:
                settings = self._folder.json(f"{component.name}/{file}", most)
            except Unfit as unfit:
                yield unfit.finding
            else:
                yield from check_settings(shown_path(component.folder / file), settings, component.kind != "data")
        if component.kind == "encoder" and "adapter_config.json" in names:
            what = f"{shown_path(component.folder)} has an adapter_config.json."
            yield Finding(what, _ELSEWHERE)

    def _others(self, component: Component) -> Iterator[Finding]:
        """Files of a component that are in the way, or that nobody will open."""
        for name in self._folder.within(component.name):
            path = shown_path(component.folder / name)
            if name.endswith((*PICKLES, *OTHER_WEIGHTS)):
                if component.kind not in STEMS:
                    yield Finding(f"{path} is a pickle, or may be one.", _PICKLED)
                elif component.weights is not None:
                    yield Finding(f"{path} is left alone; the safetensors files beside it are read.", "", Severity.NOTE)
            elif not name.endswith(".safetensors"):
                size = self._folder.files[f"{component.name}/{name}"].size
                if size > MOST_DATA_BYTES:
                    yield Finding(f"{path} has {size:,} bytes.", "Reading it could fill the memory.")

    def _refuse(self, what: str, why_it_matters: str) -> None:
        self.findings.append(Finding(what, why_it_matters))


def _signature(made_by: Any) -> tuple[set[str], set[str]]:
    """What a pipeline is made of: the names of its components, and of its settings."""
    if made_by is None:
        return set(), set()
    required, settings = made_by._get_signature_keys(made_by)
    return set(required), set(settings)


def _programs(folder: Folder) -> Iterator[Finding]:
    """Program files: nothing here would run them, but whoever wrote them means them to be run."""
    for name in folder.files:
        if PurePosixPath(name.lower()).suffix in PROGRAMS:
            path = shown_path(folder.root / name)
            yield Finding(f"{path} is a program.", _NO_CODE)
