"""Figures, one page of HTML, the explorer."""
