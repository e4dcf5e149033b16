"""The plain step as an executable: what it gives back to the device, and what eight devices change."""

import os
import subprocess
import sys
from typing import Any

import jax
import pytest

from vgbench.measure.executable import Executable
from vgbench.spec.case import Case

FIELDS: dict[str, Any] = {
    "depth": 3,
    "width": 16,
    "activation": "tanh",
    "data": {"name": "gaussian", "features": 4, "examples": 512},
    "batch_size": 256,
    "steps": 0,
    "optimizer": "adam",
    "seeds": (0,),
}
ON_EIGHT = f"""
import jax, numpy as np
from vgbench.measure.executable import Executable
from vgbench.spec.case import Case

assert jax.device_count() == 8
one, eight = (Executable(Case(**{FIELDS!r}, devices=devices)) for devices in (1, 8))
for each in (one, eight):
    each.step()
for alone, shared in zip(jax.tree.leaves(one.state), jax.tree.leaves(eight.state), strict=True):
    assert len(shared.sharding.device_set) == 8 and shared.is_fully_replicated
    np.testing.assert_allclose(shared, alone, rtol=2e-4, atol=2e-6)
assert eight.memory.parameters == one.memory.parameters
assert eight.memory.temporary < one.memory.temporary / 2, (eight.memory, one.memory)
assert eight.memory.peak < one.memory.peak
"""


@pytest.fixture(scope="module")
def made() -> Executable:
    return Executable(Case(**FIELDS))


def test_a_step_gives_the_memory_of_the_state_before_it_back(made: Executable) -> None:
    before, inputs = made._leaves, made._inputs
    made.step()
    assert [leaf.is_deleted() for leaf in before] == [True] * len(before)
    assert not any(leaf.is_deleted() for leaf in made._leaves)
    assert not any(leaf.is_deleted() for leaf in (*inputs[0], inputs[1]))  # which the next step reads again
    assert len(made._leaves) == len(before)


def test_memory_at_its_peak_is_what_comes_in_what_goes_out_beside_it_and_scratch_memory(made: Executable) -> None:
    inputs = jax.tree.leaves((made._leaves, made._inputs))
    held, memory = sum(leaf.nbytes for leaf in inputs), made.memory
    # The batch's activations of all layers are scratch memory; the new state takes the place of the old one.
    assert memory.temporary > FIELDS["batch_size"] * FIELDS["width"] * FIELDS["depth"] * 4
    assert held + memory.temporary <= memory.peak < 1.01 * (held + memory.temporary) + 1000
    assert memory.peak > memory.parameters + memory.optimizer + memory.temporary


def test_eight_devices_take_the_step_of_one_and_hold_less_each() -> None:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    # Sums over devices wait for each other in a thread each; with a thread a core, some may wait for good.
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PJRT_NPROC": "64"}
    done = subprocess.run(
        [sys.executable, "-c", ON_EIGHT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
