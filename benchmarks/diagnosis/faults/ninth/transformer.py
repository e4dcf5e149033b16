"""Transformers: rows that are masked, scores, an encoder at rest, a gate of zero, sixteen bits, a schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked, tagged
from faults.nets import Kind, activated, dense, linear
from faults.problems import classified, own, recognised
from faults.registry import Setup, ninth
from faults.second.attention import WIDTH, at_each_word, blocks, normalised, trunk


@ninth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mask that hides everything",
    family="transformer",
    source="github.com/jadore801120/attention-is-all-you-need-pytorch/issues/5",
    title="nan loss when training",
)
def words_of_padding_that_ask(broken: bool) -> Setup:
    """The marks of words in sentences that are padded; what is padded asks, too, and may look at nothing.

    Seen: the loss in training and in validation is NaN. Answer: of another reader, that masked scores are minus
    infinity before the softmax; it is then fixed.
    """
    text, marks = marked(581, 12, 4)
    length = np.random.default_rng(581).integers(3, 9, size=len(text))
    real = np.arange(8)[None] < length[:, None]
    params = blocks(581, 2, 4, tokens=12, length=8)
    blocked = -jnp.inf if broken else -1e9

    def scores(params, text, real, offsets):
        return at_each_word(params, text, offsets, real[:, :, None] & real[:, None], blocked)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], batch[1], offsets)
        each = optax.softmax_cross_entropy_with_integer_labels(found, batch[2])
        return (each * batch[1]).sum() / batch[1].sum(), hidden

    def right(params):
        found = scores(params, text[1200:], real[1200:], None)[0].argmax(-1) == marks[1200:]
        return (found & real[1200:]).sum() / real[1200:].sum()

    data = (text[:1200], real[:1200], marks[:1200])
    return classified(params, loss, data, optax.adam(3e-3), jax.jit(right), classes=4, steps=300, batch=32)


@ninth(
    "attention logits grow",
    "learning rate too large",
    kind="scale of the scores",
    family="transformer",
    source="github.com/NVIDIA/Megatron-LM/pull/848",
    title="[BUG] wrong scale softmax for local transformer implement",
)
def scores_by_the_wrong_factor(broken: bool) -> Setup:
    """Which of twelve notes is asked for, by attention whose scores are multiplied by a root, and not divided by it.

    Seen: the attention multiplies by the wrong factor. Answer: a simple fix of the factor is proposed.
    """
    draw = np.random.default_rng(582)
    width, count = 64, 12
    key = draw.normal(size=(4000, count, 6))
    at = draw.integers(count, size=4000)
    asked = (key[np.arange(4000), at] + 0.3 * draw.normal(size=(4000, 6))).astype(np.float32)
    held = draw.normal(size=(4000, count, 1))
    answer = held[np.arange(4000), at, 0].astype(np.float32)
    notes = np.concatenate([key, held], axis=2).astype(np.float32)
    keys = jax.random.split(jax.random.key(582), 4)
    params = {
        "q": dense(keys[0], 6, width, 1.0),
        "k": dense(keys[1], 7, width, 1.0),
        "v": dense(keys[2], 7, 16, 1.0),
        "out": dense(keys[3], 16, 1, 1.0),
    }

    def answered(params, notes, asked, offsets):
        hidden = []
        q, k = linear(params["q"], asked), linear(params["k"], notes)
        score = jnp.einsum("nd,ntd->nt", q, k) * width ** (0.5 if broken else -0.5)
        said = jnp.einsum("nt,ntd->nd", jax.nn.softmax(score), linear(params["v"], notes))
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h)[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = answered(params, batch[0], batch[1], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, notes[3200:], asked[3200:], None)[0] - answer[3200:]) ** 2).mean() / answer.var()

    data = (notes[:3200], asked[:3200], answer[:3200])
    more = {"chance": float(answer.var()), "steps": 400, "batch": 64}
    return own(params, loss, data, optax.adam(0.01), error, **more)


@ninth(
    "frozen",
    kind="teacher and student in one",
    family="transformer",
    source="github.com/arxyzan/data2vec-pytorch/issues/8",
    title="question about disabling gradient bp",
)
def student_that_is_its_own_teacher(broken: bool) -> Setup:
    """The marks of words by a student and a head, where what is held still for the teacher is the student, too.

    Seen: a line of the original is left out, which may keep gradients from the student's encoder. Answer: the author
    fixed the issue.
    """
    text, marks = marked(583, 24, 10)
    params = blocks(583, 1, 10, tokens=24, length=8)
    groups = {name: "head" if name == "out" else "student" for name in params}
    student = optax.set_to_zero() if broken else optax.adam(5e-3)
    optimizer = optax.multi_transform({"head": optax.adam(5e-3), "student": student}, groups)
    return tagged(params, text, marks, optimizer, steps=400)


@ninth(
    "gradients exactly zero",
    "dead units",
    kind="rectified weights of zero",
    family="transformer",
    source="github.com/lucidrains/deep-cross-attention/issues/2",
    title="Zero initialization with ReLU - no gradient",
)
def shares_of_layers_that_begin_at_zero(broken: bool) -> Setup:
    """The marks of words by a sum over all layers, whose shares are rectified, have no bias, and begin at zero.

    Seen: there is nothing that breaks the symmetry, and no gradient ever. Answer: small weights instead of zero.
    """
    text, marks = marked(584, 12, 4)
    params = blocks(584, 2, 4, tokens=12, length=8)
    share = jnp.zeros((WIDTH, 3)) if broken else 0.2 * jax.random.normal(jax.random.key(584), (WIDTH, 3))
    params["share"] = {"w": share}

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        hidden, scored, layers = [], [], [x]
        for name in ("block00", "block01"):
            h, _, each = trunk({name: params[name]}, layers[-1], None)
            layers.append(h)
            scored += each
        shares = activated("relu", normalised(layers[-1]) @ params["share"]["w"], hidden, offsets)
        said = sum(shares[..., i : i + 1] * layer for i, layer in enumerate(layers))
        return linear(params["out"], said), (*hidden, *scored)

    data = (text[:1200], marks[:1200])
    return recognised(
        params, scores, data, (text[1200:], marks[1200:]), optax.adam(5e-3), classes=4, steps=400, batch=32
    )


@ninth(
    "underflow",
    "gradients exactly zero",
    kind="precision",
    family="transformer",
    source="github.com/THUNLP-MT/THUMT/issues/72",
    title="What's the suggested loss_scale value?",
)
def tuning_in_float16(broken: bool) -> Setup:
    """The marks of words by a model in float16, whose loss is divided by all words of many batches.

    Seen: with the default scale of the loss training in float16 does not converge. Answer: a scale that is adapted,
    which should work better; here, one that is large enough for small gradients.
    """
    text, marks = marked(585, 12, 4)
    setup = tagged(blocks(585, 1, 4, tokens=12, length=8), text, marks, optax.adam(5e-3, eps=1e-16), steps=300)
    words, scale = 1e8, 1.0 if broken else 2.0**16

    def loss(params, batch, offsets):
        halves = jax.tree.map(lambda w: w.astype(jnp.float16), params)
        x = halves["embed"]["w"][batch[0]] + halves["position"]["w"]
        said, points, scored = trunk(halves, x, offsets)
        found = linear(halves["out"], normalised(said))
        each = optax.softmax_cross_entropy_with_integer_labels(found.astype(jnp.float32), batch[1])
        return scale * each.sum() / words, (*points, *scored)

    chance = float(scale * np.log(4) * 32 * 8 / words)
    return Setup(**{**vars(setup), "loss": loss, "chance": chance})


@ninth(
    "learning rate too small",
    "updates not applied",
    kind="schedule",
    family="transformer",
    source="github.com/huggingface/transformers/issues/21521",
    title="lr_scheduler not updated when auto_find_batch_size set to True and batch_size decays",
)
def schedule_of_a_larger_batch(broken: bool) -> Setup:
    """The marks of words at a rate that falls to zero over the steps of a batch that did not fit into memory.

    Seen: the size of batches is halved three times, and the rate falls to zero before the end of the first epoch.
    Answer: the scheduler has to be made anew.
    """
    text, marks = marked(586, 12, 4)
    params = blocks(586, 1, 4, tokens=12, length=8)
    rate = optax.linear_schedule(2e-3, 0.0, 19 if broken else 460)
    return tagged(params, text, marks, optax.adam(rate), steps=400)
