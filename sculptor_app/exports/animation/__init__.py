"""An animation of a run, or of many, before any file format: options, plan, and scenes in colours."""
