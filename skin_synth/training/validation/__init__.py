"""Validation while a run trains: its curve, its best checkpoint, and what goes wrong.

`callbacks` joins it to `fit`; nothing here changes a weight of the run.
"""
