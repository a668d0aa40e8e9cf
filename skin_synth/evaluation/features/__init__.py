"""Features for comparison: pretrained networks, a saved model, a small classifier."""
