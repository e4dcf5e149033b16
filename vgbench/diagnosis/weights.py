"""What gradients of weights and biases show of a run."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.steps import DECODER, ENCODER, KEYS, RECURRENT, Steps
from vgbench.diagnosis.trend import first_of, kinds_of, lost_over_layers


@dataclass(frozen=True)
class Weights(Steps):
    """Evidence, and what follows from its gradients."""

    @cached_property
    def finite(self) -> Bool[np.ndarray, "records"]:
        """The records before the first number that is not finite: after it, rectifiers give zeros for NaN."""
        bad = np.zeros(len(self.evidence.step), bool)
        if self.evidence.nonfinite is not None:
            bad |= np.nansum(self.evidence.nonfinite, axis=1) > 0
        if self.evidence.nonfinite_loss is not None:
            bad |= self.evidence.nonfinite_loss
        return ~np.logical_or.accumulate(bad)

    @cached_property
    def slopes(self) -> Float[np.ndarray, "records"] | None:
        """Decades that the weights' gradients lose from last to first layer; None if their names show no order."""
        return lost_over_layers(self.evidence.gradient, self.evidence.names, least=4)

    @cached_property
    def bias(self) -> Float[np.ndarray, "records layers"] | None:
        """The biases' gradients; NaN where they are rounding alone, as before a batch norm, which takes a bias off."""
        gradient, bias = self.evidence.gradient, self.evidence.bias
        if gradient is None or bias is None:
            return None
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(bias) & (gradient - bias > thresholds.TAKEN_OFF), np.nan, bias)

    @cached_property
    def by_biases(self) -> float | None:
        """Decades of the signal lost at the start as the biases' gradients show it; None if unknown.

        A bias gets the sum over examples of the signal at its layer. Close to the output examples cancel in it more
        than elsewhere, so that it shows less loss than there is, and some gain where there is none.
        """
        return self._lost_by_biases(0)

    @property
    def lost_at_last(self) -> float | None:
        """The same at the last record."""
        return self._lost_by_biases(-1)

    def _lost_by_biases(self, record: int) -> float | None:
        lost = lost_over_layers(self.bias, self.evidence.names, least=4)
        return None if lost is None or np.isnan(lost[record]) else float(lost[record])

    @property
    def level(self) -> bool:
        """Whether gradients are known to be of one size from layer to layer at the start, of weights if not of biases.

        All weights may get the same gradient while the signal vanishes; of few layers that is taken to be not so.
        """
        evidence = self.evidence
        if any(RECURRENT.search(name) for name in evidence.names):
            return False  # over time steps it may vanish all the same
        lost = self.by_biases
        if lost is None:
            whole = any(len(group) == len(evidence.names) for group in kinds_of(evidence.names))
            few = whole and len(evidence.names) <= thresholds.FEW_LAYERS
            slopes = lost_over_layers(evidence.gradient, evidence.names, 2 if few else 3)
            lost = None if slopes is None or np.isnan(slopes[0]) else float(slopes[0])
        return lost is not None and abs(lost) < thresholds.LOST_DECADES

    @property
    def surely_level(self) -> bool:
        """The same where it is no matter that all weights may get the same gradient: by biases, or of few layers."""
        return self.level and (self.by_biases is not None or len(self.evidence.names) <= thresholds.FEW_LAYERS)

    @cached_property
    def input_scale(self) -> float | None:
        """The size of the inputs, about as the first layer's gradients show it; None if unknown.

        A weight's gradient is its bias's times the inputs' size and the root of the fan-in, but where examples cancel.
        They cancel in a bias above all, so that of the records the smallest ratio counts for inputs that look large,
        and less often in the weights, so that the largest does for inputs that look small.
        """
        first = first_of(self.evidence.names)
        if self.sizes is None or first is None:
            return None
        if self.without_input[:, first].all():
            return 0.0
        size = self.sizes[:, first]
        known = size[np.isfinite(size)]
        if not len(known):
            return None
        size = known.min() if known.min() > 0 else known.max() if known.max() < 0 else 0.0
        return float(10.0**size)

    @cached_property
    def sizes(self) -> Float[np.ndarray, "records layers"] | None:
        """log10 of the size of each layer's input, about: a weight's gradient over its bias's and the fan-in's root."""
        gradient, bias, fan_in = self.evidence.gradient, self.bias, self.evidence.fan_in
        if gradient is None or bias is None or fan_in is None:
            return None
        with np.errstate(invalid="ignore", divide="ignore"):
            size = gradient - bias - np.log10(fan_in) / 2
        keys = [bool(KEYS.search(name)) for name in self.evidence.names]  # whose biases get none but for rounding
        return np.where(np.isfinite(size) & ~np.asarray(keys), size, np.nan)

    @property
    def largest_input(self) -> float | None:
        """log10 of the size of what the layer gets whose input is largest, by the least that any record shows."""
        if self.sizes is None:
            return None
        known = self.sizes[:, ~np.isnan(self.sizes).all(axis=0)]
        return float(np.nanmin(known, axis=0).max()) if known.shape[1] else None

    @property
    def outside(self) -> float | None:
        """The same of what the first layer of some kind gets beside the next one, where that is most."""
        if self.sizes is None:
            return None
        firsts = [group[:2] for group in kinds_of(self.evidence.names) if len(group) > 1]
        known = [self.sizes[:, pair] for pair in firsts if not np.isnan(self.sizes[:, pair]).all(axis=0).any()]
        most = [np.nanmin(each, axis=0) for each in known]
        return max((float(min(own, own - after)) for own, after in most), default=None)

    @property
    def starved(self) -> float | None:
        """Decades by which the first layer's weights get less than its bias at the start, beside what the others do."""
        first = first_of(self.evidence.names)
        if self.sizes is None or first is None:
            return None
        size = self.sizes[0]
        others = np.delete(size, first)
        others = others[np.isfinite(others)]
        return float(min(0.0, others.min()) - size[first]) if len(others) and np.isfinite(size[first]) else None

    @property
    def faint(self) -> float | None:
        """Decades by which the gradients of all weights are less than that of some bias at the start, if all are small.

        The signal reaches the last layers then, and what it is multiplied with does not, or the other way round.
        """
        gradient, bias = self.evidence.gradient, self.bias
        if gradient is None or bias is None or not np.isfinite(bias[0]).any() or not np.isfinite(gradient[0]).any():
            return None
        largest = float(gradient[0][np.isfinite(gradient[0])].max())
        return float(bias[0][np.isfinite(bias[0])].max()) - largest if largest < thresholds.SMALL else None

    @property
    def behind(self) -> float | None:
        """Decades by which some weights get less than others, at the record where that is least."""
        gradient = self.evidence.gradient
        if gradient is None or not gradient.shape[1]:
            return None
        finite = np.where(np.isfinite(gradient), gradient, np.nan)
        known = finite[~np.isnan(finite).all(axis=1)]
        return float((np.nanmax(known, axis=1) - np.nanmin(known, axis=1)).min()) if len(known) else None

    @property
    def let_go(self) -> Float[np.ndarray, "layers"]:
        """Decades that the gradient of each layer has lost by the end; NaN if unknown, empty if none was recorded."""
        gradient = self.evidence.gradient
        with np.errstate(invalid="ignore"):
            return np.empty(0) if gradient is None else gradient[0] - gradient[-1]

    @property
    def all_lost(self) -> float | None:
        """Decades that the gradients of all layers have lost by the end; None if unknown."""
        lost = self.let_go
        return float(np.min(lost, initial=np.inf, where=~np.isnan(lost))) if len(lost) else None

    @property
    def silent_codes(self) -> float | None:
        """Decades that the gradients of an encoder lose beyond those of its decoder; None if names show neither.

        A decoder that makes no use of the codes sends next to nothing back through them.
        """
        lost, names = self.let_go, self.evidence.names
        if not len(lost) or len(self.evidence.step) < 2:
            return None
        before, behind = (lost[[bool(part.search(name)) for name in names]] for part in (ENCODER, DECODER))
        known = len(before) and len(behind) and np.isfinite([*before, *behind]).all()
        return float(before.min() - behind.max()) if known else None

    @property
    def summed(self) -> bool:
        """Whether the loss is a sum, or scaled up: the first gradients of all biases are too large for its mean.

        The gradient of the mean of e^2 by a bias behind which nothing follows is twice the mean of e, so that its
        square is four times the loss at most.
        """
        first, loss = self._first_biases, self.evidence.loss
        return loss is not None and len(first) > 0 and bool(2 * first.min() - np.log10(loss[0]) > thresholds.OF_A_MEAN)

    @property
    def error(self) -> float | None:
        """How far outputs lie from targets at the start, about, in their unit; None if unknown.

        A loss over its slope by a bias of the outputs is e for |e| and e / 2 for e^2, whatever it is multiplied with,
        where all examples share the error. Where they cancel it is less.
        """
        first, loss = self._first_biases, self.evidence.loss
        return float(loss[0] / 10.0 ** first.max()) if loss is not None and len(first) else None

    @property
    def _first_biases(self) -> Float[np.ndarray, "known"]:
        """The biases' first gradients, where the first loss is positive."""
        loss, bias = self.evidence.loss, self.bias
        return bias[0][np.isfinite(bias[0])] if loss is not None and bias is not None and loss[0] > 0 else np.empty(0)

    @cached_property
    def bursts(self) -> float:
        """Decades by which the gradient once rose above its usual size; 0 if less than one.

        As at a cliff of the loss (Pascanu, Mikolov & Bengio 2013).
        """
        gradient = self.evidence.gradient
        if gradient is None or not gradient.size:
            return 0.0
        finite = np.where(np.isfinite(gradient), gradient, np.nan)
        known = finite[~np.isnan(finite).all(axis=1)]
        if len(known) < 5:
            return 0.0
        whole = np.nanmax(known, axis=1)
        rise = float(whole[1:].max() - np.median(whole))
        return rise if rise >= 1 else 0.0

    @cached_property
    def feels(self) -> float | None:
        """The largest gradient over what the losses of single batches differ by, at last; None if unknown.

        Of scores, both are what an example adds over the root of the batch. A batch that is always the same shows
        nothing.
        """
        gradient, loss, peak = self.evidence.gradient, self.evidence.loss, self.evidence.peak
        if gradient is None or not gradient.shape[1] or loss is None or peak is None:
            return None
        differ, last = peak - loss, len(loss) - max(3, len(loss) // 3)
        largest = np.where(np.isfinite(gradient), gradient, -np.inf).max(axis=1)
        known = [10.0 ** largest[k] / differ[k] for k in range(max(0, last), len(loss)) if differ[k] > 0]
        return float(np.median(known)) if known else None

    @property
    def numb(self) -> bool:
        """Whether the gradients of all weights are small beside what the losses of batches differ by."""
        return self.feels is not None and self.feels < thresholds.NUMB

    @cached_property
    def zeroed(self) -> Bool[np.ndarray, "records"]:
        """Whether the gradients of all layers are exactly zero, at every record."""
        gradient = self.evidence.gradient
        if gradient is None or not gradient.shape[1]:
            return np.zeros(len(self.evidence.step), bool)
        known = ~np.isnan(gradient)
        return np.asarray((np.isneginf(gradient) | ~known).all(axis=1) & known.any(axis=1)) & self.finite

    @cached_property
    def without_input(self) -> Bool[np.ndarray, "records layers"]:
        """Layers whose bias gets a gradient and whose weights get none: their input is zero for every example."""
        gradient, bias = self.evidence.gradient, self.evidence.bias
        if gradient is None or bias is None:
            return np.zeros((len(self.evidence.step), 0), bool)
        return np.isneginf(gradient) & np.isfinite(bias) & self.finite[:, None]

    @property
    def unmoving(self) -> bool:
        """Whether the optimizer adds nothing to any weight at any record although they get a gradient."""
        gradient, update = self.evidence.gradient, self.evidence.update
        if gradient is None or update is None or len(update) < 2 or not np.isfinite(gradient).any(axis=1).all():
            return False
        known = update[~np.isnan(update)]
        return len(known) > 0 and not known.any()

    @cached_property
    def small(self) -> bool:
        """Whether the gradients of all layers are small from the start, and steps are of a usual size beside them.

        Small beside the constant answer's loss, where that is known: of a loss that is scaled down they are as it is.
        """
        gradient = self.evidence.gradient
        if gradient is None or not self.strides:
            return False
        level = np.log10(abs(self.evidence.chance)) if self.evidence.chance else 0.0
        return bool(gradient[0][np.isfinite(gradient[0])].max() - level < thresholds.SMALL)

    @cached_property
    def strides(self) -> bool:
        """Whether first steps are of a usual size beside the gradients, so that it is these that make them small."""
        gradient, weight, update = self.evidence.gradient, self.evidence.weight, self.evidence.update
        if gradient is None or weight is None or update is None:
            return False
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.log10(update[0]) + weight[0] - gradient[0]
        step = step[np.isfinite(step)]
        return len(step) > 0 and bool(np.median(step) >= thresholds.STEP)
