"""Transformers: shapes, optimizers that hold something else, heads without one, few pictures, scores."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, linear
from faults.problems import classified, cross_entropy, own, recognised
from faults.registry import Setup, seventh
from faults.second.attention import WIDTH, blocks, normalised, trunk
from faults.sixth.recurrent import sounds, windows


def pooled(params, x, offsets):
    """What the output layer makes of the mean over all tokens of x [examples, length, features]."""
    x, points, scores = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
    return linear(params["out"], normalised(x).mean(1)), (*points, *scores)


@seventh(
    "constant answer",
    kind="shapes that are broadcast",
    family="transformer",
    source="github.com/jsboige/CoursIA/pull/926",
    title="fix(ml-training): MSE broadcasting bug pred_len=1 in M8 archi (train_{mamba,itransformer,patchtst,tft})",
)
def horizon_of_one_step(broken: bool) -> Setup:
    """What a series is next, by a transformer over patches; with a horizon of one step answers are [n, 1].

    Seen: a warning that targets [64] and answers [64, 1] differ in size. Answer: the targets are viewed as the answers
    are.
    """
    x, y = windows(1500, 24, 181)
    patches = x.reshape(1500, 6, 8)
    params = blocks(181, 2, 1, length=6) | {"embed": dense(jax.random.key(182), 8, WIDTH, 1.0)}

    def loss(params, batch, offsets):
        found, hidden = pooled(params, batch[0], offsets)
        return ((found - (batch[1] if broken else batch[1][:, None])) ** 2).mean(), hidden

    def error(params):
        return ((pooled(params, patches[1200:], None)[0][:, 0] - y[1200:]) ** 2).mean() / y.var()

    data = (patches[:1200], y[:1200])
    return own(params, loss, data, optax.adam(3e-3), error, chance=float(y.var()), steps=400, batch=64)


@seventh(
    "updates not applied",
    "gradients exactly zero",
    kind="updates that reach nothing",
    family="transformer",
    source="github.com/bubbliiiing/detr-pytorch/issues/6",
    title="模型未进行梯度更新",
)
def queries_that_never_change(broken: bool) -> Setup:
    """Where a thing is among eight places, by three queries that look at them; the optimizer changes other weights.

    Seen: a very low precision, and the weights after 50 and after 100 epochs are the same. Answer: the optimizer;
    what is in its groups was changed, and the model is updated.
    """
    draw = np.random.default_rng(183)
    at = draw.integers(8, size=1500)
    size = draw.uniform(0.5, 1.5, size=1500)
    x = 0.1 * draw.normal(size=(1500, 8, 4))
    x[np.arange(1500), at, 0] += 2.0
    x[np.arange(1500), at, 1] += size
    x = x.astype(np.float32)
    box = np.stack([(at - 3.5) / 2.3, (size - 1) / 0.3], axis=1).astype(np.float32)
    keys = jax.random.split(jax.random.key(183), 2)
    params = blocks(184, 1, 2, length=8) | {"embed": dense(keys[0], 4, WIDTH, 1.0)}
    params["query"] = {"w": jax.random.normal(keys[1], (3, WIDTH))}

    def boxes(params, x, offsets):
        kept, points, scores = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
        kept = normalised(kept)
        score = jnp.einsum("qd,ntd->nqt", params["query"]["w"], kept) / WIDTH**0.5
        said = (jax.nn.softmax(score) @ kept).mean(1)
        return linear(params["out"], said), (*points, *scores, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = boxes(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((boxes(params, x[1200:], None)[0] - box[1200:]) ** 2).mean() / box.var(0).mean()

    apply = (lambda params, updates: params) if broken else optax.apply_updates
    more = {"chance": float(box.var(0).mean()), "steps": 500, "batch": 64, "apply": apply}
    return own(params, loss, (x[:1200], box[:1200]), optax.adam(3e-3), error, **more)


@seventh(
    "frozen",
    kind="optimizer of nothing",
    family="transformer",
    source="github.com/zjunlp/HVPNeT/issues/5",
    title="Not putting parameters into optimizer but still trainable",
)
def head_that_is_not_appended(broken: bool) -> Setup:
    """The marks of words, by a model that is tuned at a small rate, and a head that is new and in no group.

    Seen: the parameters of the last layers are collected, and not appended to those of the optimizer. Answer: they
    should be; otherwise they are not trained.
    """
    draw = np.random.default_rng(185)
    words = draw.integers(12, size=(1500, 8)).astype(np.int32)
    marks = draw.integers(5, size=12).astype(np.int32)[words]
    params = blocks(185, 1, 5, tokens=12, length=8)

    def scores(params, words, offsets):
        said, points, scored = trunk(params, params["embed"]["w"][words] + params["position"]["w"], offsets)
        return linear(params["out"], normalised(said)), (*points, *scored)

    groups = {name: "head" if name == "out" else "body" for name in params}
    head = optax.set_to_zero() if broken else optax.adam(1e-2)
    optimizer = optax.multi_transform({"head": head, "body": optax.adam(1e-5)}, groups)
    data = (words[:1200], marks[:1200])
    return recognised(params, scores, data, (words[1200:], marks[1200:]), optimizer, classes=5, steps=500, batch=64)


@seventh(
    "learned by heart",
    kind="too few examples",
    family="transformer",
    source="github.com/IcarusWizard/MAE/issues/6",
    title="The training loss is decreasing while the validation loss is increasing",
)
def pictures_that_are_never_cropped(broken: bool) -> Setup:
    """A transformer that learns a hundred recordings by heart, since none of them is ever moved or disturbed.

    Seen: the loss of training falls, and that of validation rises. Answer: overfitting; the data are few, and there
    was no augmentation, which should help.
    """
    x, y = sounds(100, 186)
    others, wanted = sounds(600, 187)
    if not broken:
        draw = np.random.default_rng(186)
        x = np.concatenate([np.roll(x, draw.integers(24), 1) for _ in range(60)])
        x = (x + 0.5 * draw.normal(size=x.shape)).astype(np.float32)
        y = np.tile(y, 60)
    params = blocks(186, 1, 2, length=8) | {"embed": dense(jax.random.key(187), 3, WIDTH, 1.0)}

    def cut(x):
        return x.reshape(len(x), 8, 3)

    def loss(params, batch, offsets):
        found, hidden = pooled(params, cut(batch[0]), offsets)
        return cross_entropy(found, batch[1]), hidden

    right = jax.jit(lambda params: (pooled(params, cut(others), None)[0].argmax(-1) == wanted).mean())
    return classified(params, loss, (x, y), optax.adam(2e-3), right, classes=2, steps=900, batch=50)


@seventh(
    "attention logits grow",
    "learning rate too large",
    kind="scores of attention",
    family="transformer",
    source="github.com/delzac/cntkx/issues/10",
    title="ScaledDotProductAttention doesn't apply C.sqrt?",
)
def scores_without_a_root(broken: bool) -> Setup:
    """Which of ten notes fits to a question, by a wide head whose scores are not divided by the root of its width.

    Seen: the root is not in the code of the scaled product. Answer: a bug, which was fixed at once.
    """
    draw = np.random.default_rng(188)
    width, heads = 512, 1
    notes = draw.normal(size=(6000, 10, 8))
    asked = draw.integers(10, size=6000)
    question = notes[np.arange(6000), asked, :6] + 0.3 * draw.normal(size=(6000, 6))
    answer = notes[np.arange(6000), asked, 6].astype(np.float32)
    question, notes = question.astype(np.float32), notes.astype(np.float32)
    keys = jax.random.split(jax.random.key(188), 4)
    params = {
        "q": dense(keys[0], 6, heads * width, 3.0),
        "k": dense(keys[1], 8, heads * width, 3.0),
        "v": dense(keys[2], 8, heads * 8, 1.0),
        "out": dense(keys[3], heads * 8, 1, 1.0),
    }

    def answered(params, notes, question, offsets):
        hidden = []
        q = linear(params["q"], question).reshape(len(question), heads, width)
        k = linear(params["k"], notes).reshape(len(notes), 10, heads, width)
        v = linear(params["v"], notes).reshape(len(notes), 10, heads, 8)
        score = jnp.einsum("nhd,nthd->nht", q, k) / (1.0 if broken else width**0.5)
        said = jnp.einsum("nht,nthd->nhd", jax.nn.softmax(score), v).reshape(len(notes), -1)
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h)[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = answered(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, notes[5000:], question[5000:], None)[0] - answer[5000:]) ** 2).mean() / answer.var()

    data = (notes[:5000], question[:5000], answer[:5000])
    more = {"chance": float(answer.var()), "steps": 500, "batch": 64}
    return own(params, loss, data, optax.adam(0.02), error, **more)
