"""Who may connect to the broker of a stack, and what they may do there: certificates, passwords, rights."""
