"""The steps of the gate that are a function of the record and of what the log says: whoever has the log can take them
again. The gate of the validation stage (`governance.admission.gate`) runs them first, the auditor again.
"""
