"""The contract of recommenders, its conformance suite, the paper's two models."""
