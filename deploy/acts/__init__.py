"""What an operator does in a federation: create and change tasks, let parties in and out."""
