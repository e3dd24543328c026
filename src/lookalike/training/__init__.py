"""The training loops; they need PyTorch (the extra `train`)."""
