"""What units give: dead, died, saturated, one for all inputs, one-hot in attention."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.learning_rate import signs, too_large
from vgbench.diagnosis.steps import KEYS, QUERIES, RECURRENT, recorded_in
from vgbench.diagnosis.trend import first_of

_RATE: tuple[Name, ...] = ("learning rate too large",)
"""What drives units to their ends, or kills them, in training."""
_ONE_ANSWER = "different inputs have come to give much the same, which such a loss rewards unless something forbids it"
_INPUTS = "whether inputs still differ as they reach the network: shares that are stored as whole numbers are all zero"
_SILENT = "the encoder gets less and less of a gradient beside its decoder, so that codes say little of their inputs"


def dead_units(run: Reading) -> Iterator[Finding]:
    """Most units of a layer are flat for every example from the start, and little is learned."""
    flat = _flat_units(run)
    layers = np.flatnonzero(flat[0] & (flat.mean(axis=0) >= 0.5))
    if not len(layers) or run.empty or (run.evidence.dead is None and run.zeroed[0]):
        return  # where units were not recorded and nothing gets a gradient, much else may be why
    others: tuple[Name, ...] = ("gradients exactly zero",) if run.zeroed[0] else run.unseen("collapse")
    yield _of_units(run, "dead units", layers, 0, others)


def died(run: Reading) -> Iterator[Finding]:
    """The same of units that worked at the start. Steps that are too large are why units die, as a rule."""
    flat = _flat_units(run)
    layers = np.flatnonzero(flat[-1] & ~flat[0])
    if run.decayed or run.vanishes or not len(layers) or _without_inputs(run):
        return  # or it follows from the signal's loss, or from weights that something takes away, or no input arrives
    if idle(run) and not run.zeroed[-1] and not signs(run):
        return  # units that are left would bring the loss down if anything but a constant did
    first = int(np.argmax(flat[:, layers].any(axis=1)))
    constant: tuple[Name, ...] = ("constant answer",) if run.progress.unmoved else ()
    others = (*constant, *_RATE, *run.unseen("vanishing"))
    yield _of_units(run, "units that died", layers, first, others)


def _without_inputs(run: Reading) -> bool:
    """Whether the first layer's weights get no gradient at the start although its bias does: its inputs are zero."""
    first = first_of(run.evidence.names)
    return first is not None and run.without_input.shape[1] > first and bool(run.without_input[0, first])


def idle(run: Reading) -> bool:
    """Whether the loss rests at the constant answer's level and some units died of most layers' on the way there."""
    flat = _flat_units(run)
    return run.progress.came_down and len(flat) > 0 and bool((flat[-1] & ~flat[0]).any())


def _of_units(run: Reading, name: Name, layers: np.ndarray, first: int, others: tuple[Name, ...]) -> Finding:
    dead = run.evidence.dead
    if dead is None:
        return run.finding(
            name,
            "likely",
            run.layers(layers),
            first=first,
            alternatives=others,
            layers_without_input=float(len(layers)),
        )
    last = float(np.nanmax(dead[_last_known(dead)]))
    numbers = {"dead_share": last, "dead_at_first": float(np.nanmax(dead[0, layers]))}
    return run.finding(name, "certain", run.places(layers), first=first, alternatives=others, numbers=numbers)


def _flat_units(run: Reading) -> Bool[np.ndarray, "records places"]:
    """Places, or layers, where units give nothing for any example of a run that learns little.

    Where units were not recorded, a layer whose bias gets a gradient and whose weights get none shows that its input is
    zero. The network's own inputs are no units, nor is a state that begins as zero and is not handed on.
    """
    dead = run.evidence.dead
    none = np.zeros((len(run.evidence.step), 0), bool)
    if run.evidence.flat not in ("below", "unknown") or not _hurts(run):
        return none
    if dead is None:
        names = run.evidence.names[: run.without_input.shape[1]]
        units = [i != first_of(run.evidence.names) and not RECURRENT.search(name) for i, name in enumerate(names)]
        return none if run.input_scale == 0 else run.without_input & np.asarray(units, bool)
    dead = np.where(run.finite[:, None], dead, np.nan)
    known = ~np.isnan(dead).all(axis=1)
    many = np.nan_to_num(dead) >= thresholds.DEAD
    return many[known] if known.any() else none


def saturation(run: Reading) -> Iterator[Finding]:
    """Units lie on the flat ends of their activation from the start, so that the signal vanishes there."""
    yield from _saturated(run, at_start=True)


def saturated_in_training(run: Reading) -> Iterator[Finding]:
    """The same of units that worked at the start: a signal that vanished before is no matter of theirs."""
    yield from _saturated(run, at_start=False)


