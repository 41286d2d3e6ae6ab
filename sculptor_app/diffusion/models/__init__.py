"""Opening of models safely: what lies in a folder is inspected before anything of it is built.

`loader.load_pipeline` is the only way in. It inspects a model (`inspection`), tries an untrusted one in a subprocess
(`sandbox`), builds it (`builder`) and checks the weights that came out.
"""
