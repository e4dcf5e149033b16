"""What each finding means and what to try, in words."""

from vgbench.diagnosis.findings import Name

MEANINGS: dict[Name, str] = {
    "not-a-number gradients": "gradients are not numbers although the loss is one, and nothing had grown before: the"
    " backward pass divides by zero, as for a root or logarithm at zero behind `where`, a norm of zeros, or an epsilon"
    " that 16 bits round to zero",
    "not-a-number loss": "the loss is no number, and neither loss nor weights had grown before",
    "gradients exactly zero": "no weight gets any gradient: the loss does not depend on the network's output, or every"
    " path to the weights is cut",
    "exploding": "the back-propagated gradient grows on its way to the first layers",
    "first loss too large": "the first loss is many times what a constant answer gets: weights, inputs or targets are"
    " far from unit scale, or the loss is a sum where a mean is meant",
    "far from unit scale": "inputs or targets are far from unit scale, so that weights have to travel far, and steps"
    " of one size suit no two layers",
    "dead units": "units give nothing, and pass no gradient, for any example from the start",
    "units that died": "units that worked at the start give nothing any more, and pass no gradient, for any example",
    "saturation": "units lie on the flat ends of their activation",
    "collapse": "signals of different inputs become one on their way up: no optimizer can distinguish them",
    "underflow": "gradients are smaller than their dtype holds and read zero",
    "updates lost to rounding": "updates are smaller than the spacing of the weights' dtype, which rounds the sum back",
    "updates not applied": "updates are of a size that any dtype holds, and the weights are the same at every record",
    "updates point uphill": "each step raises the loss: updates follow the gradient where they should oppose it",
    "attention logits grow": "attention scores grow until the softmax is one-hot and passes no gradient",
    "learning rate too large": "steps throw the weights about",
    "vanishing": "the back-propagated gradient shrinks on its way to the first layers",
    "vanishing in training": "the gradient reached the first layers at first and has stopped doing so",
    "saturated loss": "the gradients of all layers shrink together while the loss gets no better: the loss itself is"
    " flat there, as a generator's whose critic is sure, or a sigmoid's far from its answer",
    "learning rate too small": "every layer moves too little to learn in these steps",
    "softmax applied twice": "the loss levels off where a cross-entropy of probabilities has its minimum",
    "learned by heart": "the training loss falls, and little is learned that holds for other examples",
    "constant answer": "the loss stays at the level of the constant answer although updates are in order",
    "loss spike": "the loss jumped far above what it had reached",
    "frozen": "layers whose weights never move while others do",
    "zero by design": "branches start at zero, as ReZero's do, and open within the first steps",
    "short of target": "it learns, misses its target, and nothing that was recorded explains why",
    "learns the training data": "the loss falls on the data that are trained on; whether it does on others was not"
    " recorded",
    "converged": "gradients are small because the task is all but solved, on other data, too",
    "risk of vanishing": "at initialisation the gradient shrinks on its way to the first layers",
    "risk of exploding": "at initialisation the gradient grows on its way to the first layers",
    "risk of collapse": "at initialisation signals of different inputs become one on their way up",
}

SUGGESTIONS: dict[Name, str] = {
    "not-a-number gradients": "a `where` before the root, logarithm or division as well as behind it; a larger epsilon;"
    " jax.config.update('jax_debug_nans', True) names the operation; the learning rate is not at fault",
    "not-a-number loss": "whether inputs and labels hold numbers that are not finite; logarithms and divisions of zero"
    " in the loss; jax.config.update('jax_debug_nans', True) names the operation",
    "gradients exactly zero": "a softmax over a single unit (a sigmoid is meant), argmax, rounding or stop_gradient in"
    " the loss, weights that are all zero, or units that never work, as with biases far below zero; a larger loss"
    " scale, if the backward pass is in 16 bits",
    "exploding": "a smaller gain, norms inside residual branches, or branches over the root of their number; clipping"
    " where the rest cannot change",
    "first loss too large": "standardised inputs and targets, He's or LeCun's initialisation, the loss's mean over the"
    " batch; only then a smaller learning rate",
    "far from unit scale": "standardised inputs (mean 0, deviation 1) and targets",
    "dead units": "biases that start at zero, He's initialisation, centred inputs, leaky_relu or gelu",
    "units that died": "a learning rate ten times smaller or warm-up, which keeps units alive; leaky_relu or gelu",
    "saturation": "standardised inputs, a smaller gain, layer norm before the activation",
    "collapse": "residual blocks, layer norm or weights on the edge of chaos: no optimizer cures this",
    "underflow": "a larger loss scale, or bfloat16 or float32 for the backward pass",
    "updates lost to rounding": "weights in float32 (with the forward pass in 16 bits), stochastic rounding, or Kahan"
    " summation",
    "updates not applied": "whether the step's new parameters are the ones that the next step begins with",
    "updates point uphill": "the sign of the loss, and of the update: optax.apply_updates adds",
    "attention logits grow": "normalised queries and keys, a smaller learning rate or warm-up",
    "learning rate too large": "a learning rate ten times smaller, warm-up, or clipping",
    "vanishing": "a critical gain or He's init, residual blocks or layer norm; Adam cures scale alone, clipping none",
    "vanishing in training": "norms inside the branches (pre-norm), warm-up or a smaller learning rate, less weight"
    " decay where weights have shrunk",
    "saturated loss": "the non-saturating form of the loss, or logits in place of probabilities; a critic that is"
    " trained less, or a Wasserstein loss",
    "learning rate too small": "a learning rate ten times larger; whether a schedule, a threshold of clipping or an"
    " epsilon holds the updates down",
    "softmax applied twice": "logits for a loss that takes logits",
    "learned by heart": "whether other data are drawn, prepared and judged as those of training are, batch norm keeps"
    " and uses its running averages, and inputs and labels still belong together; then more data or regularisation",
    "constant answer": "the loss first: predictions (N, 1) minus targets (N,) broadcast to (N, N); softmax twice or"
    " over one unit; labels out of step with inputs; whether a linear model learns anything: of targets that are noise"
    " for the most part nothing more can be known",
    "loss spike": "the batches of these steps, clipping, a smaller learning rate or Adam's b2",
    "frozen": "nothing, if it is meant; otherwise stop_gradient, masks and parameter filters",
    "zero by design": "nothing: this is meant",
    "short of target": "more steps, or another model",
    "learns the training data": "the accuracy or the loss on data that are not trained on, recorded from the start: it"
    " alone tells a model that has learned from one that remembers",
    "converged": "nothing, or more steps where the loss still falls",
    "risk of vanishing": "train it to know; if it does not, a critical gain, residual blocks or layer norm",
    "risk of exploding": "train it to know; if it breaks, a smaller gain or norms inside residual branches",
    "risk of collapse": "train it to know; if it does not, residual blocks, layer norm or weights on the edge of chaos",
}
