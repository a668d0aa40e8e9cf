"""Validation during training: its curve, its best checkpoint, and alarms.

`callbacks` connects it to `fit`; nothing here changes a weight of the run.
"""
