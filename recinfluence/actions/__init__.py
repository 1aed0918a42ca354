"""What to do about it, each action measured beside the same one at random."""
