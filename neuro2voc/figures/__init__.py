"""Figures: one module per figure, one style; every function returns a matplotlib figure."""
