"""Pictures of models and of data sets."""
