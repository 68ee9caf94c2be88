"""How many trials share a card: the largest models of a space, measured once on a card of its kind."""
