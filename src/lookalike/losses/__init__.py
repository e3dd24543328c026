"""What training minimises: pure functions of PyTorch tensors, one per file."""
