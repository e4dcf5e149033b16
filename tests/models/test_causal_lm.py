"""Causal language models: against one written out by hand, and what an order of norms does to a stream."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.transformer_by_hand import attention, feed_forward, mapped, norm, rms, sigmoid

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.models import build_network
from vgbench.spec.metric import BITS_PER_BYTE

TEXT = "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer. " * 40
LENGTH = 16


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("text") / "hamlet.txt"
    path.write_text(TEXT)
    return {"name": "text", "path": str(path), "length": LENGTH}


def tiny(text: dict[str, Any], **slots: Any) -> vg.Case:
    options = {"heads": 2} | slots.pop("model", {})
    common: dict[str, Any] = {"depth": 3, "width": 8, "batch_size": 4, "seeds": (0,), "dtype": "float64"}
    return vg.Case(**common | slots, model={"name": "causal_lm", **options}, data=text)  # pyright: ignore[reportArgumentType]


def silu(z: np.ndarray) -> np.ndarray:
    return z * sigmoid(z)


FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pre_norm": ({}, {}),
    "post_norm": ({"order": "post_norm", "qk_norm": True}, {"qk_norm": True}),
    "peri_norm": ({"order": "peri_norm", "softcap": 0.5, "rotary_base": 100.0}, {"softcap": 0.5}),
    "scaled": ({"depth_scaled_norm": True, "gated_attention": True, "gated_feed_forward": True}, {"gated": True}),
}


@pytest.mark.parametrize("name", FORMS)
def test_network_is_its_blocks_in_its_order(text: dict[str, Any], name: str) -> None:
    options, attending = FORMS[name]
    normalise = norm if name == "post_norm" else rms
    member = "layer" if name == "post_norm" else "rms"
    case = tiny(text, model=options, norm=member, activation="silu", block_execution="unroll")
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        logits = jax.jit(lambda v: network.apply(v, x, train=True).answers)(variables)
    params: Any = variables.params
    h = np.asarray(params["input_layer"]["table"]["embedding"][...])[np.asarray(x, int)]
    post, peri = name == "post_norm", name == "peri_norm"
    h = normalise(h) if post else h
    base = options.get("rotary_base", 10000.0)
    for number, block in enumerate(params["blocks"], start=1):
        scale = number**-0.5 if name == "scaled" else 1
        for part in ("attention", "feeding"):
            read = h if post else normalise(h) * scale
            held = block[part]["branch"]
            if part == "attention":
                branch = attention(held, read, 2, rotary_base=base, **attending)
            else:
                branch = feed_forward(held, read, silu)
            branch = normalise(branch) if peri else branch
            h = normalise(h + branch) if post else h + branch
    h = h if post else normalise(h)
    np.testing.assert_allclose(logits, mapped(params["output_layer"]["linear"], h), atol=1e-9)


def test_tied_table_embeds_answers_and_learns_from_both_uses(text: dict[str, Any]) -> None:
    case = tiny(text, model={"tied": True}, depth=1, steps=2, learning_rates=(0.1,), tuning_seeds=(), optimizer="sgd")
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, y) = draw(case, network, data, 0), first_batch(case, data, 0)
        params: Any = variables.params
        table = params["input_layer"]["table"]["embedding"]
        assert jax.tree.structure(params["output_layer"]).num_leaves == 1  # the norm's scale

        def loss(embedding: jax.Array, answers: jax.Array) -> jax.Array:
            h = 8**0.5 * embedding[np.asarray(x, int)]
            logits = h / jnp.sqrt(jnp.square(h).mean(-1, keepdims=True) + 1e-6) @ answers.T
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], axis=-1).mean()

        def measured(table: jax.Array) -> jax.Array:
            changed = params | {"input_layer": {"table": {"embedding": table}}}
            answers = network.apply(variables._replace(params=changed), x, train=True).answers
            return network.problem.objective.loss(answers, y)

        by_use = jax.jit(jax.grad(loss, argnums=(0, 1)))(table, table)
        whole = jax.jit(jax.grad(measured))(table)
    np.testing.assert_allclose(whole, by_use[0] + by_use[1], atol=1e-9)
    norms = [np.log10(np.linalg.norm(each)) for each in by_use]
    np.testing.assert_allclose(vg.measure_gradients(case).log10_parameter_norm[0], norms, atol=1e-9)
    curves = vg.measure_training(case)
    np.testing.assert_allclose(curves.snapshots.log10_weight_norm[0, 0], np.log10(np.linalg.norm(table)), atol=1e-6)


def test_no_answer_depends_on_later_bytes(text: dict[str, Any]) -> None:
    case = tiny(text)
    data = load_dataset(case)
    with jax.enable_x64(True):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        answer = jax.jit(lambda x: network.apply(variables, x, train=True).answers)
        changed = x.at[:, 9].set(1 + x[:, 9])
        before, after = np.asarray(answer(x)), np.asarray(answer(changed))
    np.testing.assert_array_equal(before[:, :9], after[:, :9])
    assert (before[:, 9:] != after[:, 9:]).any(axis=(0, 2)).all()


@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_norms_by_layer_and_position_are_those_of_plain_backpropagation(text: dict[str, Any], layers: str) -> None:
    case = tiny(text, block_execution=layers)
    profile = vg.measure_gradients(case)
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network: Any = build_network(case, data.problem, scanned=False)
        variables, (x, y) = draw(case, network, data, 0), first_batch(case, data, 0)
        shape = (3, len(x), LENGTH, 8)

        def loss(added: jax.Array) -> jax.Array:
            parts = (network.input_layer, *network.blocks)
            held = zip(
                (variables.params["input_layer"], *variables.params["blocks"]),
                (variables.stats["input_layer"], *variables.stats["blocks"]),
                strict=True,
            )
            h: Any = x.astype("float64")
            for part, (params, stats), extra in zip(parts, held, added, strict=True):
                h = part.apply(params, stats, h, True)[0] + extra
            logits = network.output_layer.apply(
                variables.params["output_layer"], variables.stats["output_layer"], h, True
            )[0]
            chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], axis=-1)
            return -chosen.mean()

        slopes = np.asarray(jax.jit(jax.grad(loss))(jnp.zeros(shape, "float64")))
    whole = np.log10(np.linalg.norm(slopes.reshape(3, -1), axis=1))
    np.testing.assert_allclose(profile.log10_activation_norm[0], whole, atol=1e-9)
    groups = np.stack(np.split(slopes, 8, axis=2), axis=1).reshape(3, 8, -1)
    np.testing.assert_allclose(profile.log10_state_norm[0], np.log10(np.linalg.norm(groups, axis=2)), atol=1e-9)
    assert profile.states == tuple(f"positions {i}/8" for i in range(1, 9))


def test_gated_feed_forward_part_has_as_many_weights(text: dict[str, Any]) -> None:
    def weights(**options: Any) -> int:
        case = tiny(text, width=48, model=options)
        network: Any = build_network(case, load_dataset(case).problem)
        return network.blocks[0].weights

    assert weights(gated_feed_forward=True) == weights()


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        ({"data": "digits"}, "model 'causal_lm': reads tokens, as data 'text' has them"),
        ({"norm": "batch"}, "norm 'batch' lets a token see later ones"),
        ({"width": 8, "model": {"name": "causal_lm", "heads": 8}}, "rotary positions turn pairs of features"),
        ({"model": {"name": "causal_lm", "depth_scaled_norm": True, "order": "post_norm"}}, "depth_scaled_norm scales"),
        ({"model": {"name": "causal_lm", "tied": True}, "init": "lsuv"}, "init 'lsuv' scales each layer on data"),
        (
            {"model": {"name": "causal_lm", "tied": True}, "skip": "hyper_connections"},
            "tied needs a single residual stream, not skip 'hyper_connections'",
        ),
        ({"model": "mlp", "data": "text"}, "needs model 'causal_lm', not 'mlp'"),
    ],
    ids=str,
)
def test_combination_without_meaning_is_refused_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vg.measure_gradients(vg.Case(**{"model": "causal_lm"} | slots))


def test_training_a_small_one_predicts_better_than_the_frequencies_of_bytes(text: dict[str, Any]) -> None:
    case = tiny(
        text,
        width=16,
        depth=2,
        dtype="float32",
        steps=60,
        learning_rates=(1e-9, 0.01),
        tuning_seeds=(7,),
        batch_size=16,
    )
    curves = vg.measure_training(case)
    assert curves.metric == BITS_PER_BYTE
    assert curves.learning_rate == 0.01
    assert curves.tuning_metric[0].item() > curves.guessing == curves.chance > curves.tuning_metric[1].item()
    assert not curves.none_better_than_chance
    assert curves.test_metric.item() < curves.chance - 0.5
    assert curves.trained == (curves.test_metric.item() <= case.target)
    assert curves.loss[0, -1] < 0.7 * curves.loss[0, 0]


@pytest.mark.slow
def test_stream_of_peri_norm_grows_linearly() -> None:
    """Kim et al. 2025: the embedding has variance 1, and each of a block's two branches adds 1."""
    case = vg.Case(model={"name": "causal_lm", "order": "peri_norm"}, width=128, depth=101, seeds=(0,), steps=0)  # pyright: ignore[reportArgumentType]
    variance = 10 ** (2 * vg.measure_forward(case).log10_activation_scale[0])
    np.testing.assert_allclose(variance, 1 + 2 * np.arange(101), rtol=0.15)


def test_value_residual_reads_the_mean_of_own_and_first_values(text: dict[str, Any]) -> None:
    case = tiny(text, model={"value_residual": True}, activation="silu", block_execution="unroll")
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        logits = jax.jit(lambda v: network.apply(v, x, train=True).answers)(variables)
    params: Any = variables.params
    h, first = np.asarray(params["input_layer"]["table"]["embedding"][...])[np.asarray(x, int)], None
    for block in params["blocks"]:
        held, read = block["attention"]["branch"], rms(h)
        own = mapped(held["value"], read)
        first = own if first is None else first
        h = h + attention(held, read, 2, rotary_base=10000.0, values=(own + first) / 2)
        h = h + feed_forward(block["feeding"]["branch"], rms(h), silu)
    expected = mapped(params["output_layer"]["linear"], rms(h))
    np.testing.assert_allclose(logits, expected, atol=1e-9)
