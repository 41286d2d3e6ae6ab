"""The program says the same about itself everywhere."""

import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import sculptor_app
from sculptor_app import identity

ROOT = Path(__file__).parent.parent
METAINFO = ROOT / "packaging" / f"{identity.APP_ID}.metainfo.xml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def said_in_metainfo(path: str) -> str:
    found = ET.parse(METAINFO).find(path)
    assert found is not None, f"{path} is missing"
    return " ".join((found.text or "").split())


def test_version_is_said_once():
    assert sculptor_app.__version__ == identity.VERSION
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "sculptor_app/__init__.py"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id", identity.APP_ID),
        ("name", identity.NAME),
        ("summary", identity.SUMMARY),
        ("project_license", identity.LICENCE),
        ("launchable", f"{identity.APP_ID}.desktop"),
        ("icon", identity.APP_ID),
        ("provides/binary", identity.COMMAND),
    ],
)
def test_metainfo_agrees(path, expected):
    assert said_in_metainfo(path) == expected


def test_metainfo_tells_the_same_story():
    paragraphs = ET.parse(METAINFO).findall("description/p")
    assert tuple(" ".join((paragraph.text or "").split()) for paragraph in paragraphs) == identity.DESCRIPTION


def test_metainfo_and_changelog_know_this_version():
    release = ET.parse(METAINFO).find("releases/release")
    assert release is not None
    assert release.get("version") == identity.VERSION
    assert f"## [{identity.VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_project_file_agrees():
    assert PROJECT["project"]["name"] == identity.COMMAND
    assert identity.COMMAND in PROJECT["project"]["scripts"]
    assert PROJECT["project"]["license"] == f"{identity.LICENCE} AND OFL-1.1"  # the font's
    assert identity.LICENCE in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_summary_fits_a_menu():
    assert len(identity.SUMMARY) <= 35
    assert not identity.SUMMARY.endswith(".")
