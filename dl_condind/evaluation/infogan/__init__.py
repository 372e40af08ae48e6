"""What the codes of an InfoGAN and the digits it draws are measured with."""
