"""Any diffusers pipeline: the embedded one, what a call takes, devices, networks, and what its states are."""
