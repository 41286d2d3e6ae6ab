"""Learning in one thread while another opens somebody's model, which changes torch for the whole process."""

import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel

from sculptor_app.diffusion.models.loader import build, inspect_model
from sculptor_app.training.network import blueprint_of
from sculptor_app.training.network import build as build_from_blueprint
from tests.helpers.diffusers_models import ddpm, save
from tests.training.tiny import tiny_pipeline, tiny_trainer

LOADER = "loading a model"
PATIENCE_S = 0.5


@pytest.fixture
def bfloat16() -> Iterator[None]:
    """As it is for a moment while a model in this kind of number is opened."""
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_network_that_is_made_meanwhile_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, made = inspect_model(save(ddpm, tmp_path / "ddpm")), []
    reference, blueprint = tiny_pipeline().unet.state_dict(), blueprint_of(tiny_pipeline())
    inside, others_done = threading.Event(), threading.Event()
    begin = UNet2DModel.__init__

    @functools.wraps(begin)  # diffusers looks at what it takes
    def begin_slowly(self: Any, *arguments: Any, **named: Any) -> None:
        if threading.current_thread().name == LOADER:
            inside.set()
            others_done.wait(PATIENCE_S)  # they may come now, if nothing keeps them
        begin(self, *arguments, **named)

    def make() -> None:
        inside.wait()
        made.extend([tiny_pipeline(), build_from_blueprint(blueprint)])
        others_done.set()

    monkeypatch.setattr(UNet2DModel, "__init__", begin_slowly)
    threads = [threading.Thread(target=build, args=(verdict, "bfloat16"), name=LOADER), threading.Thread(target=make)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drawn, empty = (pipeline.unet.state_dict() for pipeline in made)
    for state in (drawn, empty):
        assert {tensor.dtype for tensor in state.values()} == {torch.float32}
        assert not any(tensor.is_meta for tensor in state.values())
    assert all(torch.equal(drawn[name], tensor) for name, tensor in reference.items())


def test_what_is_drawn_while_it_learns_is_of_its_own_kind(bfloat16: None) -> None:
    torch.set_default_dtype(torch.float32)
    alone, beside = tiny_trainer(), tiny_trainer()
    wanted = [alone.step() for _ in range(3)]
    torch.set_default_dtype(torch.bfloat16)
    found = [beside.step() for _ in range(3)]
    for one, other in zip(wanted, found, strict=True):
        assert torch.equal(one.losses, other.losses)
        assert torch.equal(one.log_snr, other.log_snr)
    for mine, theirs in zip(alone.average.parameters(), beside.average.parameters(), strict=True):
        assert torch.equal(mine, theirs)
