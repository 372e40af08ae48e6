"""Training a model: its steps, checkpoints, records; its two descriptions, in Python and in gin."""
