"""Every text that a person reads: plurals, numbers without exponents, and one word for one thing."""

import ast
import functools
import re
from pathlib import Path

import pytest

import sculptor_app
from sculptor_app.core.texts import amount_text, decimal_text, number_text, pictures_text, spread_text, translate
from sculptor_app.ui.widgets.frame_panel import signed

PACKAGE = Path(sculptor_app.__file__).parent

COUNTED = (
    "bytes|cells|channels|cycles|entries|files|folders|frames|gradients|images|layers|letters|levels|LoRAs|models|"
    "pictures|pixels|reasons|samples|scans|seconds|shards|steps|strokes|timesteps|weights|words"
)  # things that the program counts
SEVERAL = re.compile(rf"\{{[^{{}}]*\}} (?:more )?(?:{COUNTED})\b(?!/)")

NEVER_ONE = {
    "it is a JPEG in {0:,} scans": "it is refused for having so many",
    "Choose a picture of at least {0} pixels": "a bound",
    "from {0} × {1} pixels": "a product",
    "it has {0:,} pixels, and": "it is refused for having so many",
    "The grid has {0} cells": "one cell is allowed",
    "Runs of fewer than {0} steps": "a bound",
    "{0} weights of guidance": "of a grid that has several",
    "A latent map needs {0} pictures": "a bound",
    "lies more than {1} folders deep": "a bound",
    "took more than {0} seconds": "a bound",
    "does not fit a file of {1:,} bytes": "eight of them were read",
    "its tensors ask for {0:,} bytes": "the sum of tensors of two bytes and more each",
    "a tensor's name has {0} letters": "it is refused for having so many",
    "trained on {1} timesteps": "no model is trained on one",
    "the first three of {0} channels": "three and more",
    "the last {0} of {1} steps": "it left out one and more",
    "the {2} timesteps that this model": "no model is trained on one",
    "reads pictures of {1} pixels": "a bound",
    "holds pictures of {1} pixels": "a bound",
    "makes pictures of {1} pixels": "a bound",
    "{1} pictures of {2} pixels": "it holds the name of a set",
    "{0:,} pictures of {1} pixels take": "they fill the memory",
    "{0} gradients in a row": "a bound",
    "The sheet would have {0} × {1} pixels": "a product",
    "{0} steps cannot be run": "one step can",
    "becomes {0} × {0} pixels": "a product",
    "have {0} × {1} pixels by its settings": "a product",
    "tokens of {2:,} letters": "it is refused for having so many",
    "has {1:,} bytes; allowed": "it is refused for having so many",
    "{0} has {1:,} bytes.": "it is refused for having so many",
    "allowed are {2:,}": "a bound",
    "holds more than {1:,} files": "a bound",
    "weights of {1:,} bytes in a file of": "weights have two bytes and more",
    "{1} has {2} words for {3} labels": "of two lists",
    "in {1} has {2:,} letters": "it is refused for having so many",
    "it has {1} channels in {2} blocks": "it is refused for having so many",
    "a U-Net of {2} channels": "three and more",
    "their own range, of {0} steps": "1,024 and more",
    "has {1} by {1} pixels": "a product",
    "choose {1} steps or more": "two",
    "Waves of {0} to {1} cycles": "two and more",
    "{0} cycles per image and more": "sixteen",
    "of pictures of {} pixels first": "a bound",
    "{} of {} pixels, {} ms a picture": "a bound",
    "{} pictures  loss": "a line of a log, in columns",
    "{} {} {} pixels": "a product",
    "as {} × {} pixels": "a product",
    "There are {0} LoRAs": "it is refused for having so many",
    "{1} LoRAs are the most": "a bound",
    "of {2} files of these weights": "one of several",
    "{0} · runs of {1} steps": "the longest of several lengths",
    "has {1:,} files to fetch": "it is refused for having so many",
    "{} samples for each where a claim": "twelve",
    "tested on {0} samples": "twelve",
    "{0} samples for each of the": "twelve",
    "measured with {0} samples": "24 and more",
    "distance of {0} samples": "24 and more",
    "distance of {1} samples": "24 and more",
    "Of {0} steps the distance": "four and more",
}
"""Beginnings or parts of texts whose count is never one, and why."""


