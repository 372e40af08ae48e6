from dl_condind.training import runtime

runtime.configure(num_threads=2)  # As a training does, and before a test starts TensorFlow.
