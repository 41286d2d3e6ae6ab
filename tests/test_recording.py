"""The public interface for scripts: what it records, that it changes nothing, and that it leaves nothing behind."""

import copy
import functools
import gc
import inspect
import re
import subprocess
import sys
import types
import weakref
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

import sculptor_app
from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.sampling import recorder
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings
from tests.diffusion.gaussian import GaussianNetwork
from tests.diffusion.observe.test_stages import StagedPipeline
from tests.helpers.any_pipeline import OPTIONS, STEPS
from tests.helpers.tiny_pipelines import build

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
README = Path(__file__).parent.parent / "README.md"
PICTURE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (16, 16, 3)).astype(np.uint8))
MASK = Image.fromarray((np.eye(16)[..., None].repeat(3, 2) * 255).astype(np.uint8))
GIVEN = {"dit": {"class_labels": [1]}, "img2img": {"image": PICTURE}, "inpaint": {"image": PICTURE, "mask_image": MASK}}
KINDS = ("ddpm", "dit", "stable_diffusion", "img2img", "inpaint", "sdxl", "flux", "consistency", "sana_sprint")


def call(pipe: Any, kind: str, seed: int | None = 3, **changes: Any) -> np.ndarray:
    """What a script would ask of such a pipeline."""
    arguments = OPTIONS.get(kind, {}) | GIVEN.get(kind, {}) | {"num_inference_steps": STEPS, "output_type": "np"}
    if kind == "sana_sprint":
        arguments["num_inference_steps"] = 2
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return np.asarray(pipe(**(arguments | {"generator": generator} | changes)).images)


def denoise(pipe: Any, steps: int = STEPS, stop_after: int | None = None, plan: bool = True) -> torch.Tensor:
    """A loop of a person's own."""
    scheduler, generator = pipe.scheduler, torch.Generator().manual_seed(5)
    if plan:
        scheduler.set_timesteps(steps)
    x = torch.randn(1, 3, 8, 8, generator=generator)
    with torch.no_grad():
        for t in scheduler.timesteps[:stop_after]:
            output = pipe.unet(scheduler.scale_model_input(x, t), t).sample
            x = scheduler.step(output, t, x, generator=generator).prev_sample
    return x


def surroundings(pipe: Any) -> list[Any]:
    """All that could have been left replaced."""
    schedulers = [type(part) for part in vars(pipe).values() if isinstance(part, diffusers.SchedulerMixin)]
    kinds = [type(pipe), *type(pipe).__mro__, *schedulers, diffusers.DDIMScheduler, diffusers.DDIMPipeline]
    kinds += [type(part) for part in pipe.components.values()]
    found: list[Any] = [dict(vars(kind)) for kind in kinds if kind is not object]
    found += [dict(vars(pipe)), type(pipe), [type(part) for part in pipe.components.values()]]
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            hooks = [
                (dict(m._forward_pre_hooks), dict(m._forward_hooks), vars(m).get("forward")) for m in part.modules()
            ]
            found.append(hooks)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, None])
def test_every_call_is_as_if_nobody_recorded_it(kind: str, seed: int | None) -> None:
    pipe = build(kind)
    torch.manual_seed(1)
    want, then = call(pipe, kind, seed), torch.rand(3)
    before = surroundings(pipe)
    torch.manual_seed(1)
    with sculptor_app.record(pipe) as run:
        got, after = call(pipe, kind, seed), torch.rand(3)
    np.testing.assert_array_equal(got, want)
    assert torch.equal(after, then)
    assert surroundings(pipe) == before
    assert run.ended == ""
    count = len(run.guesses)
    assert len(run.states) == len(run.levels) == len(run.energies()) == count + 1 > 1
    assert run.states.dtype == run.guesses.dtype == np.float32
    assert run.states[0].shape == run.guesses[0].shape
    assert np.isfinite(run.guesses).all()
    shares = run.levels[:, 0] / np.hypot(*run.levels.T)
    assert shares[0] < shares[-1]


def test_the_last_state_is_the_picture_and_states_are_mixtures() -> None:
    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        picture = call(pipe, "ddim")
    np.testing.assert_allclose((run.states[-1] / 2 + 0.5).clip(0, 1), picture[0].transpose(2, 0, 1), atol=1e-6)
    assert run.levels[-1].tolist() == [1, 0]
    np.testing.assert_allclose(run.guesses[-1], run.states[-1], atol=1e-5)


