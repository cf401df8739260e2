"""The gate: whether an update that somebody published may enter an aggregate. One check a file; `gate` runs them in
order, `reasons` says what each reason code means.
"""
