"""Models of other libraries, estimators and commands, as recommenders."""
