"""From a trained model to a representation."""
