"""The pinned versions, and the wheel."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sculptor_app import identity, resources

ROOT = Path(__file__).parent.parent
PACKAGING = ROOT / "packaging"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(*names: str) -> dict[str, str]:
    lines = [line for name in names for line in (PACKAGING / name).read_text(encoding="utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and next(iter(pin.specifier)).operator == "==" for pin in found)
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in found}


def test_every_dependency_is_pinned_within_its_bounds():
    locked = pins("requirements.txt")
    for dependency in map(Requirement, PROJECT["dependencies"]):
        assert dependency.specifier.contains(locked[canonicalize_name(dependency.name)]), dependency


def test_every_dependency_of_the_tests_is_pinned_alike():
    locked = pins("requirements.txt", "requirements-test.txt")
    for dependency in map(Requirement, PROJECT["optional-dependencies"]["test"]):
        assert dependency.specifier.contains(locked[canonicalize_name(dependency.name)]), dependency


def test_no_build_for_one_machine_is_pinned():
    assert not [name for name, version in pins("requirements.txt").items() if "+" in version or "nvidia" in name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return folder / said.stdout.split()[-1]


def test_the_wheel_carries_all_resources_and_the_menu_entry(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {file.relative_to(resources.root()) for file in resources.root().rglob("*") if file.is_file()}
    assert {f"sculptor_app/_resources/{file.as_posix()}" for file in ours} <= names
    share = f"sculptor_app-{identity.VERSION}.data/data/share"
    assert f"{share}/applications/{identity.APP_ID}.desktop" in names
    assert f"{share}/metainfo/{identity.APP_ID}.metainfo.xml" in names
    assert f"{share}/mime/packages/{identity.APP_ID}.xml" in names
    assert f"{share}/icons/hicolor/48x48/apps/{identity.APP_ID}.png" in names
    assert not [name for name in names if name.startswith(("tests/", "packaging/"))]


def test_the_program_from_the_wheel_finds_its_resources(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import sculptor_app, sys; from sculptor_app import resources; from sculptor_app.cli import main\n"
        "print(sculptor_app.__file__); print(resources.path('icons/app')); sys.exit(main(['--version']))"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    said = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    module, icons, version = said.stdout.splitlines()
    assert Path(module).is_relative_to(tmp_path)
    assert Path(icons).is_relative_to(tmp_path)
    assert identity.VERSION in version
