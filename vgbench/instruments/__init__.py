"""How gradients are read: scaled norms, probes, taps, and the profile of any model."""