def _saturated(run: Reading, at_start: bool) -> Iterator[Finding]:
    """Units lie on the flat ends of their activation, and little is learned: in half of the layers, or all of one.

    What one layer cuts off no other makes up for. Where it works at the start, it may be so since the outputs are sure
    and right, unless the loss stands still above the constant answer's.
    """
    recorded, bounded = run.evidence.saturated, run.evidence.bounded
    if recorded is None or np.isnan(recorded).all() or not _hurts(run) or run.progress.broken:
        return
    rectifies = run.evidence.flat == "unknown" and run.evidence.dead is not None
    if bounded is None and (rectifies or run.evidence.flat not in ("both", "unknown")):
        return  # a rectifier's flat side is no saturation
    saturated = np.nan_to_num(recorded if bounded is None else np.where(bounded, recorded, 0.0))
    many, last = saturated >= thresholds.SATURATED, _last_known(recorded)
    cut = saturated >= thresholds.BLOCKED
    layers = np.flatnonzero(many[last])
    if 2 * len(layers) < recorded_in(recorded).sum():
        wrong = run.progress.settled and run.progress.gain is not None and run.progress.gain < -thresholds.CONSTANT
        layers = np.flatnonzero((cut[0] | wrong) & cut[last] & (cut.mean(axis=0) > 0.5))
    if not len(layers) or at_start != (many[0, layers].mean() >= 0.5):
        return
    first = 0 if many[0, layers].any() else int(np.argmax(many[:, layers].any(axis=1)))
    share = float(np.median(saturated[last, layers]))
    one: tuple[Name, ...] = ("collapse",) if run.merged else ()
    why: tuple[Name, ...] = ("vanishing",) if run.vanishes else ()
    level = run.error if run.evidence.chance is None else run.evidence.chance
    far = not at_start and level is not None and level > thresholds.UNIT
    targets: tuple[Name, ...] = ("far from unit scale",) if far else ()  # which drive units to their ends
    others = (*one, *targets, *(_RATE if first or signs(run) else why))
    grown = 0.0 if at_start else run.outgrown(int(np.argmax(many[:, layers].mean(axis=1) >= 0.5)))
    if grown >= thresholds.GROWN_DECADES / 2 and run.arrives is not False and not any(too_large(run)):
        numbers = {"decades_that_weights_have_grown": grown, "saturated_share": share}
        both: tuple[Name, ...] = ("saturation", *targets, *one)
        yield run.finding("learning rate too large", "possible", first=first, alternatives=both, numbers=numbers)
        return
    yield run.finding(
        "saturation", "likely", run.places(layers), first=first, alternatives=others, saturated_share=share
    )


