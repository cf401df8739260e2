"""Validation: one verdict for every input record, and the enrolment of participants."""
