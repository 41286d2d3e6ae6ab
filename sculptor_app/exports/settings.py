"""The settings that travel in exported files, so that a picture can be made again."""

import html
import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path, PureWindowsPath
from typing import Any
from zipfile import BadZipFile, ZipFile

from PIL import Image, UnidentifiedImageError

from sculptor_app import __version__
from sculptor_app.core.files import is_there, without_folder
from sculptor_app.core.requests.request import OptionValue, RunRequest
from sculptor_app.core.texts import translate, without_secrets
from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo, RunTitle
from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.files import ExportError
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS

APPLICATION = "Sculptor"
BROKEN_FILE = (
    OSError, ValueError, SyntaxError, KeyError, TypeError, OverflowError, struct.error, zlib.error, EOFError,
    UnidentifiedImageError, Image.DecompressionBombError, BadZipFile,
)  # fmt: skip
"""What Pillow and zipfile raise of files that are not what their names say."""


def settled_steps(measures: RunMeasures) -> dict[str, dict[str, int | None]]:
    """The measured phases: by rule and band the step from which it stayed settled; empty where nothing has."""
    by_rule = {rule: measures.settled(rule) for rule in SETTLING_RULES}
    return {
        rule: {band.name: step for band, step in zip(BANDS, steps, strict=True)}
        for rule, steps in by_rule.items()
        if steps != (None,) * len(BANDS)
    }


SOME_PICTURE = "a picture"
"""What stands for the name of a picture that a run began with, where that is not told."""


def told_origin(info: RunInfo, disclosure: Disclosure) -> str:
    """What a run began with, as far as that may be told."""
    return SOME_PICTURE if info.origin and disclosure is Disclosure.PRIVATE else without_secrets(info.origin)


def told_conditions(info: RunInfo, disclosure: Disclosure) -> str:
    """Prompt or labels of a run in a few words, as far as they may be told: labels always."""
    has_words = any(isinstance(value, str) for value in info.request.option_values.values())
    return "" if has_words and disclosure is Disclosure.PRIVATE else without_secrets(info.conditions)


def told_title(info: RunInfo, disclosure: Disclosure) -> RunTitle:
    """The title of a run, as far as what it says may be told."""
    origin, conditions = told_origin(info, disclosure), told_conditions(info, disclosure)
    return replace(info, origin=origin, conditions=conditions).title


def told_request(request: RunRequest, model_name: str, disclosure: Disclosure) -> dict[str, Any]:
    """The settings of a run by name, as far as they may be told; of a model and of LoRAs there are hashes besides.

    Args:
        model_name: of the folder, file or repository, which stands for its path.
    """
    told = request.as_dict()
    if disclosure is not Disclosure.PATHS and request.model is not None:
        told["model"] = model_name or without_folder(request.model)
    if disclosure is Disclosure.PRIVATE:
        told["options"] = {name: each for name, each in told["options"].items() if not isinstance(each, str)}
    elif disclosure is Disclosure.NAMES:
        told["options"] = {name: _named(name, each) for name, each in told["options"].items()}
    return {name: _without_secrets(value) for name, value in told.items()}