def collapse(run: Reading) -> Iterator[Finding]:
    """Different inputs' signals are one at the last layer, and little is learned.

    They approach each other from layer to layer at the start, or a place gives the same for all of them.
    """
    if not run.trains or not run.progress.poor or run.progress.broken:
        return
    count = len(run.evidence.places)
    if run.gathered is not None:
        where = run.places(range(2 * count // 3, count))
        both: tuple[Name, ...] = ("vanishing",) if run.vanishes else ()
        yield run.finding(
            "collapse",
            "likely" if both else "certain",
            where,
            alternatives=both,
            log10_distance_lost=-run.gathered,
            progress=run.progress.share,
        )
    elif (place := run.blank) is not None:
        meaning = "this place gives the same for every input, so that no optimizer can distinguish them"
        hint = _INPUTS if place == 0 else ""
        yield run.finding(
            "collapse", "certain", run.places([place]), meaning=meaning, hint=hint, progress=run.progress.share
        )


def collapsed_in_training(run: Reading) -> Iterator[Finding]:
    """Different inputs' signals have become one at the last place, and the loss, of no known level, rests or is gone.

    Or it is at the least that a cosine has, or a code says little of its inputs.
    """
    progress, saturated = run.progress, run.evidence.saturated
    if progress.gain is None:
        flat = saturated is not None and bool(saturated[-1, -1] >= thresholds.BLOCKED)
        sure = flat and run.evidence.bounded_at(-1)  # so that all lie on one flat end
        gone = progress.all_gone and not progress.adversarial  # of which one has won
        one = run.alike and not sure and (progress.settled or gone)
        if one or (_in_one_direction(run) and not run.severed):
            drawn = run.drawn_together
            yield run.finding(
                "collapse",
                "possible" if drawn is None else "likely",
                run.evidence.places[-1:],
                meaning=_ONE_ANSWER,
                alternatives=_RATE,
                last_loss=progress.end,
                log10_distance_lost=drawn,
            )
            return
    silent, stuck = run.silent_codes, progress.settled and progress.little is not False and not run.held.any()
    if silent is not None and silent >= thresholds.SILENT_CODES and stuck:
        constant: tuple[Name, ...] = ("constant answer",) if progress.at_constant else ()
        others = (*constant, *run.unseen("vanishing"))
        numbers = {"decades_that_the_encoder_gets_less": silent}
        yield run.finding("collapse", "possible", meaning=_SILENT, alternatives=others, numbers=numbers)


def _in_one_direction(run: Reading) -> bool:
    """Whether a loss is at the least that a cosine has, and inputs were drawn together, or gradients let go of them."""
    if not run.progress.at_least_of_a_cosine:
        return False
    if run.drawn_together is not None:
        return run.drawn_together >= thresholds.DRAWN
    lost = run.all_lost
    return lost is not None and lost >= thresholds.LETTING_GO


def attention_logits(run: Reading) -> Iterator[Finding]:
    """The largest attention score has grown beyond what a softmax in single precision distinguishes."""
    logits = run.evidence.largest_logit
    if run.progress.mastered:
        return
    if logits is None:
        yield from _by_queries(run)
        return
    known = logits[:, recorded_in(logits)]
    layers = np.flatnonzero(recorded_in(logits))[known[-1] >= thresholds.LOGITS]
    if len(layers):
        first, last = float(np.nanmax(known[0])), float(np.nanmax(known[-1]))
        grew = last >= 2 * first
        rate = _RATE if grew else ()
        numbers = {"at_first": first, "largest_score": last}
        confidence: Confidence = "likely" if grew else "possible"
        yield run.finding("attention logits grow", confidence, run.places(layers), alternatives=rate, numbers=numbers)


def _by_queries(run: Reading) -> Iterator[Finding]:
    """Where no score was recorded: weights of queries and of keys have each grown tenfold, and scores a hundredfold.

    Or their gradients are gone beside all others at some record: a softmax that is one-hot passes none.
    """
    progress, (queries, keys) = run.progress, _attention(run)
    if not progress.known or progress.broken or not (queries and keys):
        return
    both, behind = min(run.outgrown(-1, queries), run.outgrown(-1, keys)), _behind(run, queries + keys)
    little = progress.poor and (both >= thresholds.GROWN_DECADES or behind >= thresholds.ONE_HOT / 2)
    if little or behind >= thresholds.ONE_HOT:
        numbers = {"decades_that_weights_have_grown": both, "decades_that_gradients_stay_behind": behind}
        names = run.layers(sorted(queries + keys))
        same = () if both >= thresholds.GROWN_DECADES else run.unseen("collapse")  # of tokens that have become one
        yield run.finding("attention logits grow", "possible", names, alternatives=(*_RATE, *same), numbers=numbers)


def attends(run: Reading) -> bool:
    """Whether weights of queries and keys grew so that scores are ten times as large, and no score was recorded.

    Or their gradients once stayed behind those of other weights, as a softmax that is nearly one-hot makes them.
    """
    queries, keys = _attention(run)
    if run.evidence.largest_logit is not None or not (queries and keys):
        return False
    grew = run.outgrown(-1, queries) + run.outgrown(-1, keys) >= thresholds.GROWN_DECADES
    return grew or _behind(run, queries + keys) >= thresholds.ONE_HOT / 4


def _attention(run: Reading) -> tuple[list[int], list[int]]:
    """Arrays of weights of queries, and of keys, by their names."""
    names = run.evidence.names
    queries, keys = ([i for i, name in enumerate(names) if part.search(name)] for part in (QUERIES, KEYS))
    return queries, keys


def _behind(run: Reading, layers: list[int]) -> float:
    """Decades by which the gradients of these stay behind those of most others, where that is most; 0 if unknown."""
    gradient = run.evidence.gradient
    if gradient is None:
        return 0.0
    finite = np.where(np.isfinite(gradient), gradient, np.nan)
    own, others = finite[:, layers], np.delete(finite, layers, axis=1)
    known = ~(np.isnan(own).all(axis=1) | np.isnan(others).all(axis=1))
    if not known.any():
        return 0.0
    return float((np.nanmedian(others[known], axis=1) - np.nanmax(own[known], axis=1)).max())


def _hurts(run: Reading) -> bool:
    return run.trains and run.progress.known and (run.progress.poor or run.progress.broken)


def _last_known(values: Float[np.ndarray, "records places"]) -> int:
    """The last record that says something."""
    return int(np.flatnonzero(~np.isnan(values).all(axis=1))[-1])
