"""What a diagnosis can find, in words, and what the suites' own results suggest trying."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Name = Literal[
    "vanishing",
    "collapse",
    "exploding",
    "dead units",
    "saturation",
    "vanishing in training",
    "underflow",
    "learning rate too small",
    "learning rate too large",
    "unlearnable",
    "frozen",
    "zero by design",
    "converged",
]
Confidence = Literal["certain", "likely", "possible"]

MEANINGS: dict[Name, str] = {
    "vanishing": "the back-propagated gradient shrinks on its way to the first layers, which stand still",
    "collapse": "signals of different inputs become one on their way up: no optimizer can tell them apart",
    "exploding": "the back-propagated gradient grows on its way to the first layers",
    "dead units": "units give nothing, and pass no gradient, for any example",
    "saturation": "units lie on the flat ends of their activation",
    "vanishing in training": "the gradient reached the first layers at first and has stopped doing so",
    "underflow": "gradients are smaller than their dtype holds and read zero",
    "learning rate too small": "the gradient arrives and every layer moves too little to learn in these steps",
    "learning rate too large": "the gradient arrives and steps throw the weights about",
    "unlearnable": "gradient and updates are in order and nothing is learned: look at the labels",
    "frozen": "layers whose weights never move although the gradient arrives",
    "zero by design": "branches start at zero, as ReZero's do, and open within the first steps",
    "converged": "gradients are small because the task is all but solved",
}

SUGGESTIONS: dict[Name, str] = {
    "vanishing": "a critical gain or He's init, residual blocks or layer norm; Adam cures scale alone, clipping none",
    "collapse": "residual blocks, layer norm or weights on the edge of chaos: no optimizer cures this",
    "exploding": "a smaller gain, norms inside residual branches, or branches over the root of their number; clipping"
    " where the rest cannot change",
    "dead units": "a smaller learning rate or warm-up, leaky_relu or gelu, biases that start at zero",
    "saturation": "standardised inputs, a smaller gain, layer norm before the activation",
    "vanishing in training": "a smaller learning rate, weight decay on what has grown, norms before the activations",
    "underflow": "a larger loss scale, or bfloat16 or float32 for the backward pass",
    "learning rate too small": "a learning rate ten times larger",
    "learning rate too large": "a learning rate ten times smaller, warm-up, or clipping",
    "unlearnable": "whether inputs and labels still belong together; whether a linear model learns anything",
    "frozen": "nothing, if it is meant; otherwise stop_gradient, masks and parameter filters",
    "zero by design": "nothing: this is meant",
    "converged": "nothing: stop here",
}


@dataclass(frozen=True)
class Finding:
    """One thing that a run shows.

    Attributes:
        name: what it is.
        layers: names of the layers concerned, from input to output.
        steps: first and last step at which it shows.
        evidence: the numbers it rests on.
        confidence: certain where everything that could speak for it was recorded and does; likely where the most
            telling part was; possible where only the start was seen.
        seeds: of how many runs it was found in how many.
    """

    name: Name
    layers: tuple[str, ...]
    steps: tuple[int, int]
    evidence: Mapping[str, float]
    confidence: Confidence
    seeds: tuple[int, int] = (1, 1)

    @property
    def meaning(self) -> str:
        """What the finding says."""
        return MEANINGS[self.name]

    @property
    def suggestion(self) -> str:
        """What to try."""
        return SUGGESTIONS[self.name]

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        where = f"{self.layers[0]} to {self.layers[-1]}" if len(self.layers) > 1 else "".join(self.layers)
        place = f" in {where}" if where else ""
        where = f"{self.name} ({self.confidence}){place}, steps {self.steps[0]} to {self.steps[1]}"
        return f"{where}: {self.meaning} ({numbers})"
