r"""An objective of your own: a VAE that pays for large codes.

Train it and make its representation, from the folder that holds `examples`:

  PYTHONPATH=examples dl_condind_train --model_dir=output/sparse/model \
    --gin_config=examples/sparse_vae.gin --trust_gin_imports
  dl_condind_postprocess --model_dir=output/sparse/model \
    --output_dir=output/sparse/postprocessed/mean --gin_config=postprocess/mean.gin

Compare c = 0 with c = 0.9 for it, as a study:

  PYTHONPATH=examples dl_condind_reproduce --study=examples/sparse_study.gin --engine=local \
    --trust_gin_imports
  dl_condind_report --study=examples/sparse_study.gin

PYTHONPATH names the folder of this module, for the `import` in the gin file; --trust_gin_imports
allows that import to run.
"""

import gin
import tensorflow as tf

from dl_condind.methods import vae


@gin.register
class SparseVAE(vae.BaseVAE):
  """KL plus the mean absolute value of each latent's mean, summed over latents."""

  def __init__(self, weight: float):
    self.weight = weight

  def regularizer(self, kl_loss, z_mean, z_logvar, z_sampled):
    """Returns what is added to the reconstruction loss, a scalar."""
    return kl_loss + self.weight * tf.reduce_mean(tf.reduce_sum(tf.abs(z_mean), axis=1))
