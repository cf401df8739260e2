"""The rule of a round: which updates make its model, and how."""
