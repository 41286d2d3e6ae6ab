"""The window: panels, docks, pages, menus and keys, and the application around it."""
