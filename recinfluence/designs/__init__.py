"""Which deletions to make: one at a time, random groups, samples, matched controls."""
