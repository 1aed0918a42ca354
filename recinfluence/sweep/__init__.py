"""All retrainings of one experiment: planned, spread, stored, resumed."""
