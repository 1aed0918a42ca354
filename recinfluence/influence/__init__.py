"""Influence with error bars, the reliability of its order, and what may be concluded."""
