"""Opening any model safely: what lies in a folder is judged before anything of it is built.

`door.load_pipeline` is the one way in. It judges (`judging`), tries a stranger's model in a process of its own
(`trial`), builds it (`building`) and holds what came out against what was announced.
"""
