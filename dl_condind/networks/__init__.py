"""Encoders, decoders, discriminators and generators, as Keras networks."""

from dl_condind.networks import architectures
from dl_condind.networks import small_networks

conv_encoder = architectures.conv_encoder
fc_encoder = architectures.fc_encoder
test_encoder = architectures.test_encoder
deconv_decoder = architectures.deconv_decoder
fc_decoder = architectures.fc_decoder
test_decoder = architectures.test_decoder
fc_discriminator = architectures.fc_discriminator
small_encoder = small_networks.small_encoder
small_decoder = small_networks.small_decoder