def test_a_loop_of_ones_own() -> None:
    pipe = build("ddim")
    want, before = denoise(pipe), surroundings(pipe)
    with sculptor_app.record(pipe) as run:
        got = denoise(pipe)
    assert torch.equal(got, want)
    assert surroundings(pipe) == before
    assert len(run.runs) == 1
    np.testing.assert_array_equal(run.states[-1], want[0].numpy())
    assert len(run.states) == STEPS + 1
    assert np.isfinite(run.guesses).all()
    assert run.ended == ""


def test_a_loop_with_another_scheduler_than_the_pipelines() -> None:
    pipe = build("ddim")
    other = diffusers.EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    with sculptor_app.record(pipe) as run:
        pipe.scheduler = other
        denoise(pipe)
    assert len(run.states) == STEPS + 1
    assert np.isfinite(run.guesses).all()


def test_a_scheduler_that_is_put_in_during_the_block_and_one_that_inherits_its_step() -> None:
    class Mine(diffusers.DDIMScheduler):
        pass

    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        pipe.scheduler = Mine.from_config(pipe.scheduler.config)
        call(pipe, "ddim")
    assert run.note == ""
    assert np.isfinite(run.guesses).all()
    assert "step" not in vars(Mine)


def test_loops_one_after_the_other_are_runs_of_their_own() -> None:
    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        denoise(pipe, stop_after=2)
        denoise(pipe)
        denoise(pipe, plan=False)
        denoise(pipe, stop_after=3, plan=False)
        denoise(pipe, plan=False)
    assert [len(each.states) - 1 for each in run.runs] == [2, STEPS, STEPS, 3, STEPS]
    early = "failed: It ended before all its steps were taken."
    assert [each.ended for each in run.runs] == [early, "", "", early, ""]