def _named(name: str, value: OptionValue) -> OptionValue:
    """A path by its last part. A prompt stays as it is, whatever it looks like."""
    if not isinstance(value, str) or "prompt" in name:
        return value
    path = PureWindowsPath(value)  # which knows both kinds of slashes
    return path.name if path.suffix and path.name != value else without_folder(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return without_secrets(value) if isinstance(value, str) else value


def settings_text(
    source: RunOrGrid,
    export: dict[str, Any],
    measures: RunMeasures | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> str:
    """Everything that a run, or each of many, was made with, and how it was exported, as JSON in ASCII.

    Paths, prompts and names of pictures are in it as far as `disclosure` says; never a password or token.

    Of a run that shares its first steps with another, `forks` says up to which step it was what, oldest first. Of many
    runs, what was painted is there once, as `strokes`; each run says how many of them, the first ones, are its own.
    With its measures, a finished run says at which steps its bands settled, as `settled`.
    """
    run = source.lead_run if isinstance(source, RunGrid) else source
    program = {"application": APPLICATION, "version": run.info.app_version or __version__}
    common = {
        "model_name": run.info.model_name,
        "model_hash": run.info.weights_hash,
        "device_name": run.info.device_name,
        "sampler_name": run.info.sampler_name,
        "created": run.info.created,
        "steps_taken": run.last,
    }
    own = common | _runs(source, disclosure) if isinstance(source, RunGrid) else _request(source, disclosure) | common
    settled = {} if measures is None else settled_steps(measures)
    return json.dumps(program | own | ({"settled": settled} if settled else {}) | {"export": export})


def _request(run: AnyTrajectory, disclosure: Disclosure) -> dict[str, Any]:
    info = run.info
    request = told_request(info.request, info.model_name, disclosure)
    if not info.has_seed:
        request["seed"] = None
    if not info.is_of_a_model:  # no model took part: what else a request holds would be untrue
        request = {name: request[name] for name in ("seed", "steps")}
    return {
        "origin": told_origin(info, disclosure),
        "first_step": info.first_step,
        "request": request,
        "forks": [
            {
                "step": each.step,
                "request": told_request(each.request, info.model_name, disclosure),
                "parting": each.parting.value,
                **({} if each.painting is None else {"painting": each.painting.plain()}),
            }
            for each in info.forks
        ],
    }


def _runs(grid: RunGrid, disclosure: Disclosure) -> dict[str, Any]:
    """What each of many runs was asked for, and made from."""
    strokes = max((cell.noise.strokes for cell in grid.cells), key=len)
    runs = [
        {
            "request": told_request(run.info.request, run.info.model_name, disclosure),
            "noise": asdict(replace(cell.noise, strokes=())) | {"strokes": len(cell.noise.strokes)},
        }
        for run, cell in zip(grid.runs, grid.cells, strict=True)
    ]
    return {"runs": runs, "strokes": [asdict(stroke) for stroke in strokes]}


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file that was exported here: a picture, a film, a web page, a ZIP of pictures.

    Raises:
        ExportError: It cannot be read, or holds none.
    """
    if not is_there(path):
        raise ExportError(translate("errors", "There is no file {0}.").format(path))
    try:
        text = _READERS.get(path.suffix.lower(), _comment)(path)
    except BROKEN_FILE as error:
        raise ExportError(
            translate("errors", "{0} cannot be read as a picture.").format(path),
            translate("errors", "Choose a file that {0} exported.").format(APPLICATION),
        ) from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("application") != APPLICATION:
        raise ExportError(
            translate("errors", "{0} carries no settings of a run.").format(path),
            translate("errors", "Choose a file that {0} exported.").format(APPLICATION),
        )
    return content


def _comment(path: Path) -> str | bytes:
    with Image.open(path, formats=("GIF", "PNG", "WEBP", "JPEG")) as image:  # what is exported here
        if packet := image.info.get("xmp", b""):
            return html.unescape(packet.decode("utf-8", "replace").partition('settings="')[2].partition('"')[0])
        found: str | bytes = image.info.get("comment", b"")
    return found


SETTINGS_ID = "settings"
"""Of the element of a web page that holds them."""
_MOST_PAGE_BYTES = 2**28


def _settings_of_page(path: Path) -> str:
    """What stands in the page's element of settings, which is written before the pictures."""
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(_MOST_PAGE_BYTES)
    _, _, rest = text.partition(f'<script type="application/json" id="{SETTINGS_ID}">')
    return rest.partition("</script>")[0]


def _settings_of_film(path: Path) -> str:
    import av  # 100 MB of libraries: not before they are needed

    with av.open(str(path), metadata_errors="replace") as container:  # FFmpeg's errors are OSErrors, or ValueErrors
        tags = {name.lower(): text for name, text in container.metadata.items()}
    return tags.get("comment", "")


def _settings_of_svg(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    return html.unescape(text.partition("<metadata>")[2].partition("</metadata>")[0])


def _settings_of_pdf(path: Path) -> str:
    """The keywords of the document, as fpdf2 writes them: a string in brackets, or in hexadecimal UTF-16."""
    found = re.search(rb"/Keywords (\((?:[^\\)]|\\.)*\)|<[0-9A-Fa-f]*>)", path.read_bytes(), re.DOTALL)
    if found is None:
        return ""
    if found[1].startswith(b"<"):
        return bytes.fromhex(found[1][1:-1].decode()).decode("utf-16", "replace")
    return re.sub(rb"\\(.)", rb"\1", found[1][1:-1], flags=re.DOTALL).decode("latin-1")


def _settings_of_apng(path: Path) -> bytes:
    """The comment, which stands behind the frames: Pillow does not read so far."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[:4], "big")
            if head[4:] == b"tEXt":
                name, _, text = file.read(min(size, _MOST_PAGE_BYTES)).partition(b"\0")
                if name == b"comment":
                    return text
                file.seek(4, 1)
            else:
                file.seek(size + 4, 1)
    return b""


def _settings_of_zip(path: Path) -> bytes:
    with ZipFile(path) as archive, archive.open("settings.json") as file:
        return file.read(_MOST_PAGE_BYTES)


_READERS: dict[str, Callable[[Path], str | bytes]] = {
    ".apng": _settings_of_apng,
    ".html": _settings_of_page,
    ".mp4": _settings_of_film,
    ".pdf": _settings_of_pdf,
    ".svg": _settings_of_svg,
    ".webm": _settings_of_film,
    ".zip": _settings_of_zip,
}
"""By ending; the others are pictures with a comment."""
