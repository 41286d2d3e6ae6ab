"""Networks are built by one thread at a time.

While diffusers and transformers build a model that they are about to read, they change for the whole process what torch
does: new parameters hold nothing, `torch.nn.init` does nothing, and the usual kind of number is the model's. A network
that another thread makes meanwhile would be empty, or learn from whatever was in memory.
"""

import threading

building = threading.RLock()
"""Held by whoever builds a network, whatever for."""
