"""Learning a representation from labels alone, to compare semi-supervised methods with.

From Locatello et al. (2020), arXiv:1905.01258.
"""

import dataclasses

import tensorflow as tf

from dl_condind import posteriors
from dl_condind.methods import base_model
from dl_condind.methods import labelled_vae


@base_model.register("supervised")
@dataclasses.dataclass(eq=False)
class SupervisedEncoder(labelled_vae.SupervisedLossVAE):
  """Trains the encoder on the supervised loss alone, and a decoder for its codes.

  The decoder reconstructs images without labels; its loss does not reach the encoder, and there is
  no KL. So nothing trains the covariance of q(z|x), which stays as it is at the start, as in
  disentanglement_lib: only the mean representation means anything.
  """

  def vae_losses(self, batch, seed):
    """Returns the losses, averaged over the batch, nats, and z_sampled, [batch, num_latent]."""
    encoded = posteriors.Encoded(
      *(part if part is None else tf.stop_gradient(part) for part in self.encode(batch.images))
    )
    scalars, z_sampled = self.losses_of_encoded(batch.images, encoded, seed)
    z_mean = self.encode(batch.labelled_images).z_mean
    of_labels = self.label_losses(z_mean, batch.labels, seed)
    regularizer = of_labels["supervised_loss"]
    loss = scalars["reconstruction_loss"] + regularizer
    return {**scalars, "loss": loss, "regularizer": regularizer, **of_labels}, z_sampled
