"""What of a federation's registry and rounds is believed: who may sign which record, and which of two is the newer.

Gate, keeper, participants and auditors all ask here, so that none of them can be taken back by a copy of an old record.
"""
