"""Models, their objectives and their training."""
