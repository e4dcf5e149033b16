"""Every threshold of the diagnosis.

Those on the signal are ratios within one run, so that no loss scale and no learning rate moves them.
"""

LOST_DECADES = 1.5
"""Decades of ||dL/dh|| from the last to the first layer from which a signal counts as vanishing (or exploding)."""

CANCELLED = 0.5
"""Decades that gradients of biases seem to gain towards the input where the signal does not: examples cancel in
those of the last layers."""

TAKEN_OFF = 5.0
"""Decades that a bias' gradient lies below its weights' where it is rounding alone."""

LOST_FAR = 3.0
"""Decades of the same from which the signal is suspected although an optimizer makes up for its scale."""

UNREACHED = 8.0
"""Decades that some weights get less than others where nothing but rounding of the signal arrives at them."""

LAG_DECADES = 1.0
"""Decades by which the relative updates of the first layers stay behind the quickest layer's: they stand still. An
optimizer that is invariant to scale shows no lag."""

TRAVELLED = 0.5
"""Relative updates, summed over all steps, from which layers have moved far enough to learn: what is not learned then
is not so since they stand still."""

FEW_LAYERS = 4
"""Arrays of weights up to which a feed-forward network is taken to be too shallow to vanish where its weights'
gradients are of one size."""

FADED_DECADES = 1.5
"""Decades of the pre-activations' standard deviation lost from first to last layer: in a homogeneous network, whose
weight gradients are alike in all layers, this is where vanishing shows."""

COLLAPSED_BY = -4.5
"""log10(1 - cosine) of different inputs' signals at the last layer, relative to the first, below which they count as
one."""

ALIKE = -2.5
"""The same in training, where the loss has no known level and rests, or is all but gone."""

LITTLE_LEFT = 1.5
"""Decades that the part of the signal that tells inputs apart loses in training at such a loss."""

DRAWN = 0.2
"""Decades that the same loses in training where a loss at the least that a cosine has is of one answer for all."""

OF_A_COSINE = 0.02
"""How far above minus one a loss may rest that is at the least that a cosine has: two views of one input are further
apart."""

LETTING_GO = 1.0
"""Decades that the gradients of all layers lose at such a loss, where nothing is left to be drawn together."""

SILENT_CODES = 0.75
"""Decades that the gradients of an encoder lose beyond those of its decoder, whose input then says little."""

GONE = 4.0
"""Decades that the part of the signal that tells inputs apart loses from one place to the next where it is gone."""

COLLAPSING = -0.1
"""The same a layer over the second half of the layers: the distance still shrinks there. Residual networks level off,
and train all the same."""

AS_CHANCE = 0.015
"""Share of the constant answer's loss within which a first loss is that of probabilities that are taken for logits."""

NEAR_CHANCE = 0.05
"""The same where another sign shows that the outputs' slope is gone: the first batch may be off by as much."""

EVEN = 0.02
"""Share of the logarithm of their number within which a constant answer's loss shows classes of one frequency."""

NEAR_START = 0.04
"""Share of it within which a first loss is that of classes of which none is preferred, with the noise of a batch."""

PART = 0.15
"""Share of the constant answer's loss that has to be taken off where a loss that stays is one of probabilities."""

SOME = 0.4
"""The same up to which it may be: probabilities allow no more of ten classes, and at most a half of three."""

WITHIN = 1.25
"""How many times the least that probabilities allow such a loss may be: that of a few classes with noise is as high."""

ABOVE_LEAST = 1.35
"""How many times the least that probabilities allow a loss may end at: what is not learned adds to it."""

UNSURE = 1.2
"""How many times the entropy that is left with an accuracy a loss has to be to show less sureness than there is."""

LEARNED = 0.1
"""Share of the constant answer's loss that training has to take off to have learned."""

LITTLE = 0.3
"""The same up to which so little was learned that what is wrong is looked for."""

SOUND = 0.5
"""The same, on other data, from which a run without a finding is called sound."""

WHOLE = 0.98
"""The same where nothing is left to learn of the training data."""

MASTERED = 0.75
"""The same for a task that is all but done: small gradients are then as they should be."""

CONSTANT = 0.1
"""Share of the constant answer's loss within which the loss may lie at its level, below it where it is as noisy."""

NEAR_CONSTANT = 0.05
"""Share below it where it is not: what is known beyond it may be all that can be known."""

UNMOVED = 0.1
"""Share of the first loss within which a loss has not moved from where it began."""

SETTLED = 0.1
"""Share by which the median loss of the last quarter of the records differs from that of the quarter before where the
loss, however noisy, has no trend."""

NUMB = 0.3
"""The largest gradient over what the losses of single batches differ by, below which the outputs' slope is gone: of
scores that follow their batches both are of one size."""

DULL = 2.5
"""The same below which slopes are less than those of scores."""

PLATEAU = 0.02
"""Range of the last losses, as a share of the least one that probabilities taken for logits reach."""

DEAD = 0.8
"""Share of a rectifier layer's units that are flat for every example, from which the layer counts as dead."""

ALIVE = 0.5
"""Share of dead units in the layer that has most of them, below which units are said to be alive."""

SATURATED = 0.5
"""Share of a saturating layer's units and examples on the flat ends of the activation."""

BLOCKED = 0.95
"""The same of one layer, from the start, that lets hardly anything pass, whatever the other layers do."""

SLOW = 3e-4
"""Relative update a step, at the quickest layer, below which steps are small."""

STANDS = 1e-5
"""Relative update below which a layer stands still."""

