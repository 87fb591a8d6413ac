"""Networks: one module each, all trained by `neuro2voc.training`."""
