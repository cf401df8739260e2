"""How updates become a model: exact sums, and one rule a file. numpy alone, no torch."""
