"""A whole federation on one machine: embedded broker, the jobs, participants honest and not, and what became of it."""
