"""A stop is heard while a prompt is read and encoded, before any step."""

import threading
from typing import Any

import pytest

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.diffusion.pipelines.networks import replaced_methods
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.tiny_pipelines import build

SETTINGS = {"prompt": "a bust", "height": 16, "width": 16}
REQUEST = RunRequest(model="/", device="cpu", sampler=OWN_SAMPLER, guidance=None, steps=2, options=SETTINGS)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return build("stable_diffusion")


def test_between_the_layers_of_an_encoder(pipeline: Any) -> None:
    stop, seen = threading.Event(), []
    layers = [each for each in pipeline.text_encoder.modules() if not list(each.children())]
    hooks = [each.register_forward_hook(lambda *_: (seen.append(1), stop.set())[0]) for each in layers]
    try:
        with pytest.raises(Cancelled):
            list(sample(Engine(lambda *_, **__: pipeline), REQUEST, stop))
    finally:
        for hook in hooks:
            hook.remove()
    assert len(seen) == 1
    stop.clear()
    *_, last = sample(Engine(lambda *_, **__: pipeline), REQUEST, stop)
    assert last.trajectory.is_complete
    assert not any(each._forward_pre_hooks for each in layers)


def test_while_a_tokenizer_reads_and_does_not_end(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, let_go, threads = threading.Event(), threading.Event(), []

    def read(*_: Any, **__: Any) -> None:
        threads.append(threading.current_thread())
        stop.set()
        let_go.wait(60)

    monkeypatch.setattr(pipeline.tokenizer, "_encode_plus", read)
    with pytest.raises(Cancelled):
        list(sample(Engine(lambda *_, **__: pipeline), REQUEST, stop))
    assert not let_go.is_set()
    let_go.set()
    threads[0].join(60)
    assert threads[0] is not threading.main_thread()


def test_what_a_tokenizer_raises_comes_out_of_the_run(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise RuntimeError("no words")

    monkeypatch.setattr(pipeline.tokenizer, "_encode_plus", read)
    with pytest.raises(Exception, match="no words"):
        list(sample(Engine(lambda *_, **__: pipeline), REQUEST, threading.Event()))
    with pytest.raises(RuntimeError, match="no words"):  # and outside of one, as before
        pipeline.tokenizer("a bust")


@pytest.mark.parametrize("ending", ["finished", "failed", "stopped"])
def test_a_tokenizer_is_as_it_was_after_a_run(pipeline: Any, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Its type, and each method of it and of its bases: other programs of this process use the same classes."""
    kind, stop = type(pipeline.tokenizer), threading.Event()
    before = [dict(vars(base)) for base in kind.__mro__]
    during: list[bool] = []

    def read(*given: Any, **named: Any) -> Any:
        during.append(vars(kind).get("__call__") is before[0].get("__call__"))
        if ending == "failed":
            raise RuntimeError("no words")
        if ending == "stopped":
            stop.set()
        return encode(*given, **named)

    encode = pipeline.tokenizer._encode_plus
    monkeypatch.setattr(pipeline.tokenizer, "_encode_plus", read)
    run = sample(Engine(lambda *_, **__: pipeline), REQUEST, stop)
    if ending == "finished":
        assert [*run][-1].trajectory.is_complete
    else:
        with pytest.raises(Cancelled if ending == "stopped" else SculptorError):
            list(run)
    assert during[0] is False
    assert type(pipeline.tokenizer) is kind
    assert [dict(vars(base)) for base in kind.__mro__] == before


def test_blocks_that_overlap_in_any_order_leave_a_class_as_it_was() -> None:
    class Base:
        def read(self) -> str:
            return "read"

    class Reader(Base): ...

    make = {Reader: {"read": lambda kind, method: lambda self: f"({method(self)})", "unknown": lambda *_: None}}
    first, second = replaced_methods(make), replaced_methods(make)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Reader().read() == "(read)"
    second.__exit__(None, None, None)
    assert "read" not in vars(Reader)
