"""What can go wrong with a file that is written."""

from sculptor_app.core.errors import SculptorError


class ExportError(SculptorError):
    """A file could not be written; the run, and the file that was there before, are whole."""


class OptionError(ExportError):
    """An option has a value that is not allowed, or does not go with another."""


class ExportCancelled(Exception):  # no error: a person asked for it
    """An export was stopped on request; the file that was there before is whole."""
