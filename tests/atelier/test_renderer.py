"""Pictures: a pure function of seed, form and material, and what they show is what their labels say."""

import argparse
import contextlib
import errno
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sculptor_app.atelier import FORMS, MATERIALS, compiled, render
from sculptor_app.atelier.renderer import _rays, contact_sheet, lay_out, to_bytes
from sculptor_app.atelier.scene import pack, sculpt
from sculptor_app.atelier.shape import RandomStream
from sculptor_app.atelier.trace import NEVER, march, slab
from sculptor_app.cli import main
from sculptor_app.commands import atelier
from sculptor_app.commands.run_options import rendered
from sculptor_app.core.requests import request
from sculptor_app.session.engine import render_sculpture

EVERY = [(form, material) for form in range(len(FORMS)) for material in (form % 6, (form + 3) % 6)]


def silhouettes(form: int, seeds: range, size: int = 32) -> np.ndarray:
    """(B, 2·size, 2·size) True where a ray meets the sculpture, pedestal or not."""
    job = pack(list(seeds), form, [0] * len(seeds), torch.device("cpu"))
    camera = _rays(job, size)
    near, far = slab(camera.eye, camera.ray, job.scene["low"], job.scene["high"])
    met = march(job.solids, camera.eye, camera.ray, near.clamp(min=0), far)
    return (met < NEVER).numpy().reshape(len(seeds), 2 * size, 2 * size)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    forms, materials = zip(*EVERY, strict=True)
    return render(range(len(EVERY)), forms, materials, 24)


def test_the_labels_are_those_that_the_rest_of_the_program_knows():
    assert tuple(FORMS) == tuple(request.FORMS)
    assert tuple(MATERIALS) == tuple(request.MATERIALS)


def test_shape_and_range(pictures: torch.Tensor):
    assert pictures.shape == (len(EVERY), 3, 24, 24)
    assert pictures.dtype == torch.float32
    assert -1 <= pictures.min() <= pictures.max() <= 1
    assert torch.isfinite(pictures).all()
    assert (pictures.std(dim=(1, 2, 3)) > 0.05).all()


def test_rendering_again_gives_the_same_picture(pictures: torch.Tensor):
    forms, materials = zip(*EVERY, strict=True)
    assert torch.equal(render(range(len(EVERY)), forms, materials, 24), pictures)


def test_a_picture_does_not_depend_on_the_others_in_its_batch(pictures: torch.Tensor):
    for i, (form, material) in list(enumerate(EVERY))[::3]:
        alone = render([i], [form], [material], 24)[0]
        assert torch.equal(alone, pictures[i]), (form, material)


def test_order_is_kept(pictures: torch.Tensor):
    backwards = list(reversed(list(enumerate(EVERY))))
    again = render([i for i, _ in backwards], [f for _, (f, _) in backwards], [m for _, (_, m) in backwards], 24)
    assert torch.equal(again.flip(0), pictures)


def test_other_seeds_give_other_pictures():
    a, b = render([1, 2], [4, 4], [3, 3], 16)
    assert (a - b).abs().mean() > 0.05


def test_the_material_changes_the_sculpture_and_nothing_around_it():
    marble, basalt = render([11, 11], [4, 4], [0, 4], 32)
    shown = silhouettes(4, range(11, 12), 32)[0].reshape(32, 2, 32, 2).any(axis=(1, 3))
    around = torch.from_numpy(~shown)
    assert around.float().mean() > 0.3
    assert torch.equal(marble[:, around], basalt[:, around])
    assert (marble - basalt)[:, ~around].abs().mean() > 0.2


def test_camera_light_and_colours_know_no_label():
    """The same seed has the same wall, light and camera direction whatever is shown."""
    jobs = [pack([5], form, [material], torch.device("cpu")) for form, material in ((0, 1), (5, 4), (7, 0))]
    for name in ("wall", "zenith", "light", "light_colour", "floor_colour", "stone", "azimuth", "forward", "pattern"):
        assert all(torch.equal(job.scene[name], jobs[0].scene[name]) for job in jobs), name


def test_materials_have_their_colours():
    means = []
    for material in range(len(MATERIALS)):
        shown = silhouettes(4, range(20, 32), 16).reshape(12, 16, 2, 16, 2).all(axis=(2, 4))
        rendered = render(range(20, 32), [4] * 12, [material] * 12, 16).permute(0, 2, 3, 1).numpy() / 2 + 0.5
        means.append(rendered[shown].mean(axis=0))
    marble, bronze, verdigris, terracotta, basalt, sandstone = means
    brightness = [float(mean.mean()) for mean in means]
    assert brightness[0] == max(brightness)
    assert brightness[4] == min(brightness)
    assert verdigris[1] > verdigris[0] + 0.05
    for brown in (bronze, terracotta, sandstone):
        assert brown[0] > brown[1] > brown[2]
    assert terracotta[0] - terracotta[1] > sandstone[0] - sandstone[1]
    assert np.ptp(marble) < 0.12
    assert np.ptp(basalt) < 0.12


def test_silhouettes_are_those_of_the_forms():
    def height_to_width(mask: np.ndarray) -> float:
        ys, xs = np.nonzero(mask)
        return float(np.ptp(ys) + 1) / float(np.ptp(xs) + 1)

    slim = {form: np.median([height_to_width(m) for m in silhouettes(form, range(12))]) for form in (1, 6, 7)}
    assert slim[7] > 1.8  # a column is tall
    assert slim[1] > 1.5  # so is a standing figure
    assert slim[6] < 1.4  # an animal is long
    full = {form: silhouettes(form, range(12)) for form in (3, 5)}
    middle = {form: np.mean([_filled_at_centroid(m) for m in masks]) for form, masks in full.items()}
    assert middle[3] > 0.95  # a head is solid in its middle
    assert middle[5] < 0.7  # most rings are open there; knots cross it and narrow views close it


