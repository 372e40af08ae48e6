"""Encoders, decoders, discriminators and generators, as Keras networks."""
