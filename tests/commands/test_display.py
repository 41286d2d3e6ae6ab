"""Whether a window can be opened, on every system that the program runs on."""

import pytest

from sculptor_app.commands.window import missing_display


@pytest.mark.parametrize(
    ("platform", "environ"),
    [
        ("linux", {"DISPLAY": ":0"}),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}),
        ("linux", {"QT_QPA_PLATFORM": "vnc:size=800x600"}),
        ("darwin", {}),
        ("win32", {}),
    ],
)
def test_a_window_can_be_tried(platform, environ):
    assert missing_display(environ, platform) == ""


@pytest.mark.parametrize("environ", [{}, {"DISPLAY": ""}, {"QT_QPA_PLATFORM": "xcb"}])
def test_without_a_display_it_says_what_to_do(environ):
    word = missing_display(environ, "linux")
    assert "no display" in word
    assert "sculptor-app sculpt" in word
