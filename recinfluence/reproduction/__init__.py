"""The paper beside ours: tables, figures, verdicts; what a retraining costs."""
