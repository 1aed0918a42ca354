"""Is it true, who finds what was planted, what an answer costs, when to stop."""
