"""What holds for every test of the command line."""

from tests.training.conftest import own_accelerate_state

__all__ = ["own_accelerate_state"]
