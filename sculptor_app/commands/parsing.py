"""Reading the command line so that every mistake is answered by one sentence."""

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from sculptor_app.commands.terminal import BAD_INPUT, say

_ARGUMENT = re.compile(r"^argument [^:]*: (?=[A-Z])")  # before a sentence of ours, which names the thing itself


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong and where help is, instead of printing its whole usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and leave."""
        sentence = _ARGUMENT.sub("", message)
        sentence = sentence[:1].upper() + sentence[1:]
        say(f"{sentence.rstrip('.')}. `{self.prog} --help` lists what is known.", sys.stderr)
        raise SystemExit(BAD_INPUT)


def whole_number(name: str, low: int, high: int) -> Callable[[str], int]:
    """A converter for argparse: a whole number within bounds.

    Args:
        name: what the number is, as in "The number of steps is …".
        low: lowest value.
        high: highest value.
    """

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"The {name} is {_short(text)}; choose a whole number, {low} to {high}")
        return value

    return convert


def number(name: str, low: float, high: float) -> Callable[[str], float]:
    """A converter for argparse: a number within bounds."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"The {name} is {_short(text)}; choose a number, {low:g} to {high:g}")
        return value

    return convert


class OneOf(argparse.Action):
    """One of some words; argparse's own message about it is hard to read."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, known: Sequence[str], name: str,
        metavar: str = "", **others: Any,
    ) -> None:  # fmt: skip
        super().__init__(option_strings, dest, metavar=metavar or "|".join(known), **others)
        self._known, self._name = tuple(known), name

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the word, or refuse it."""
        if values not in self._known:
            parser.error(f"The {self._name} {_short(values)} is not known; choose one of {', '.join(self._known)}")
        setattr(namespace, self.dest, values)


def _short(text: str) -> str:
    """What was typed, bare if it is a number, and not all of it if it is long."""
    shown = text if len(text) <= 30 else text[:30] + "…"
    return shown if re.fullmatch(r"[-+]?[\d.]+…?", shown) else repr(shown)
