"""The largest settings that are accepted; beyond them a run cannot work, whatever the machine."""

MAX_LATENT = 1_000  # The posterior of each image has num_latent**2 numbers.
MAX_BATCH_SIZE = 2**20  # observations
MAX_STEPS = 2**31 - 1  # The seed of a step's noise has 32 bits.
MAX_THREADS = 1_024
