"""Where the command line's own process computes."""


def stay_on_host() -> None:
    """Compute theory, which reports show, without starting an accelerator that workers or others may hold."""
    import jax

    jax.config.update("jax_platforms", "cpu")
