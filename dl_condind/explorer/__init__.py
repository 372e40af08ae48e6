"""One static page in which a reader moves the latents of trained models."""
