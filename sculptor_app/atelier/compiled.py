"""Rendering on a CPU by compiled kernels: the pictures of torch, in 8 bits to one level, in a quarter of its time.

numba compiles them for the processor at their first use and keeps what it made: in the package's `__pycache__`, or in
the program's cache where that cannot be written; NUMBA_CACHE_DIR names another place. Without numba torch renders.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sculptor_app import folders
from sculptor_app.atelier.scene import choose_material, compose, sculpt
from sculptor_app.atelier.shape import Shape
from sculptor_app.core.texts import translate

_log = logging.getLogger(__name__)
HERE = Path(__file__).parent
SOURCES = ("kernels.py", "kernel_light.py", "kernel_rays.py", "scene.py", "trace.py")
"""What the kernels are made of, with the constants that they take from other modules."""
KEPT = "sculptor-kernels-"
"""How the names of folders begin that hold what was compiled; a hash of the sources follows."""
ROW_STEP = 2
"""Rows of a picture that are rendered together, whatever is rendered at the same time."""
Kernel = Callable[..., None]
Tables = tuple[Any, np.ndarray]
"""A sculpture's solids and its scene, as `kernel_rays.rows` takes them."""

_FAILED = "The compiled renderer could not be kept: %s", "The renderer could not be compiled, so torch renders: %r"
_lock = threading.Lock()
_found: list[Kernel | None] = []  # one, once it was looked for


def kernel(may_compile: bool = True) -> Kernel | None:
    """The compiled `kernel_rays.rows`; None where there is no numba.

    Args:
        may_compile: False gives None, too, where it would have to be compiled first, which takes seconds.
    """
    with _lock:
        if not _found and (may_compile or not _must_compile()):
            _found.append(_load())
        return _found[0] if _found else None


def notice(device: str) -> str:
    """A sentence for whoever waits if the next render on this device compiles the kernels first, else nothing."""
    with _lock:
        if _found or device != "cpu" or not _must_compile():
            return ""
    return translate("errors", "The renderer is compiled for this processor first: about ten seconds, once.")


def _must_compile() -> bool:
    if importlib.util.find_spec("numba") is None:
        return False
    folder = _cache_folder()
    return folder is None or not any(folder.rglob("*.nbc"))


def _cache_folder() -> Path | None:
    """Where what this numba and Python compiled of these sources is kept; None where nothing can be."""
    made_of = hashlib.sha256(f"{version('numba')} {sys.implementation.cache_tag}".encode())
    for name in SOURCES:
        made_of.update((HERE / name).read_bytes())
    name, beside = f"{KEPT}{made_of.hexdigest()[:16]}", HERE / "__pycache__"
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named) / name
    if not sys.dont_write_bytecode and os.access(beside if beside.exists() else HERE, os.W_OK):
        return beside / name
    try:
        return folders.cache() / name
    except OSError:
        return None


def _load() -> Kernel | None:
    """Load the kernel, or compile it; whatever goes wrong costs time only."""
    try:
        from numba.core import config

        from sculptor_app.atelier.kernel_rays import rows
        from sculptor_app.atelier.kernels import entry
    except ImportError as error:  # there is none, or none for this numpy
        _log.info("torch renders, as numba cannot be imported: %s", error)
        return None
    if config.DISABLE_JIT:
        return None
    folder = _cache_folder()
    places = [None] if folder is None else [folder, folder, None]  # again, once what is damaged has been deleted
    for attempt, place in enumerate(places):
        made = entry(rows)
        try:
            if place is not None:
                _keep_in(place, made, config)
            made(*_tables_of(Shape()), 8, 0, 0, np.empty((3, 8, 8), np.float32))  # no rows: it is only compiled
        except Exception as error:  # what numba raises for a damaged file or a full disk is anything
            is_mended = attempt == 0 and place is not None and not made.overloads
            _log.log(logging.INFO if is_mended else logging.WARNING, _FAILED[place is None], error)
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)
        if made.overloads:  # compiled it is, even if it was not kept
            return made  # type: ignore[no-any-return]
    return None


def _keep_in(folder: Path, made: Any, config: Any) -> None:
    for older in folder.parent.glob(f"{KEPT}*"):
        if older != folder:
            shutil.rmtree(older, ignore_errors=True)
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)  # read by the next line alone
    try:
        made.enable_caching()
    finally:
        config.CACHE_DIR = before
    if not Path(made.stats.cache_path).is_relative_to(folder):  # numba looks for other places where it may not write
        raise OSError(f"{folder} cannot be written")


def draw(
    rows: Kernel, seeds: Sequence[int], forms: Sequence[int], materials: Sequence[int], size: int, threads: int
) -> np.ndarray:
    """Render sculptures; see `renderer.render`. A picture is the same whatever the number of threads.

    Returns:
        (B, 3, size, size) float32 in [-1, 1].
    """
    pictures = np.empty((len(seeds), 3, size, size), np.float32)
    bands = -(-2 * threads // max(len(seeds), 1)) if threads > 1 else 1  # of few pictures each is shared out
    step = -(-size // (bands * ROW_STEP)) * ROW_STEP

    def render_band(place: int, first: int) -> None:
        tables = _pack(seeds[place], forms[place], materials[place])
        rows(*tables, size, first, min(first + step, size), pictures[place])

    places = [place for place in range(len(seeds)) for _ in range(0, size, step)]
    firsts = [first for _ in seeds for first in range(0, size, step)]
    if threads == 1:
        list(map(render_band, places, firsts))
        return pictures
    pool = ThreadPoolExecutor(threads)
    try:
        list(pool.map(render_band, places, firsts))
    finally:
        pool.shutdown(cancel_futures=True)
    return pictures


def _pack(seed: int, form: int, material: int) -> Tables:
    shape = sculpt(seed, form)
    return _tables_of(shape, compose(seed, shape) | choose_material(seed, material))


def _tables_of(shape: Shape, scene: dict[str, np.ndarray] | None = None) -> Tables:
    """Solids and scene in the layout of the kernels, without the padding of `scene.pack`.

    The last columns of cones and ellipsoids are the kernels' own scratch: what one thread renders from is its alone.
    """
    from sculptor_app.atelier.kernel_light import FIELDS

    cones = [
        np.concatenate([row[:3], way := row[3:6] - row[:3], [1 / (way @ way + 1e-12), row[6], row[7] - row[6], 0]])
        for row in shape.cones
    ]
    ellipsoids = [
        np.concatenate([row[:3], (row[3:12].reshape(3, 3) / row[12:, None]).ravel(), 1 / row[12:],
                        [row[12:].max(), row[12:].min(), 0]])
        for row in shape.ellipsoids
    ]  # fmt: skip
    solids = (
        _table(cones, 10), _table(ellipsoids, 18), _table(shape.carves, 4), _table(shape.boxes, 6),
        _vector([] if shape.lathe is None else shape.lathe), _vector([] if shape.ring is None else shape.ring),
        np.float32(shape.sharpness),
    )  # fmt: skip
    if scene is None:
        return solids, np.zeros(sum(FIELDS.values()), np.float32)
    return solids, _vector(np.concatenate([scene[name] for name in FIELDS]))


def _table(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, width)


def _vector(values: np.ndarray | list[float]) -> np.ndarray:
    return np.array(values, np.float32)
