"""Writing a trajectory to files. Every writer works on a temporary file and renames it when it is whole."""
