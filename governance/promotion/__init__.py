"""Who says that an accelerated model is still fair: paired non-inferiority for every group, and the release that
follows.

`counts` is what was measured, `non_inferiority` the statistics, `policy` what the task demands, `judgement` the verdict
on one variant, `reasons` its words, `life` what may become of a variant.
"""
