"""The window: menus, pages, keys, and what keeps views in step with a session."""
