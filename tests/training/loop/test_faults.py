"""Disks that fill up, devices that vanish, memory that runs out: a clear sentence, and a checkpoint that loads."""

import os
from pathlib import Path

import pytest
import torch

from sculptor_app.training.errors import DeviceLost, Diverged, NotWritten, OutOfMemory, PeerLost
from sculptor_app.training.files import whole_file
from sculptor_app.training.loop.checkpoint import load_checkpoint, save_checkpoint
from tests.training.tiny import Messages, Weights, no_file_larger_than, same, tiny_run, with_recipe


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=16)
    before = run.checkpoint_path.read_bytes()
    with no_file_larger_than(100_000), pytest.raises(NotWritten) as caught:
        run.go(until=32)
    assert str(caught.value) == (
        f"{run.checkpoint_path} could not be written (File too large). The checkpoint before it is whole."
    )
    assert not list(tmp_path.rglob("*.partial"))
    assert run.checkpoint_path.read_bytes() == before
    assert tiny_run(tmp_path).trainer.seen == 16


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_the_systems_own_word_for_a_full_disk_is_told(tmp_path: Path):
    (tmp_path / "x.pt.partial").symlink_to("/dev/full")
    with pytest.raises(NotWritten, match=r"x.pt could not be written \(No space left on device\)\."):
        save_checkpoint(tmp_path / "x.pt", {"weights": torch.zeros(500_000)})
    assert list(tmp_path.iterdir()) == []


def test_whatever_happens_while_a_file_is_written_the_old_one_stays(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_file_left_by_a_killed_process_is_written_over(tmp_path: Path):
    (tmp_path / "x.partial").write_bytes(b"left by a process that was killed, and longer than the new one")
    with whole_file(tmp_path / "x") as file:
        file.write(b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x": b"new"}


def test_a_log_and_sheets_that_cannot_be_written_are_said_once_and_the_run_goes_on(whole: Weights, tmp_path: Path):
    listener = Messages()
    run = tiny_run(tmp_path / "run", with_recipe(sample_every=64), listener=listener)
    (tmp_path / "run" / "log.jsonl").mkdir()
    (tmp_path / "run" / "samples-000000064.png.partial").mkdir()
    run.go()
    assert same(run, whole)
    ends = [("log.jsonl", "the log"), ("samples-000000064.png", "the sample sheet")]
    assert listener.sentences == [
        f"{tmp_path / 'run' / name} could not be written (Is a directory). The run goes on without {what}."
        for name, what in ends
    ]


GONE = [
    torch.AcceleratorError("unspecified launch failure\nKernel errors might be reported elsewhere"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
]


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
def test_a_gpu_that_vanishes_leaves_the_last_checkpoint_untouched(tmp_path: Path, error: Exception):
    run = tiny_run(tmp_path)
    run.go(until=4)
    before = run.checkpoint_path.read_bytes()

    def vanish(*_: object) -> None:
        raise error

    run.trainer._learner.forward = vanish
    run.trainer.state = vanish  # nothing may be read from a device that is gone
    with pytest.raises(DeviceLost) as caught:
        run.go()
    first_line = str(error).splitlines()[0]
    assert str(caught.value) == (f"The GPU stopped working after 4 pictures ({first_line}).")
    assert run.checkpoint_path.read_bytes() == before
    assert tiny_run(tmp_path).trainer.seen == 4


def test_a_gpu_that_vanishes_before_the_first_step_leaves_a_checkpoint(tmp_path: Path):
    run = tiny_run(tmp_path)

    def vanish(*_: object) -> None:
        raise GONE[0]

    run.trainer._learner.forward = vanish
    with pytest.raises(DeviceLost, match="after 0 pictures"):
        run.go()
    assert run.checkpoint_path.exists()
    assert tiny_run(tmp_path).trainer.seen == 0


def test_a_gpu_that_vanishes_while_the_checkpoint_is_made_is_no_full_disk(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=8)

    def vanish() -> None:
        raise GONE[0]

    run.trainer._learner.state_dict = vanish
    with pytest.raises(DeviceLost, match="GPU stopped working"):
        run.go(until=16)
    assert tiny_run(tmp_path).trainer.seen == 8


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), MemoryError(),
              RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_too_little_memory_is_an_error_of_its_own(tmp_path: Path, error: BaseException):
    run = tiny_run(tmp_path)

    def fill_memory(*_: object) -> None:
        raise error

    run.trainer._learner.forward = fill_memory
    with pytest.raises(OutOfMemory, match=r"not enough memory for steps of 4 pictures"):
        run.go()
    assert tiny_run(tmp_path, with_recipe(batch=2)).trainer.seen == 0


def test_memory_that_really_runs_out_is_told(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.trainer._learner.forward = lambda *_: torch.empty(2**55)
    with pytest.raises(OutOfMemory, match="steps of 4 pictures"):
        run.go()


def test_another_process_that_has_gone_is_told_apart(tmp_path: Path):
    run = tiny_run(tmp_path)

    def close(*_: object) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:544] Connection closed by peer [127.0.0.1]:1234")

    run.trainer._learner.forward = close
    with pytest.raises(PeerLost, match="Another process of this run has gone after 0 pictures"):
        run.go()


def test_a_loss_that_is_no_number_leaves_the_checkpoint_before(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=16)
    with torch.no_grad():
        run.trainer.pipeline.unet.conv_in.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="The loss became nan after 16 pictures"):
        run.go()
    again = tiny_run(tmp_path, with_recipe(learning_rate=1e-5))
    assert again.trainer.seen == 16
    again.go()


def test_weights_that_blow_up_in_the_last_step_do_not_replace_the_checkpoint(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=16)
    real = run.trainer.step

    def blow_up():
        told = real()
        with torch.no_grad():
            run.trainer.pipeline.unet.conv_in.weight.mul_(float("inf"))
        return told

    run.trainer.step = blow_up
    with pytest.raises(Diverged, match="weights are NaN or infinite after 20 pictures"):
        run.go(until=20)
    assert tiny_run(tmp_path).trainer.seen == 16


def test_any_other_fault_is_not_dressed_up(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.trainer._learner.forward = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run.go()


def test_a_power_cut_in_the_middle_of_the_rename_cannot_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The content is flushed before the file gets its name."""
    order: list[str] = []
    real_flush, real_rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("flush"), real_flush(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("rename"), real_rename(path, to))[1])
    save_checkpoint(tmp_path / "x.pt", {"a": 1})
    assert order == ["flush", "rename", "flush"]
    assert load_checkpoint(tmp_path / "x.pt")["a"] == 1