def _filled_at_centroid(mask: np.ndarray) -> float:
    ys, xs = np.nonzero(mask)
    return float(mask[int(ys.mean()), int(xs.mean())])


@pytest.mark.parametrize("form", range(len(FORMS)), ids=FORMS)
def test_sculptures_stand_on_their_pedestal_and_fit(form: int):
    for seed in range(40):
        shape = sculpt(seed, form)
        assert -0.12 <= shape.low[1] <= 1e-6
        assert 0.35 <= shape.high[1] <= 1.45
        assert (shape.high - shape.low).max() < 1.9


def test_streams_of_chance_are_independent_and_repeatable():
    first = [RandomStream(seed, purpose).between(0, 1) for seed in range(200) for purpose in (1, 100, 200)]
    assert first == [RandomStream(seed, purpose).between(0, 1) for seed in range(200) for purpose in (1, 100, 200)]
    table = np.array(first).reshape(200, 3)
    assert np.abs(np.corrcoef(table.T) - np.eye(3)).max() < 0.25
    assert abs(table.mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("seeds", "forms", "materials", "size", "named"),
    [
        ([1], [8], [0], 16, "0 to 7"),
        ([1], [0], [6], 16, "0 to 5"),
        ([1], [0, 1], [0], 16, "2 forms"),
        ([1], [0], [0], 4, "8 and more"),
    ],
)
def test_bad_requests_are_named(seeds, forms, materials, size: int, named: str):
    with pytest.raises(ValueError, match=named):
        render(seeds, forms, materials, size)


def test_larger_pictures_show_the_same_scene():
    small, large = render([3], [4], [3], 32)[0], render([3], [4], [3], 64)[0]
    halved = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert (small - halved).abs().mean() < 0.04


def test_pictures_lie_row_by_row():
    pictures = np.stack([np.full((2, 3, 3), value, np.uint8) for value in range(5)])
    sheet = np.asarray(lay_out(pictures, columns=2, zoom=2))
    assert sheet.shape == (12, 12, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((0, 0), (3, 11), (4, 0), (7, 7), (11, 5))] == [0, 1, 2, 3, 4]


def test_bytes_reach_from_0_to_255():
    assert to_bytes(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)).flatten().tolist() == [0, 128, 255]


def test_a_sheet_is_deterministic_and_holds_the_renders():
    first, second = (np.asarray(contact_sheet(size=16, columns=2, rows=3, seed=7)[0]) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (48, 32, 3)
    assert np.array_equal(first[16:32, 0:16], to_bytes(render([9], [1], [1], 16))[0])


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    atelier.add_parsers(parser.add_subparsers())
    return parser.parse_args(words)


def test_the_command_writes_a_sheet_and_says_how_fast(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    arguments = parse("atelier", "sheet", "--out", str(out), "--size", "16", "--columns", "2", "--rows", "1")
    assert arguments.run(arguments) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (32, 16)
    assert "ms a picture" in capsys.readouterr().out


def test_the_command_says_that_it_compiles(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compiled, "notice", {"cpu": "The renderer is compiled."}.get)
    assert main(["atelier", "sheet", "--out", str(tmp_path / "x.png"), "--size", "8", "--rows", "1"]) == 0
    said = capsys.readouterr()
    assert said.err == "The renderer is compiled.\n"
    assert "compiled" not in said.out


def test_one_picture_waits_for_no_compiler(monkeypatch):
    """Of the page Drown and of `drown`; torch renders it in less time than compiling takes."""
    asked = []
    monkeypatch.setattr(compiled, "kernel", lambda may_compile: asked.append(may_compile))
    assert render_sculpture("vase", "marble", 3, 16).shape == (3, 16, 16)
    assert rendered("vase", None, 3, 16).frame.shape == (3, 16, 16)
    assert asked == [False, False]


@pytest.mark.parametrize(
    ("wrong", "code", "sentence"),
    [
        (["--size", "4"], 2, "The size is 4; choose a whole number, 8 to 1024."),
        (["--out", ""], 2, "The path is empty; write the name of a file or folder."),
        (["--out", "~nobody-of-that-name/x.png"], 5, "does not exist. Create it, or choose another."),
        (["--out", "x.gif"], 2, "x.gif is no .png. Choose such a name."),
        (["--out", "."], 5, ". is a folder. Add a file name."),
        (["--device", "abacus"], 2, "The device 'abacus' is not available here."),
        (["--size", "1024", "--rows", "64"], 2, "The sheet would have 805 million pixels."),
    ],
)
def test_a_sheet_that_cannot_be_is_refused_before_the_work(
    wrong: list[str], code: int, sentence: str, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sculptor_app.atelier.renderer.contact_sheet", lambda *_: pytest.fail("it was rendered"))
    with contextlib.suppress(SystemExit):
        assert main(["atelier", "sheet", "--out", "x.png", *wrong]) == code
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_fails_half_written_leaves_the_one_before(tmp_path, monkeypatch, capsys):
    target = tmp_path / "x.png"
    target.write_bytes(b"before")

    def fill_the_disk(image, file, *_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_the_disk)
    assert main(["atelier", "sheet", "--out", str(target), "--size", "8", "--rows", "1", "--columns", "1"]) == 5
    assert "The disk is full:" in capsys.readouterr().err
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("x.png", b"before")]


def test_the_command_line_costs_no_torch():
    code = "import sys, sculptor_app.commands.atelier, sculptor_app.commands.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
