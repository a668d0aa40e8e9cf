"""Features that images are compared by: pretrained networks, own weights, a small classifier."""
