"""Makes the private environment that Sculptor runs in, once, and says where its Python is.

    python3 packaging/prepare.py start [ARGUMENT...]   what the program needs, given what it is asked to do
    python3 packaging/prepare.py test                  the checks' packages on top

The one line on standard output is the path of the environment's Python; all words for people go to standard error. It
needs Python 3.11 and nothing else. The start scripts for every system call it.

The environment is .venv in the checkout, or lies in the person's data folder where the checkout cannot be written or
has a .venv of somebody else's; SCULPTOR_ENV names another place. A set-up that was broken off is done again, and two
starts at once wait for each other.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from environment import Environment  # noqa: E402
from progress import follow, say  # noqa: E402
from systempackages import SetupError, require_for_tests, require_for_window, require_venv  # noqa: E402

from sculptor_app.display import missing_display  # noqa: E402

REQUIREMENTS = {"start": HERE / "requirements.txt", "test": HERE / "requirements-test.txt"}
NO_WINDOW, NOT_READY, BROKEN_OFF = 1, 6, 130
"""Exit codes; 1 and 130 are what the program itself would say, 6 is the set-up's own."""
WITH_VALUE = ("--model", "--open")
"""Options of the window's that take the next argument as their value."""


def main(arguments: list[str]) -> int:
    purpose, *passed_on = arguments
    try:
        environment = Environment(environment_folder(), ROOT)
        if purpose == "start" and opens_window(passed_on):
            if word := missing_display():
                say(word.replace("    sculptor-app ", "    sh packaging/start.sh "))
                return NO_WINDOW
            if not environment.remembers("window"):
                require_for_window()
        if purpose == "test":
            require_for_tests()
        make_ready(environment, ["start", "test"] if purpose == "test" else ["start"])
        if purpose == "start" and opens_window(passed_on):
            environment.remember("window")
    except SetupError as error:
        say(str(error))
        return NOT_READY
    except KeyboardInterrupt:
        say("\nStopped. Run the same command again to go on.")
        return BROKEN_OFF
    print(environment.python)
    return 0


def opens_window(arguments: list[str]) -> bool:
    """Whether the program will open a window: it does unless it is given a command, or asked about itself."""
    if len(arguments) == 1 and arguments[0].lower().endswith(".sculpt"):  # a saved run
        return True
    rest = iter(arguments)
    for argument in rest:
        if argument in WITH_VALUE:
            next(rest, None)
        elif argument in ("-h", "--help", "--version") or not argument.startswith("-"):
            return False
    return True


def environment_folder() -> Path:
    """Where the environment is, or will be made."""
    if named := os.environ.get("SCULPTOR_ENV"):
        return Path(named).absolute()
    beside = ROOT / ".venv"
    ours = (beside / Environment.MARK).exists()
    if os.access(ROOT, os.W_OK) and (ours or not beside.exists() or not any(beside.iterdir())):
        return beside
    return data_folder() / f"environment-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def data_folder() -> Path:
    """The person's data folder on this system, made by nobody yet."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "sculptor-app"


def make_ready(environment: Environment, sets: list[str]) -> None:
    """Install every set of requirements that is not there in its present form."""
    wanted = {name: hashlib.sha256(REQUIREMENTS[name].read_bytes()).hexdigest() for name in sets}
    if environment.holds(wanted):
        return
    with environment.lock():
        if environment.holds(wanted):  # another start made it ready while this one waited
            return
        require_venv()
        if not environment.usable():
            say(f"Setting up Sculptor in {environment.folder}. It takes a minute or a few, once.")
            environment.make_anew()
        environment.mark(ready=False)
        install([REQUIREMENTS[name] for name in sets], environment)
        environment.link_checkout()
        environment.mark(ready=True, **wanted)
        say("Set-up done.")


def install(files: list[Path], environment: Environment) -> None:
    """Let pip install the pinned versions, with a word at least every ten seconds."""
    named = [argument for file in files for argument in ("-r", str(file))]
    pins = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()]
    total = len([line for line in pins if "win32" not in line or sys.platform == "win32"])
    pip = [str(environment.python), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    settings = {**os.environ, "PIP_USER": "0", "PIP_NO_COLOR": "1"}  # a person's own "always --user" would miss it
    log = environment.folder / "setup.log"
    command = [*pip, "--progress-bar", "off", *named]
    done = follow(command, log, PipWords(total, environment), settings, environment.lock_files)
    if done != 0:
        free = shutil.disk_usage(environment.folder).free / 1e9
        last = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-8:])
        raise SetupError(
            f"The packages could not be installed. pip's last words were:\n{last}\nCheck the connection and the disk"
            f" ({free:.1f} GB free), then run the same command again. All of pip's words are in {log}."
        )


class PipWords:
    """Turns pip's lines into short words about how far it is.

    Args:
        total: How many packages the requirement files name.
        environment: Where they go; counted while pip is silent.
    """

    def __init__(self, total: int, environment: Environment) -> None:
        self._total = total
        self._environment = environment
        self._seen: set[str] = set()
        self._hinted = False
        self.now = "starting pip"

    def __call__(self, line: str) -> str | None:
        """A word worth saying about this line of pip's, or None."""
        words = line.split()
        if line.startswith("Installing collected packages"):
            self.now = "unpacking"
            return self.now
        if line.strip().startswith("Downloading") and len(words) > 2:
            return f"downloading {words[1].rsplit('/')[-1]} {' '.join(words[2:])}"
        if len(words) < 2 or words[0] not in ("Collecting", "Processing"):
            return None
        name = (
            words[1].rsplit("/")[-1].split("-")[0]
            if words[0] == "Processing"
            else re.split(r"[=<>!~;\[(]", words[1])[0]
        )
        self._seen.add(name)
        self.now = f"{len(self._seen)} of {max(self._total, len(self._seen))}  {name}"
        if name.startswith("nvidia-") and not self._hinted and not Path("/proc/driver/nvidia").exists():
            self._hinted = True
            return (
                f"{self.now}\n  (No NVIDIA GPU was found here. The README says how to take PyTorch's small CPU build.)"
            )
        return self.now

    def beat(self) -> str:
        """What to say when pip has been silent for a while."""
        if self.now != "unpacking":
            return self.now
        return f"unpacking, {self._environment.installed()} of {max(self._total, len(self._seen))} packages in place"


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in REQUIREMENTS:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, subprocess.SubprocessError) as problem:
        say(f"The set-up failed: {problem}. Put that right, then run the same command again.")
        sys.exit(NOT_READY)
