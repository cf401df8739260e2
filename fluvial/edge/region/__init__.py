"""A region: a federation of its own that is one participant of a parent federation.

Its rounds are those of the parent, below. What its participants send is added up exactly, and the sum goes up as one
update, so that the parent's model has the bits that it would have had of all these participants at once.
"""
