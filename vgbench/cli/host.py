"""The device on which the command line's own process computes."""


def stay_on_host() -> None:
    """Compute on the CPU, without starting an accelerator that workers or other programs may use."""
    import jax

    jax.config.update("jax_platforms", "cpu")
