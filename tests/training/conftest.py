"""What holds for every test of the training program."""

from collections.abc import Iterator

import pytest
from accelerate.state import AcceleratorState

from tests.training.tiny import Weights, tiny_run, weights


@pytest.fixture(autouse=True)
def own_accelerate_state() -> Iterator[None]:
    """Accelerate keeps its precision for the whole process; every test chooses its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """What the tiny run learns when nothing comes between."""
    AcceleratorState._reset_state(reset_partial_state=True)
    run = tiny_run(tmp_path_factory.mktemp("whole"))
    run.go()
    return [weight.detach().clone() for weight in weights(run)]