@functools.cache
def strings(tree: ast.Module) -> tuple[tuple[ast.AST, str], ...]:
    """Templates and f-strings of a module, these with {} for what is put in."""
    found: list[tuple[ast.AST, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            found.append((node, "".join(map(str, parts))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            found.append((node, node.value))
    return tuple(found)


@functools.cache
def for_developers(tree: ast.Module) -> set[ast.AST]:
    """Docstrings, and the texts of errors that only a fault of the program raises."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(node.value)
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            if raised in ("ValueError", "TypeError", "AssertionError", "RuntimeError", "_Unlike", "CorruptArchive"):
                found.update(ast.walk(node))
    return found


@functools.cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple((file.relative_to(PACKAGE).as_posix(), ast.parse(file.read_text(encoding="utf-8"))) for file in files)


def faults_of_plurals(where: str, tree: ast.Module) -> list[str]:
    """Texts that would say "1 steps": a count before a plural, outside of `plural` and not known never to be one."""
    found = [
        (node, text)
        for node, text in strings(tree)
        if SEVERAL.search(text) and not any(part in text for part in NEVER_ONE)
    ]
    if not found:
        return []
    skipped = set(for_developers(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "plural":
            skipped.update(ast.walk(node.args[2]))
    return [f"{where}:{node.lineno} {text}" for node, text in found if node not in skipped]  # type: ignore[attr-defined]


def faults_of_numbers(where: str, tree: ast.Module) -> list[str]:
    """Formats that can put an exponent on screen. Templates of `core.texts` write {0:g} without one."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and re.search(r"[egEG]$", ast.unparse(node.format_spec).strip("f'\""))
    ]
    if not found:
        return []
    skipped = set(for_developers(tree))
    for node in ast.walk(tree):  # what `number_text(float(f"{x:.2g}"))` rounds with
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float":
            skipped.update(ast.walk(node))
    return [f"{where}:{node.lineno} {ast.unparse(node)}" for node in found if node not in skipped]


TABLES = ("exports/numbers.py", "core/texts.py")  # what programs read, and where the numbers are written
WRONG_WORDS = re.compile(
    r"\brubbish\b|\bstatic\b|\bLeft to the model\b|\bunguided\b|\bslow\w* waves\b|\bdenoised image\b|"
    r"\bnoisy image\b|\w\(s\)",
    re.IGNORECASE,
)  # of things that have another word: DESIGN's table of words


def test_no_text_says_one_steps() -> None:
    assert [fault for where, tree in modules() for fault in faults_of_plurals(where, tree)] == []


def test_what_is_known_never_to_be_one_is_there() -> None:
    texts = [text for _, tree in modules() for _, text in strings(tree)]
    assert [part for part in NEVER_ONE if not any(part in text for text in texts)] == []


def test_no_format_puts_an_exponent_on_screen() -> None:
    found = [fault for where, tree in modules() if where not in TABLES for fault in faults_of_numbers(where, tree)]
    assert found == []


def test_things_have_one_word() -> None:
    found = [
        f"{where}: {text}"
        for where, tree in modules()
        for node, text in strings(tree)
        if " " in text and WRONG_WORDS.search(text) and node not in for_developers(tree)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "count"),
    [('f"{n} steps"', 1), ('plural(n, "1 step", f"{n} steps")', 0), ('tr("{0:,} pictures in {1}")', 1),
     ('tr("step {0} of {1}")', 0), ('raise ValueError(f"{n} steps")', 0)],
)  # fmt: skip
def test_the_walk_finds_plurals(source: str, count: int) -> None:
    assert len(faults_of_plurals("x", ast.parse(source))) == count


def test_the_walk_finds_exponents() -> None:
    assert len(faults_of_numbers("x", ast.parse('f"±{limit:.2g}" f"{a:e}" f"{float(f\'{a:.4g}\')}" f"{b:.3f}"'))) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.5, "7.5"), (2.4e-9, "2.4 · 10⁻⁹"), (0.00002, "0.00002"), (-0.000015, "-0.000015"), (0, "0"), (1e6, "1,000,000"),
     (4294967295, "4,294,967,295"), (3.4e38, "3.4 · 10³⁸"), (65535.0, "65535"), (float("inf"), "inf")],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number_text(value) == text
    assert translate("errors", "It is {0:g}.").format(value) == f"It is {text}."


def test_an_exponent_that_nobody_asked_for_is_not_written() -> None:
    assert translate("errors", "The strength is {0}.").format(1e-7) == "The strength is 1 · 10⁻⁷."
    assert translate("errors", "The strength is {0}.").format(0.123456789) == "The strength is 0.123456789."


@pytest.mark.parametrize(
    ("limit", "plain", "with_sign", "spread"),
    [(0.2123, "0.21", "+0.21", "±0.21"), (2.4e-9, "≈ 0", "≈ 0", "≈ 0"), (123.4, "120", "+120", "±120"),
     (0.5, "0.5", "+0.5", "±0.5")],
)  # fmt: skip
def test_limits_of_colour_scales(limit: float, plain: str, with_sign: str, spread: str) -> None:
    assert (amount_text(limit), signed(limit), spread_text(limit)) == (plain, with_sign, spread)


def test_numbers_that_are_typed_again_have_no_exponent() -> None:
    assert [decimal_text(value) for value in (2e-5, 7.5, 1e7, 0)] == ["0.00002", "7.5", "10000000", "0"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 pictures"), (1, "1 picture"), (3200, "3,200 pictures")])
def test_counts(count: int, text: str) -> None:
    assert pictures_text(count) == text
