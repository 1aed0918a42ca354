"""Interactions, loaded and checked; MovieLens, Amazon, simulated worlds; splits."""
