"""Admission: whether a record that claims to be an update is one that its round may take."""
