"""Every program lowers for every platform: what has no rule for GPUs or TPUs fails here, where there are none."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from helpers.needs import NEEDS, SLOTS

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.harness.workers import worker
from vgbench.measure import initial
from vgbench.measure.draw import first_batch, function_of, initial_network, training_of
from vgbench.measure.forward import followed, unfit
from vgbench.measure.gradients import profiled
from vgbench.measure.numerics import check_dtype, numerics
from vgbench.measure.programs import LOOK, jobs
from vgbench.models.lsuv import unit_variance
from vgbench.spec.registry import ACTIVATIONS, CELLS, DATA, INITIALIZERS, MODELS, REGISTRIES

PLATFORMS = {"gpu": "cuda", "tpu": "tpu"}
TINY: dict[str, Any] = {"depth": 3, "width": 12, "batch_size": 4, "steps": 2, "seeds": (0,), "tuning_seeds": (7,)}
FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {},
    "convnet": {"model": "convnet"},
    "transformer": {"model": "transformer"},
    "recurrent": {"model": "recurrent", "depth": 4, "cell": "lstm"},
    "causal_lm": {"model": "causal_lm", "data": {"name": "text", "length": 8}},
}
MEMBERS: dict[str, dict[str, Any]] = {
    f"{slot}-{member.name}": {slot: member.name} | NEEDS.get((slot, member.name), {})
    for slot in SLOTS
    for member in REGISTRIES[slot]
}
RECURRENT = {f"cell-{cell.name}": FAMILIES["recurrent"] | {"cell": cell.name} for cell in CELLS if cell.name != "none"}
STREAMS: dict[str, dict[str, Any]] = {
    f"data-{name}": FAMILIES["recurrent"] | NEEDS.get(("data", name), {}) | {"data": name}
    for name in ("adding", "copy_memory", "temporal_order", "gaussian_stream")
}
DTYPES = {
    f"{name}-{dtype}": slots | {"dtype": dtype}
    for name, slots in FAMILIES.items()
    for dtype in ("float64", "bfloat16", "float16")
}
FORMS = {f"{name}-unrolled": slots | {"block_execution": "unroll", "remat": True} for name, slots in FAMILIES.items()}
OPTIONS: dict[str, dict[str, Any]] = {
    "qk_norm": {"model": {"name": "transformer", "qk_norm": True, "pooling": "flatten"}},
    "post_norm": {"model": {"name": "transformer", "order": "post_norm", "qk_clip": 100.0}},
    "gates": {
        "model": {
            "name": "causal_lm",
            "order": "peri_norm",
            "gated_attention": True,
            "gated_feed_forward": True,
            "tied": True,
        },
        "data": {"name": "text", "length": 8},
    },
    "circular": {"model": {"name": "convnet", "padding": "circular", "pooling": "flatten"}},
    "muon": {"model": "convnet", "optimizer": "muon", "warmup_steps": 1},
}
ALL = FAMILIES | MEMBERS | RECURRENT | STREAMS | DTYPES | FORMS | OPTIONS
each = pytest.mark.parametrize


def programs(case: vg.Case) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """What is compiled to train the case and to profile it, and what draws its weights, each with its arguments."""
    dataset = load_dataset(case)
    for name, (function, given) in jobs(training_of(case), runs=2, often=1).items():
        yield str(name), function, given
    network = initial_network(case, dataset.problem)
    x, y = first_batch(case, dataset, 0)

    def draw(key: Any) -> Any:
        variables = network.init(jax.random.wrap_key_data(key))
        return unit_variance(network, variables, x) if INITIALIZERS[case.init.name].data_dependent else variables

    key = jax.ShapeDtypeStruct((2,), "uint32")
    variables, function = jax.eval_shape(draw, key), function_of(case, network)
    yield "draw", jax.jit(draw), (key,)
    measures = (profiled,) if unfit(case) else (profiled, followed)
    yield "profiles", initial.program(function, dataset.problem, 0, measures), (variables, x, y)


def refused(case: vg.Case, platform: str) -> bool:
    try:
        check_dtype(case.dtype, platform)
    except vg.InputError:
        return True
    return False


def check_that_it_lowers(slots: dict[str, Any], *names: str) -> None:
    """All programs of a case, or those of these names, lower for all platforms that do not refuse the case."""
    layers = "unroll" if slots.get("skip") == "dense" else "scan"
    case = vg.Case(**TINY | {"block_execution": layers} | slots)
    with numerics(case.dtype, case.matmul_precision):
        for name, function, given in programs(case):
            if names and name not in names:
                continue
            traced = function.trace(*given)
            for platform, compiler in PLATFORMS.items():
                if not refused(case, platform):
                    text = traced.lower(lowering_platforms=(compiler,)).as_text()
                    assert platform != "tpu" or "f64>" not in text, f"{name} computes in float64"


@each("family", FAMILIES)
def test_probed_pass_of_every_family_lowers(family: str) -> None:
    check_that_it_lowers(FAMILIES[family], "profiles")


def test_snapshot_lowers() -> None:
    """It holds the step that the optimizer would take, the probed pass and what reaches the activations."""
    check_that_it_lowers({}, LOOK)


@pytest.mark.slow
@each("name", ALL)
def test_every_program_of_every_member_lowers(name: str) -> None:
    check_that_it_lowers(ALL[name])


def test_every_family_is_here() -> None:
    assert set(FAMILIES) == {family.name for family in MODELS} - {MODELS.imports}
    stored = {"digits", "fashion_mnist", "gaussian", "npz", "idx", "datasets", "text", "ucr"}
    assert {name.removeprefix("data-") for name in STREAMS} == {source.name for source in DATA} - stored


@pytest.mark.usefixtures("scratch_registries")
@each("operation", ["schur", "float64"])
def test_what_an_accelerator_lacks_is_found(operation: str) -> None:
    @ACTIVATIONS.register(source="Nobody 1999")
    def odd(z: Any) -> Any:
        """Works on CPUs alone."""
        if operation == "schur":
            return z + jax.lax.stop_gradient(jax.lax.linalg.schur(jax.numpy.eye(2))[0].sum())
        with jax.enable_x64(True):
            return (z.astype("float64") * 2.0).astype("float32")

    with pytest.raises((NotImplementedError, AssertionError), match=r"schur|computes in float64"):
        check_that_it_lowers({"activation": "odd"}, "profiles")


def test_float64_is_refused_on_a_tpu_and_nowhere_else() -> None:
    with pytest.raises(vg.InputError, match=r"^dtype: a TPU does not compute in float64; choose float32, or"):
        check_dtype("float64", "tpu")
    for dtype in ("float32", "bfloat16", "float16"):
        check_dtype(dtype, "tpu")
    for platform in ("cpu", "gpu"):
        check_dtype("float64", platform)


def test_float64_is_refused_before_a_worker_starts_for_a_tpu(tmp_path: Path) -> None:
    with pytest.raises(vg.InputError, match="a TPU does not compute in float64"):
        vg.run("quickstart", tmp_path / "out", settings={"dtype": ["float64"]}, device="tpu:0")
    assert not (tmp_path / "out").exists()


def test_float64_is_refused_where_the_device_turns_out_to_be_a_tpu(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimpleNamespace(platform="tpu")
    monkeypatch.setattr(worker, "find_device", lambda _: device)
    with pytest.raises(vg.InputError, match="a TPU does not compute in float64"):
        worker.prepare(None, pickle.dumps([vg.Case(dtype="float64")]))
    monkeypatch.setattr(jax.numpy, "zeros", lambda _: SimpleNamespace(devices=lambda: [device]))
    with pytest.raises(vg.InputError, match="a TPU does not compute in float64"):
        vg.measure_gradients(vg.Case(dtype="float64"))