SLOW_TRAVEL = 0.05
"""Relative updates of the quickest layer, summed over all steps: it has not moved enough to learn anything."""

STEADY = 0.5
"""Slope of the loss over the second half of the records, as a share of that over the first, where it has not slowed."""

AGAINST = 0.1
"""Cosine of update and negative gradient below minus this: the update goes uphill."""

ALONG = 0.9
"""Cosine of update and negative gradient from which nothing but the gradient moves weights."""

STRAIGHT = 0.3
"""The same at the first record, of a layer by itself: other layers go downhill, and no decay is as strong then."""

QUICK = 0.1
"""Relative update a step, at the median layer, above which weights are thrown about."""

QUICK_FIRST = 0.5
"""The same of the first step, which Adam and its like make larger than those that follow."""

GROWN_DECADES = 1.0
"""Decades by which weights have grown that steps threw about: orderly training does not make them ten times larger."""

SHRUNK_DECADES = 0.5
"""Decades that weights have lost that something takes away: a network that learns does not make them three times
smaller."""

SWINGING = 0.35
"""Typical change of the loss from record to record, as a share of its level, that counts as oscillation."""

PEAKED = 3.0
"""How many times the larger of the first and the constant answer's loss a loss must once have been to have peaked."""

BLOWN_UP = 1e3
"""The same of a loss that grew until it overflowed. One that was no number before is so for another reason."""

ROSE = 1.5
"""How many times its start a loss must once have been to have risen."""

SPIKED = 3.0
"""How many times the loss of the records before it a spike reaches."""

MOVED = 0.02
"""|W - W_0| / |W_0| from which a layer has moved: a task that is not learned although most have is not too slow, and
one that is not learned although the quickest has may not be learnable."""

WENT = 0.1
"""The same from which what is not learned that holds for other data is not so since weights stay where they were."""

FLUSHED = 0.5
"""Share of a layer's gradient that reads zero although the signal arrives."""

SMALLEST = 1e-38
"""The smallest number of float32, where the dtype is not known."""

FLUSHED_WITHIN = 3.0
"""Decades of a layer's exact gradient norm above the dtype's smallest number within which zeros can be flushed ones:
the root of a million entries."""

PILED = 0.3
"""Share of the numbers of a gradient that are not zero just above the smallest one of float16, none being below it."""

HOLDS = 0.01
"""Share of the numbers of a gradient below the smallest one of float16 that shows another dtype."""

SWALLOWED = 0.5
"""Share of a layer's updated numbers that rounding leaves as they were."""

LOSES = 2.0**-7
"""Relative update below which bfloat16 may lose it."""

HEAVY = 5.0
"""log10 norm of an array of weights that no array of unit scale has."""

HELD = 1e-6
"""Relative update below which float32 loses it, too, so that the dtype is not to blame."""

APPLIED = 1e-3
"""Relative update from which weights whose norm is the same at every record cannot have got it."""

HALF = 1e-8
"""A smallest number from which a dtype is float16: it is 6e-8 there, and 1e-38 in bfloat16 and float32."""

TINY_LOSS = 1e-3
"""A loss below which gradients may be smaller than float16 holds, whatever the weights' dtype is."""

FADES = 2.0
"""Decades that the gradients of all layers lose together while the loss gets no better: the loss is saturated."""

SURE = 1e-3
"""How far below zero a loss lies that is log(1 - D) of a critic which is sure."""

BEATEN = 0.02
"""Share of the first loss of two networks that play against each other below which the one has beaten the other."""

SMALL = -2.0
"""log10 norm of a gradient below which it is small, of a loss of unit scale."""

STEP = -2.7
"""log10 of the update over the gradient from which a step is of a usual size, so that a small gradient makes a small
update and not the learning rate."""

CHANCE_MARGIN = 0.08
"""Validation accuracy above that of chance up to which nothing was learned that holds for other examples."""

CHANCE_SHARE = 0.16
"""The same as a share of what the constant answer leaves, where that is less, as of classes of which one is rare."""

FIRST_LOSS = 20.0
"""How many times the constant answer's a first loss must be to be far too large: outputs of unit scale are many times
as wrong as a constant about targets that vary little."""

FIRST_LOSS_SHAKING = 5.0
"""The same of a cross-entropy, and where the first steps are large beside the weights, or weights have grown by
decades."""

FEW_CLASSES = 150
"""Number of classes up to which a constant answer's loss is known for the logarithm of one."""

FIRST_LOSS_ALONE = 50.0
"""A first loss that is suspected where that of the constant answer is not known: no mean cross-entropy begins there."""

OF_A_MEAN = 0.7
"""log10 of the square of a bias' gradient over the loss from which the loss is no mean of squares: of one it is 0.6 at
most."""

SHIFTED = 2.0
"""How many times the constant answer's a first loss is where most of it is an error that the examples share."""

UNIT = 30.0
"""How many times larger or smaller than one inputs may be, and how much larger a constant answer's squared error."""

UNIT_ALONE = 300.0
"""How far outputs may lie from targets where the constant answer's loss is not known: examples that cancel make it look
ten times as much."""

STARVED = 3.0
"""Decades by which the first layer's weights get less than its bias at the start where its inputs saturate it but next
to zero."""

ROUGHLY = 1.0
"""Decades that inputs may seem to be off by, as the first layer's gradients show them, before they are doubted."""

ONE_HOT = 4.0
"""Decades by which the gradients of queries and keys stay behind all others' where hardly any passes the softmax."""

LOGITS = 50.0
"""Largest attention score from which a softmax is one-hot in single precision, as Wortsman et al. (2023) saw it."""
