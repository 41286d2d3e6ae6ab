"""The parameters that a model takes, as a window or a command line offers them; neither Qt nor torch is needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sculptor_app.core.files import is_file
from sculptor_app.core.requests.request import OptionValue, RequestError
from sculptor_app.core.texts import decimal_text, translate


class ParameterKind(StrEnum):
    """The type of a parameter's value."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    CHOICE = "choice"
    FLAG = "flag"
    PICTURE = "picture"
    LABEL = "class label"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class ModelParameter:
    """A parameter of a model's call.

    Attributes:
        kind: the type of its value. A picture is the path of a file, a class label the number of the class, a
            size is in pixels.
        choices: what can be chosen; of a class label the classes' names in the order of their numbers, if known.
    """

    name: str  # of the parameter of the pipeline's call: "negative_prompt"
    title: str  # for people: "Negative prompt"; English, shown through tr()
    kind: ParameterKind
    default: OptionValue = None  # its value where none is given; None leaves it to the model
    required: bool = False  # whether a run needs a value here
    low: float | None = None  # least value of a number; None where it is not known
    high: float | None = None  # greatest value of a number; None where it is not known
    grain: int = 1  # a size is a multiple of it
    choices: tuple[str, ...] = ()
    field: str = ""  # the field of a `RunRequest` that holds it, as "steps"; empty for what goes into its `options`

    def check(self, value: OptionValue) -> None:
        """Refuse a value that it cannot have (`RequestError`); None leaves it to the model, where that is allowed."""
        if value is None:
            if self.required:
                raise RequestError(translate("errors", "This model needs the {0}; give it.").format(self.name))
        elif self.kind in (ParameterKind.NUMBER, ParameterKind.WHOLE, ParameterKind.SIZE, ParameterKind.LABEL):
            self._check_number(value)
        elif self.kind is ParameterKind.FLAG:
            if not isinstance(value, bool):
                raise RequestError(translate("errors", "The {0} is {1!r}; choose yes or no.").format(self.name, value))
        elif not isinstance(value, str):
            raise RequestError(translate("errors", "The {0} is {1!r}; give words.").format(self.name, value))
        elif self.kind is ParameterKind.CHOICE and value not in self.choices:
            raise RequestError(
                translate("errors", "The {0} {1!r} is not known; choose one of {2}.").format(
                    self.name, value, ", ".join(self.choices)
                )
            )
        elif self.kind is ParameterKind.PICTURE and not is_file(value):
            raise RequestError(
                translate("errors", "There is no file {0} for the {1}; choose a picture.").format(value, self.name)
            )

    def _check_number(self, value: OptionValue) -> None:
        whole = self.kind is not ParameterKind.NUMBER
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise RequestError(
                translate("errors", "The {0} is {1!r}; give a {2}number.").format(
                    self.name, value, "whole " if whole else ""
                )
            )
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if not low <= value <= high:
            raise RequestError(translate("errors", "The {0} is {1}; choose {2}.").format(self.name, value, self._range))
        if value % self.grain and self.kind is ParameterKind.SIZE:
            raise RequestError(
                translate("errors", "The {0} is {1}; choose a multiple of {2}.").format(self.name, value, self.grain)
            )

    @property
    def _range(self) -> str:
        low, high = ("" if bound is None else decimal_text(bound) for bound in (self.low, self.high))
        if low and high:
            return f"{low} to {high}"
        return f"{low} and more" if low else f"{high} and less"


@dataclass(frozen=True, slots=True)
class UnsupportedParameter:
    """A parameter of a pipeline's call that no person can set."""

    name: str
    why: str  # one sentence with its full stop
