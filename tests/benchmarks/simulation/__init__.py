"""A federation in one process, for figures about learning: no broker, no engine, no keys.

What decides the model is the federation's own: architectures, trainer (`cohort` trains many at once and is tested
against it), rules, exact sums, server optimizers, staleness weights.
"""
