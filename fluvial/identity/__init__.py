"""Keys, signatures and signed envelopes, and what a party needs to know of a federation."""
