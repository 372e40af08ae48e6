"""Models that are solved exactly, to see what theory says before a network is trained."""
