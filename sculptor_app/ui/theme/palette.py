"""Tokens as a QPalette, so that what the style sheet does not reach is in tune with it."""

from PySide6.QtGui import QColor, QPalette

from sculptor_app.ui.theme.tokens import Tokens

_Role = QPalette.ColorRole


def palette_of(tokens: Tokens) -> QPalette:
    """The palette of a theme; disabled ink is `tokens.disabled`."""
    roles = {
        _Role.Window: tokens.window,
        _Role.WindowText: tokens.text,
        _Role.Base: tokens.field,
        _Role.AlternateBase: tokens.well,
        _Role.Text: tokens.text,
        _Role.Button: tokens.field,
        _Role.ButtonText: tokens.text,
        _Role.BrightText: tokens.on_accent,
        _Role.ToolTipBase: tokens.bubble,
        _Role.ToolTipText: tokens.on_bubble,
        _Role.PlaceholderText: tokens.muted,
        _Role.Highlight: tokens.accent,
        _Role.HighlightedText: tokens.on_accent,
        _Role.Accent: tokens.accent,
        _Role.Link: tokens.accent_text,
        _Role.LinkVisited: tokens.accent_text,
        _Role.Light: tokens.field,
        _Role.Midlight: tokens.hover,
        _Role.Mid: tokens.hairline_strong,
        _Role.Dark: tokens.hairline_strong,
        _Role.Shadow: tokens.hairline_strong,
    }
    palette = QPalette()
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (_Role.WindowText, _Role.Text, _Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.disabled))
    return palette
