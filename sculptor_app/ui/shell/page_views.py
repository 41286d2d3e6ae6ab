"""What a page lets people look at, as the menus need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sculptor_app.session.session import Session
from sculptor_app.ui.playback.presenter import Presenter
from sculptor_app.ui.playback.stage import Stage

if TYPE_CHECKING:
    from sculptor_app.exports.animation.plan import RunGrid


@dataclass(frozen=True, slots=True)
class Views:
    """A session and what shows it.

    Attributes:
        session: Which trajectory, which step.
        stage: The frames, large.
        presenter: Makes their pictures.
    """

    session: Session
    stage: Stage
    presenter: Presenter


@dataclass(frozen=True, slots=True)
class GridViews:
    """Many runs that one session moves.

    Attributes:
        session: Which step.
        grid: The runs that are seen now; None where there are none.
        frames: What is seen of each, as `AnimationOptions.frames` has it.
        name: What a file of them is called, without its ending.
    """

    session: Session
    grid: Callable[[], RunGrid | None]
    frames: Callable[[], str]
    name: Callable[[], str]
