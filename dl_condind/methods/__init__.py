"""Models: one objective a file, and the losses and optimizers they are made of."""
