"""Every text that a person reads in the window can be shown in another language."""

import ast
import pickle
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import sculptor_app
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.pictures.file import _resized
from sculptor_app.core.requests.parameter import ModelParameter, ParameterKind
from sculptor_app.core.texts import Text, _check_fields, translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.ui.fields.parameter_fields import ConditionField
from sculptor_app.ui.playback.texts import level_text
from sculptor_app.ui.shell.app import install_translations
from sculptor_app.ui.widgets.names import display, ratio_name

PACKAGE = Path(sculptor_app.__file__).parent
TOOLS = Path(sys.executable).parent
DEFINITIONS = ("core/texts.py", "ui/widgets/names.py")  # the two functions that take any text
MADE_UP = "Klingon: {}"


def is_of_painter(call: ast.Call) -> bool:
    """Whether it moves a painter's origin, which Qt calls translate, too."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "painter"


def marking_calls() -> list[tuple[str, ast.Call, ast.expr]]:
    """Every call that marks a text: where, the call, and its text's expression."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        where = file.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or where in DEFINITIONS:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "tr":
                found.append((f"{where}:{node.lineno}", node, node.args[0]))
            elif name == "translate" and len(node.args) > 1 and not is_of_painter(node):
                found.append((f"{where}:{node.lineno}", node, node.args[1]))
    return found


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lupdate finds in the program."""
    file = tmp_path_factory.mktemp("texts") / "sculptor_tlh.ts"
    command = [TOOLS / "pyside6-lupdate", "-silent", "-extensions", "py", "-recursive", PACKAGE, "-ts", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return file


def test_texts_are_marked_in_one_way() -> None:
    wrong = [
        where
        for where, call, text in marking_calls()
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str))
        or (isinstance(call.func, ast.Attribute) and call.func.attr == "tr" and ast.unparse(call.func.value) != "self")
    ]
    assert wrong == []


def names_of_errors(trees: list[ast.Module]) -> set[str]:
    """Classes of errors whose sentences the window shows, and of what the inspection of a model finds."""
    bases = {
        node.name: {ast.unparse(base).split(".")[-1] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {
        "SculptorError", "Finding", "Unfit", "BrokenHeader", "NoExactRuleError", "PredictionsUnknown",
        "UncopyableState", "UnknownSchedulerError",
    }  # fmt: skip
    while more := {name for name, own in bases.items() if own & found} - found:
        found |= more
    return found


def test_sentences_of_errors_are_marked() -> None:
    files = [
        file for file in sorted(PACKAGE.rglob("*.py")) if file.relative_to(PACKAGE).parts[0] not in ("commands", "ui")
    ]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    errors = names_of_errors(trees)
    assert {"RequestError", "ModelFolderError", "ExportError", "TrainingError"} <= errors
    plain = [
        f"{file.relative_to(PACKAGE)}:{text.lineno}"
        for file, tree in zip(files, trees, strict=True)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in errors
        for text in node.args
        if isinstance(text, ast.JoinedStr)
        or (isinstance(text, ast.Constant) and isinstance(text.value, str) and " " in text.value)
    ]
    assert plain == []


def test_lupdate_finds_every_marked_text(catalogue: Path) -> None:
    found = {message.findtext("source") for message in ET.parse(catalogue).iter("message")}
    marked = {text.value for _, _, text in marking_calls() if isinstance(text, ast.Constant)}
    assert len(marked) > 400
    assert marked - found == set()


def test_placeholders_have_one_form() -> None:
    texts = [(where, text.value) for where, _, text in marking_calls() if isinstance(text, ast.Constant)]
    assert [where for where, text in texts if re.search(r"%[1-9]|%\(|%s", text)] == []


def test_every_sentence_of_an_error_can_come_out_of_the_sandbox() -> None:
    for _, _, text in marking_calls():
        if isinstance(text, ast.Constant) and "{" in text.value:
            _check_fields(text.value, 10)


def test_an_error_keeps_its_template_and_its_facts() -> None:
    error = SculptorError(translate("errors", "There is no file {0} of {1} bytes.").format("x.png", 3))
    assert str(error) == "There is no file x.png of 3 bytes."
    assert isinstance(error.message, Text)
    assert (error.message.template, error.message.facts) == ("There is no file {0} of {1} bytes.", ("x.png", 3))
    assert pickle.loads(pickle.dumps(error.message)).facts == ("x.png", 3)  # errors cross processes


@pytest.fixture
def made_up_language(catalogue: Path, tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> object:
    """A language in which every text is the English one with a word before it, installed as a person's own would be."""
    tree = ET.parse(catalogue)
    for message in tree.iter("message"):
        for place in [*message.iter("numerusform")] or [message.find("translation")]:
            place.text = MADE_UP.format(message.findtext("source"))
        message.find("translation").attrib.pop("type", None)
    (tmp_path / "translations").mkdir()
    tree.write(tmp_path / "sculptor_de.ts", encoding="utf-8")
    compiled = tmp_path / "translations" / "sculptor_de.qm"
    subprocess.run([TOOLS / "pyside6-lrelease", "-silent", tmp_path / "sculptor_de.ts", "-qm", compiled], check=True)
    monkeypatch.setattr("sculptor_app.resources.root", lambda: tmp_path)
    translators = install_translations(qapp, QLocale(QLocale.Language.German))
    yield translators
    for each in translators:
        qapp.removeTranslator(each)


def test_sentences_from_below_are_shown_in_the_chosen_language(made_up_language: list[QTranslator]) -> None:
    assert made_up_language
    assert QCoreApplication.translate("Phase", "Structure") == MADE_UP.format("Structure")
    sentence = translate("errors", "The disk is full: {0} was not written.").format("a.gif")
    assert display(sentence) == MADE_UP.format("The disk is full: a.gif was not written.")
    inner = translate("errors", "The disk is full: {0} was not written.").format(sentence)
    assert display(inner).count("Klingon") == 2
    assert ratio_name(2e7) == MADE_UP.format("over 20 million")
    assert level_text(NoiseLevel(1, 1e-4)) == "Klingon: SNR Klingon: over 100 million"


def test_what_is_wrong_with_a_field_and_a_picture_is_shown_in_the_chosen_language(
    made_up_language: list[QTranslator], qtbot: QtBot
) -> None:
    field = ConditionField(ModelParameter("prompt", "Prompt", ParameterKind.CHOICE, required=True, choices=("a",)))
    qtbot.addWidget(field)
    assert field.problem.startswith("Klingon")
    assert [display(note) for note in _resized((4000, 3000), (3, 48, 64), False)] == [
        MADE_UP.format("shrunk from 4000 × 3000 pixels")
    ]


def test_without_a_catalogue_the_program_speaks_english(qapp: QApplication) -> None:
    korean = QLocale(QLocale.Language.Korean)  # Qt has one
    assert QTranslator().load(korean, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    assert install_translations(qapp, korean) == []
