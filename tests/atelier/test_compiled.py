"""The compiled kernels: the pictures of torch, whatever else is rendered meanwhile, and torch where there are none."""

import importlib.util
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sculptor_app.atelier import FORMS, MATERIALS, compiled, renderer
from sculptor_app.atelier.renderer import render, render_by_torch, to_bytes

pytest.importorskip("numba")
PAIRS = [(form, material) for form in range(len(FORMS)) for material in range(len(MATERIALS))]
CPU = torch.device("cpu")


def stand_in(solids, scene, size, first, last, out):
    """Compiled in no time; nothing is rendered with it."""


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A process that has rendered nothing yet, with something small to compile; the folder where that is kept."""
    from sculptor_app.atelier import kernel_rays

    monkeypatch.setattr(compiled, "_found", [])
    monkeypatch.setattr(kernel_rays, "rows", stand_in)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept"


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("size", "first_seed"), [(24, 0), (33, 10**12), (64, 500)])
def test_the_pictures_are_those_of_torch(size: int, first_seed: int):
    """Tolerance: 0.5 of 255 on average, 3 of 255 in 99.9 % of the pixels, in each form and in each material."""
    pairs = PAIRS if size < 64 else PAIRS[::5]
    seeds, forms, materials = range(first_seed, first_seed + len(pairs)), *zip(*pairs, strict=True)
    ours = to_bytes(render(seeds, forms, materials, size)).astype(int)
    torchs = to_bytes(render_by_torch(seeds, forms, materials, size, CPU)).astype(int)
    assert np.ptp(ours) > 200
    for column in range(2):
        for label in range(len((FORMS, MATERIALS)[column])):
            of_label = [i for i, pair in enumerate(pairs) if pair[column] == label]
            apart = np.abs(ours[of_label] - torchs[of_label])
            assert apart.mean() <= 0.5, (column, label)
            assert (apart.max(axis=3) <= 3).mean() >= 0.999, (column, label)


def test_a_picture_does_not_depend_on_threads_batch_or_order():
    rows = compiled.kernel()
    labels = [(7, 0, 3), (8, 4, 1), (9, 5, 5), (7, 0, 3), (3, 7, 2)]
    columns = [list(column) for column in zip(*labels, strict=True)]
    whole = compiled.draw(rows, *columns, 33, threads=1)
    for threads in (2, 3, 7):
        assert np.array_equal(compiled.draw(rows, *columns, 33, threads), whole), threads
    backwards = [column[::-1] for column in columns]
    assert np.array_equal(compiled.draw(rows, *backwards, 33, 2)[::-1], whole)
    for i, (seed, form, material) in enumerate(labels):
        assert np.array_equal(compiled.draw(rows, [seed], [form], [material], 33, 4)[0], whole[i])


def test_several_rows_are_rendered_at_the_same_time():
    meeting = threading.Barrier(3, timeout=30)  # passes when three wait for each other
    drawn: list[tuple[int, int]] = []

    def rows(solids, scene, size, first, last, out):
        meeting.wait()
        drawn.append((first, last))

    compiled.draw(rows, [1], [4], [0], 12, 3)
    assert sorted(drawn) == [(first, first + 2) for first in range(0, 12, 2)]
    drawn.clear()
    compiled.draw(rows, range(6), [4] * 6, [0] * 6, 9, 3)
    assert drawn == [(0, 9)] * 6


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fault_while_rendering_is_raised(threads: int):
    def rows(*_):
        raise MemoryError("rows")

    with pytest.raises(MemoryError, match="rows"):
        compiled.draw(rows, [1, 2, 3], [4, 4, 4], [0, 0, 0], 16, threads)


def test_no_pictures_are_no_pictures():
    assert render([], [], [], 16).shape == (0, 3, 16, 16)


def test_without_numba_torch_renders(anew: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numba", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "numba.core", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compiled.notice("cpu") == ""
    assert compiled.kernel() is None
    assert torch.equal(render([3], [0], [1], 16), render_by_torch([3], [0], [1], 16, CPU))


def test_torch_renders_on_other_devices(monkeypatch: pytest.MonkeyPatch):
    asked: list[torch.device] = []
    monkeypatch.setattr(compiled, "kernel", lambda *_: pytest.fail("kernels are for the CPU"))
    monkeypatch.setattr(renderer, "render_by_torch", lambda *given: asked.append(given[-1]))
    render([3], [0], [1], 16, "cuda:0")
    assert asked == [torch.device("cuda:0")]


def test_what_is_compiled_is_said_once_and_kept(anew: Path, monkeypatch: pytest.MonkeyPatch):
    assert "compiled" in compiled.notice("cpu")
    assert compiled.notice("cuda:0") == ""
    assert compiled.kernel(may_compile=False) is None
    assert kept(anew) == []
    made = compiled.kernel()
    assert made is not None
    assert compiled.notice("cpu") == ""
    assert compiled.kernel() is made
    assert kept(anew)
    monkeypatch.setattr(compiled, "_found", [])  # the next process
    assert compiled.notice("cpu") == ""
    loaded = compiled.kernel(may_compile=False)
    assert sum(loaded.stats.cache_hits.values()) == 1


def test_what_was_compiled_of_other_sources_or_by_another_numba_goes(anew: Path, monkeypatch: pytest.MonkeyPatch):
    stranger, older = anew / "other", anew / f"{compiled.KEPT}older"
    stranger.mkdir(parents=True)
    older.mkdir()
    compiled.kernel()
    assert stranger.exists()
    assert not older.exists()
    found = {compiled._cache_folder()}
    monkeypatch.setattr(compiled, "SOURCES", compiled.SOURCES[1:])
    found.add(compiled._cache_folder())
    monkeypatch.setattr(compiled, "version", lambda name: "0.69.0")
    found.add(compiled._cache_folder())
    assert len(found) == 3


def test_every_source_of_the_kernels_counts():
    sources = [(compiled.HERE / name).read_text(encoding="utf-8") for name in compiled.SOURCES[:3]]
    taken = re.findall(r"from sculptor_app\.atelier(?:\.(\w+))? import (\w+)", "\n".join(sources))
    assert {f"{module or name}.py" for module, name in taken} <= set(compiled.SOURCES)
    assert len(taken) > 5


def test_what_is_damaged_is_made_again(anew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    compiled.kernel()
    for path in kept(anew):
        path.write_bytes(path.read_bytes()[:7])
    monkeypatch.setattr(compiled, "_found", [])
    assert compiled.kernel() is not None
    assert not [record for record in caplog.records if record.levelname == "WARNING"]  # nobody has to do anything
    monkeypatch.setattr(compiled, "_found", [])
    assert sum(compiled.kernel().stats.cache_hits.values()) == 1


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(
    anew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    anew.write_bytes(b"a file in place of the folder")
    made = compiled.kernel()
    assert made.overloads
    assert made.stats.cache_path is None
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith("The compiled renderer could not be kept: ")
    monkeypatch.setattr(compiled, "_found", [])
    monkeypatch.setattr(compiled, "_cache_folder", lambda: None)
    assert compiled.kernel().overloads


def test_what_cannot_be_compiled_torch_renders(anew: Path, monkeypatch: pytest.MonkeyPatch):
    from sculptor_app.atelier import kernel_rays

    monkeypatch.setattr(kernel_rays, "rows", lambda *_: nothing_of_that_name)  # noqa: F821
    assert compiled.kernel() is None
    assert torch.equal(render([3], [0], [1], 16), render_by_torch([3], [0], [1], 16, CPU))


def test_a_full_disk_costs_the_kept_file_alone(anew: Path, monkeypatch: pytest.MonkeyPatch):
    from numba.core.caching import FunctionCache

    def save(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FunctionCache, "save_overload", save)
    assert compiled.kernel().overloads


def test_the_programs_own_cache_is_used_where_the_package_cannot_be_written(anew: Path, own_folders: Path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert compiled._cache_folder().parent == compiled.HERE / "__pycache__"
    monkeypatch.setattr(compiled.os, "access", lambda *_: False)
    assert compiled._cache_folder().is_relative_to(own_folders)