def test_several_calls_and_a_loop_in_one_block() -> None:
    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        first = call(pipe, "ddim", 1)
        second = call(pipe, "ddim", 2, num_inference_steps=3)
        denoise(pipe)
        call(pipe, "ddim", 4)
    assert [len(each.states) - 1 for each in run.runs] == [STEPS, 3, STEPS, STEPS]
    for each, picture in zip(run.runs, (first, second), strict=False):
        np.testing.assert_allclose((each.states[-1] / 2 + 0.5).clip(0, 1), picture[0].transpose(2, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(run.states, run.runs[-1].states)


def test_only_this_pipeline_is_recorded_each_by_its_own_block() -> None:
    pipe, other = build("ddim"), build("ddim")
    shares = diffusers.DDIMPipeline(**pipe.components)
    shares.set_progress_bar_config(disable=True)
    with sculptor_app.record(pipe) as run:
        call(other, "ddim")
        call(shares, "ddim")
        assert run.runs == []
        with sculptor_app.record(other) as second:
            call(pipe, "ddim")
            call(other, "ddim", num_inference_steps=2)
            denoise(pipe, 3)
            denoise(other, 5)
    assert [len(each.states) - 1 for each in run.runs] == [STEPS, 3]
    assert [len(each.states) - 1 for each in second.runs] == [2, 5]
    with pytest.raises(RuntimeError), run:
        pass


def test_what_ends_a_call_comes_out_and_the_record_says_so() -> None:
    pipe = build("stable_diffusion")

    def fail(pipe: Any, step: int, timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if step == 1:
            raise ValueError("no more of this")
        return kept

    call(pipe, "stable_diffusion")  # which notes things in the pipeline
    before = surroundings(pipe)
    with sculptor_app.record(pipe) as run:
        with pytest.raises(ValueError, match="no more of this"):
            call(pipe, "stable_diffusion", callback_on_step_end=fail)
        assert run.ended == "failed: ValueError: no more of this"
        call(pipe, "stable_diffusion")
    assert surroundings(pipe) == before
    assert [each.ended for each in run.runs] == ["failed: ValueError: no more of this", ""]
    assert len(run.runs[0].states) == len(run.runs[0].levels) > 1
    assert len(run.states) == STEPS + 1


def test_what_ends_the_block_comes_out_and_the_record_says_so() -> None:
    pipe = build("ddim")
    before = surroundings(pipe)
    run = sculptor_app.record(pipe)

    def block() -> None:
        with run:
            denoise(pipe, stop_after=2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    assert run.ended == "cancelled"
    assert len(run.states) == 3
    assert surroundings(pipe) == before


def test_the_pipelines_own_refusals_come_out() -> None:
    pipe = build("stable_diffusion")
    with sculptor_app.record(pipe) as run, pytest.raises(ValueError, match="Provide either `prompt`"):
        pipe()
    with pytest.raises(sculptor_app.SculptorError, match="No run was recorded"):
        run.states  # noqa: B018
    assert run.runs == []


def test_callbacks_of_a_persons_own_are_called_and_what_they_change_is_recorded() -> None:
    pipe, seen = build("stable_diffusion"), []

    def halve(pipe: Any, step: int, timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        seen.append(step)
        return kept | {"latents": kept["latents"] / 2}

    want = call(pipe, "stable_diffusion", callback_on_step_end=halve)
    steps, seen = seen, []
    with sculptor_app.record(pipe) as run:
        got = call(pipe, "stable_diffusion", callback_on_step_end=lambda *given, **named: halve(*given, **named))
    np.testing.assert_array_equal(got, want)
    assert seen == steps
    assert len(run.states) >= STEPS


def test_an_interrupted_call_says_that_it_ended_early() -> None:
    pipe = build("stable_diffusion")

    def interrupt(pipe: Any, step: int, timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        pipe._interrupt = step == 1
        return kept

    with sculptor_app.record(pipe) as run:
        call(pipe, "stable_diffusion", callback_on_step_end=interrupt)
    assert run.ended == "failed: It ended before all its steps were taken."


def test_a_fault_of_the_record_does_not_reach_the_run(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    pipe = build("ddim")
    want = call(pipe, "ddim")
    counted = []
    real = ArrayStore.append

    def fail(self: ArrayStore, array: Any) -> int:
        counted.append(1)
        if len(counted) > 4:
            raise OSError("the disk is full")
        return real(self, array)

    monkeypatch.setattr(ArrayStore, "append", fail)
    with sculptor_app.record(pipe) as run:
        got = call(pipe, "ddim")
    np.testing.assert_array_equal(got, want)
    assert run.ended == "failed: OSError: the disk is full"
    assert 1 < len(run.states) < STEPS + 1
    assert "the disk is full" in caplog.text


def test_a_pipeline_that_cannot_even_be_looked_at_runs_on(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    pipe = build("ddim")
    want, loop = call(pipe, "ddim"), denoise(pipe)
    monkeypatch.setattr(recorder, "native_size", lambda pipe: 1 / 0)
    with sculptor_app.record(pipe) as run:
        np.testing.assert_array_equal(call(pipe, "ddim"), want)
        assert torch.equal(denoise(pipe), loop)
    assert run.runs == []
    assert "A run is not recorded: division by zero" in caplog.text


def test_a_network_that_gives_nan_is_left_to_it() -> None:
    pipe = build("ddim")
    with torch.no_grad():
        pipe.unet.conv_out.bias.fill_(torch.nan)
    with sculptor_app.record(pipe) as run:
        assert torch.isnan(denoise(pipe)).all()
    assert "NaN" in run.ended


def test_in_inference_mode_too() -> None:
    pipe = build("stable_diffusion")
    with torch.inference_mode():
        want = call(pipe, "stable_diffusion")
        with sculptor_app.record(pipe) as run:
            got = call(pipe, "stable_diffusion")
    np.testing.assert_array_equal(got, want)
    assert run.ended == ""
    assert len(run.states) == STEPS + 1


def test_a_scheduler_that_is_not_known_is_recorded_without_guesses(tmp_path: Path) -> None:
    class Strange(diffusers.DDIMScheduler):
        def step(self, model_output: Any, timestep: Any, sample: Any, **given: Any) -> Any:
            return super().step(model_output, timestep, sample, **given)

    pipe = build("ddim")
    pipe.scheduler = Strange.from_config(pipe.scheduler.config)
    with sculptor_app.record(pipe) as run:
        denoise(pipe)
        call(pipe, "ddim")
    assert [len(each.states) for each in run.runs] == [STEPS + 1, STEPS + 1]
    assert np.isnan(run.guesses).all()
    assert run.guesses.shape == run.states[1:].shape
    assert run.note == "How the sampler Strange takes its steps is not known here, so no guess can be shown."
    run.export(tmp_path / "noisy.gif")
    assert read_settings(tmp_path / "noisy.gif")["export"]["frames"] == "noisy"


def test_of_a_pipeline_in_stages_the_first_that_makes_a_picture_is_recorded() -> None:
    betas = {"prediction_type": "v_prediction", "beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
    schedulers = [diffusers.DDPMScheduler(**betas) for _ in range(2)]
    pipe = StagedPipeline(GaussianNetwork(size=16), diffusers.UnCLIPScheduler(prediction_type="sample"), *schedulers)
    want = pipe(generator=torch.Generator().manual_seed(3))
    with sculptor_app.record(pipe) as run:
        got = pipe(generator=torch.Generator().manual_seed(3))
    assert torch.equal(got, want)
    assert len(run.runs) == 1
    assert run.states.shape == (STEPS + 1, 3, 16, 16)
    assert run.note.startswith("This model works in stages (prior_scheduler, scheduler, super_res_scheduler)")


def test_what_cannot_be_watched_is_refused_in_a_sentence() -> None:
    with pytest.raises(sculptor_app.SculptorError, match=r"^A pipeline of diffusers can be recorded; this is a int\.$"):
        sculptor_app.record(3)
    with pytest.raises(sculptor_app.SculptorError, match=r"^LTXPipeline makes a video; Sculptor shows how"):
        sculptor_app.record(diffusers.LTXPipeline.__new__(diffusers.LTXPipeline))
    with pytest.raises(sculptor_app.SculptorError, match=r"^AmusedPipeline fills in the tokens of a vocabulary"):
        sculptor_app.record(diffusers.AmusedPipeline.__new__(diffusers.AmusedPipeline))


def test_memory_is_bounded_by_one_budget_whatever_is_recorded() -> None:
    pipe = build("ddim")
    frame_bytes, budget = 3 * 8 * 8 * 4, 10 * 3 * 8 * 8 * 4
    with sculptor_app.record(pipe) as whole:
        for seed in range(4):
            call(pipe, "ddim", seed)
    with sculptor_app.record(pipe, budget_bytes=budget) as run:
        for seed in range(4):
            call(pipe, "ddim", seed)
            held = sum(each._trajectory.bytes_in_memory for each in run.runs)
            assert frame_bytes <= held <= budget
    assert sum(each._trajectory.bytes_on_disk for each in run.runs) > 0
    for spilled, kept in zip(run.runs, whole.runs, strict=True):
        np.testing.assert_array_equal(spilled.states, kept.states)
        np.testing.assert_array_equal(spilled.guesses, kept.guesses)


def test_the_record_keeps_no_model_in_memory(tmp_path: Path, caplog: Any) -> None:
    pipe = build("stable_diffusion")
    with sculptor_app.record(pipe) as run:
        call(pipe, "stable_diffusion")
    gone = weakref.ref(pipe)
    del pipe
    gc.collect()
    assert gone() is None
    run.export(tmp_path / "late.png")
    assert "The pipeline is gone" in caplog.text


def test_a_persons_own_prepare_latents_stays() -> None:
    pipe = build("flux")
    own = pipe.prepare_latents = functools.partial(type(pipe).prepare_latents, pipe)
    with sculptor_app.record(pipe) as run:
        call(pipe, "flux")
    assert pipe.prepare_latents is own
    assert run.states.shape == (STEPS + 1, 4, 8, 12)


def test_pipelines_and_schedulers_answer_as_always_inside_the_block() -> None:
    pipe = build("stable_diffusion")
    signature = inspect.signature(pipe.__call__)
    with sculptor_app.record(pipe):
        assert inspect.signature(pipe.__call__) == signature
        assert type(pipe.scheduler) is diffusers.PNDMScheduler
        assert "sample" in inspect.signature(pipe.scheduler.step).parameters
        copied = copy.deepcopy(pipe.unet)
    assert [type(hook).__name__ for hook in copied._forward_pre_hooks.values()] == ["NetworkHook"]  # does nothing


def test_a_compiled_network_is_given_no_hook() -> None:
    pipe = build("ddim")
    want = call(pipe, "ddim")
    pipe.unet._compiled_call_impl = pipe.unet._call_impl  # what `compile` puts there
    (network,) = networks_of(pipe).values()
    with sculptor_app.record(pipe) as run:
        assert not network._forward_pre_hooks
        np.testing.assert_array_equal(call(pipe, "ddim"), want)
    assert len(run.states) == STEPS + 1


# Numbers and files ----------------------------------------------------------------------------------------------------

BANDS = ("coarse", "medium", "fine", "finest")
COLUMNS = ["phase", "snr", *(f"{of}_{band}" for of in ("guess", "noisy") for band in BANDS)]


@pytest.fixture
def recorded() -> Any:
    pipe = build("ddim")
    with sculptor_app.record(pipe) as run:
        call(pipe, "ddim")
    return run


def test_energies_are_those_of_the_table(recorded: Any, tmp_path: Path) -> None:
    table = recorded.energies()
    assert list(table.dtype.names) == ["step", *COLUMNS]
    assert table["step"].tolist() == list(range(STEPS + 1))
    assert np.isnan(table["guess_coarse"][0])
    recorded.export(str(tmp_path / "run.csv"))
    header, rows = read_csv(tmp_path / "run.csv")
    name = next(each for each in rows[0] if each.startswith("noisy coarse"))
    np.testing.assert_allclose(table["noisy_coarse"], [float(row[name]) for row in rows], rtol=1e-6)
    assert table["phase"].tolist() == [row["phase"] for row in rows]
    assert header["seed"] == 3
    assert header["steps taken"] == STEPS
    assert header["sampler name"] == "DDIMScheduler"


def test_energies_are_a_frame_where_pandas_is_there(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        def __init__(self, columns: dict[str, Any]) -> None:
            self.columns = columns

        def set_index(self, name: str) -> Any:
            return name, self.columns

    pandas = types.ModuleType("pandas")
    pandas.DataFrame = Frame  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    index, columns = recorded.energies()
    assert (index, list(columns)) == ("step", ["step", *COLUMNS])


def test_an_unknown_seed_is_not_made_up(tmp_path: Path) -> None:
    pipe = build("ddim")
    used = torch.Generator().manual_seed(3)
    torch.rand(1, generator=used)
    with sculptor_app.record(pipe) as run:
        call(pipe, "ddim", None)
        call(pipe, "ddim", generator=used)
    for each in run.runs:
        each.export(tmp_path / "run.csv")
        assert "seed" not in read_csv(tmp_path / "run.csv")[0]
        each.export(tmp_path / "run.gif", caption=True)
        assert read_settings(tmp_path / "run.gif")["request"]["seed"] is None


def test_latents_are_exported_as_sculpt_does_and_draw_no_random_number(tmp_path: Path) -> None:
    pipe = build("stable_diffusion")
    with sculptor_app.record(pipe, both_guesses=True) as run:
        picture = call(pipe, "stable_diffusion", guidance_scale=5.0, output_type="pil")
    torch.manual_seed(7)
    want = torch.rand(2)
    torch.manual_seed(7)
    run.export(tmp_path / "lion.png", decode="last", size_px=16)
    run.export(tmp_path / "lion.gif", frames="guesses")
    assert torch.equal(torch.rand(2), want)
    with Image.open(tmp_path / "lion.png") as still:
        np.testing.assert_allclose(np.asarray(still.convert("RGB"), int), picture[0].astype(int), atol=1)
    assert read_settings(tmp_path / "lion.gif")["request"]["options"]["prompt"] == "a bust"


def test_a_file_of_another_kind_is_refused(recorded: Any, tmp_path: Path) -> None:
    with pytest.raises(sculptor_app.SculptorError, match=r"Choose one of \.gif, \.webp, .*\.html, .*\.csv"):
        recorded.export(tmp_path / "run.mov")
    with pytest.raises(TypeError, match="colour"):
        recorded.export(tmp_path / "run.gif", colour="red")
    assert list(tmp_path.iterdir()) == []


# The package ----------------------------------------------------------------------------------------------------------


def test_importing_the_package_costs_nothing() -> None:
    program = (
        "import sys, sculptor_app\n"
        "sculptor_app.__all__, sculptor_app.__version__\n"
        "print([bad for bad in ('torch', 'PySide6', 'numpy', 'diffusers', 'PIL') if bad in sys.modules])\n"
        "assert callable(sculptor_app.record)\n"
        "print([bad for bad in ('PySide6', 'shiboken6', 'pyqtgraph') if bad in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert said.stdout.split("\n")[:2] == ["[]", "[]"], said.stderr


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'sculptor_app' has no attribute 'recrod'"):
        sculptor_app.recrod  # noqa: B018  # a slip of the pen


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.read_text(encoding="utf-8").split("## From a script")[1].split("\n## ")[0]
    examples = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    models = iter(("stable_diffusion", "ddpm"))
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", lambda name: build(next(models)))
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    assert {path.name for path in tmp_path.iterdir()} >= {"lion.gif", "lion.png", "lion.csv", "cat.gif"}
