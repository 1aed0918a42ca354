"""Named random streams, units of deletion, files, the machine, settings."""
