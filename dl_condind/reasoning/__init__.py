"""Abstract reasoning: a network learns to solve puzzles from the codes of their panels."""
