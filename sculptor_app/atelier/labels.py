"""What can be sculpted, and of what."""

FORMS = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
MATERIALS = ("marble", "bronze", "verdigris", "terracotta", "basalt", "sandstone")
