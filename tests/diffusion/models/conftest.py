import shutil
from pathlib import Path

import pytest

from tests.helpers.diffusers_models import ddpm, save
from tests.helpers.tiny_pipelines import build


@pytest.fixture(scope="session")
def whole_ddpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that nothing is wrong with; never changed."""
    return save(ddpm, tmp_path_factory.mktemp("whole") / "ddpm")


@pytest.fixture(scope="session")
def whole_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion that nothing is wrong with; never changed."""
    folder = tmp_path_factory.mktemp("whole") / "sd"
    build("stable_diffusion").save_pretrained(folder)
    return folder


@pytest.fixture
def sd(whole_sd: Path, tmp_path: Path) -> Path:
    """A copy of it to do anything to."""
    return Path(shutil.copytree(whole_sd, tmp_path / "sd"))


@pytest.fixture
def model(whole_ddpm: Path, tmp_path: Path) -> Path:
    """A copy of it to do anything to."""
    return Path(shutil.copytree(whole_ddpm, tmp_path / "model"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that would be there if anything that came with a model had run."""
    return tmp_path / "canary"
