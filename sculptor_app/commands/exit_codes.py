"""What the program's exit codes mean; `sculptor-app --help` lists them."""

DONE = 0
UNEXPECTED = 1
BAD_INPUT = 2
NO_MODEL = 3
RUN_FAILED = 4
NOT_WRITTEN = 5
INTERRUPTED = 130

EXPLAINED = """exit codes:
  0    done
  1    the window cannot be opened, or a fault that nobody foresaw
  2    bad input: an option's value, a device or a target that is not there
  3    the model cannot be loaded
  4    the run failed
  5    a file could not be written
  130  interrupted with Ctrl-C (143: ended by a TERM signal)
"""
