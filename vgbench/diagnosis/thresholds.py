"""Every threshold of the diagnosis.

Those on the signal are ratios within one run, so that no loss scale and no learning rate moves them.
"""

LOST_DECADES = 1.5
"""Decades of ||dL/dh|| from the last to the first layer from which a signal counts as vanishing (or exploding)."""

LAG_DECADES = 1.0
"""Decades by which the relative updates of the first layers stay behind the quickest layer's: they stand still beside
it. An optimizer that is invariant to scale shows no lag."""

FADED_DECADES = 1.5
"""Decades of the pre-activations' standard deviation lost from first to last layer: in a homogeneous network, whose
weight gradients are alike in all layers, this is where vanishing shows."""

COLLAPSED = -3.0
"""log10(1 - cosine) of different inputs' signals at the last layer below which they count as one."""

LEARNED = 0.1
"""Share of the constant predictor's loss (or of the first one) that training has to take off to have learned."""

LITTLE = 0.3
"""The same up to which so little was learned that a signal which still vanishes at the end is to blame."""

MASTERED = 0.75
"""The same for a task that is all but done: small gradients are then as they should be."""

DEAD = 0.8
"""Share of a rectifier layer's units that are flat for every example, from which the layer counts as dead."""

SATURATED = 0.5
"""Share of a saturating layer's units and examples on the flat ends of the activation."""

SLOW = 1e-4
"""Relative update a step, at the quickest layer, below which nothing can be learned in some hundred steps."""

QUICK = 0.1
"""Relative update a step, at the median layer, above which weights are thrown about."""

SWINGING = 0.35
"""Typical change of the loss from record to record, as a share of its level, that counts as oscillation."""

MOVED = 0.02
"""|W - W_0| / |W_0| from which a layer has moved: a task that is not learned although most have is not too slow, and
one that is not learned although the quickest has may not be learnable."""

FLUSHED = 0.5
"""Share of a layer's gradient that reads zero although the signal arrives."""

FLUSHED_WITHIN = 3.0
"""Decades of a layer's exact gradient norm above the dtype's smallest number within which zeros can be flushed ones:
the root of a million entries."""

CHANCE_MARGIN = 0.08
"""Validation accuracy above that of chance up to which nothing was learned that holds for other examples."""
