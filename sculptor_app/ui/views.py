"""What a page lets people look at, as the menus need it."""

from __future__ import annotations

from dataclasses import dataclass

from sculptor_app.session.session import Session
from sculptor_app.ui.presenter import Presenter
from sculptor_app.ui.stage import Stage


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
