"""Numbers from recommendations and predictions; whether one can see the model."""
