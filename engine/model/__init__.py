"""The nouns. Frozen dataclasses of the standard library alone: every other package may import them."""
