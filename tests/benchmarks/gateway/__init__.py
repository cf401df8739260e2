"""The HTTP gateway before a promoted release, with honest callers, attackers, swaps, and what fails meanwhile."""
