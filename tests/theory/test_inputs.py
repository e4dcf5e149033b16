"""How large the inputs are, and what the loss makes of it."""

import numpy as np
import pytest

import vgbench as vg
from vgbench.theory import predict
from vgbench.theory.inputs import last_gradient


def test_the_gradient_of_the_loss_doubles_from_equal_logits_to_a_sure_answer() -> None:
    nothing, small, sure = last_gradient(np.asarray([0.0, 1e-4, 1e8]))
    assert nothing == pytest.approx(1 - 1 / 10)
    assert sure == pytest.approx(2 * (1 - 1 / 10), rel=3e-3)
    # To first order in the variance v of the logits E sum p^2 = (1 + v (1 - 1/10)) / 10.
    assert small - nothing == pytest.approx(1e-4 * 0.9 / 10, rel=0.05)


@pytest.mark.slow
def test_large_inputs_weigh_more_where_the_signal_grows_with_their_size() -> None:
    asked = vg.Case(
        depth=20,
        width=512,
        activation="silu",
        init={"name": "lecun_normal", "gain": "auto"},
        steps=0,
        learning_rates=(),
        tuning_seeds=(),
    )
    found = predict(asked)
    assert found
    # With equal gradients of all examples in the last layer the prediction was 0.0487.
    assert vg.measure_gradients(asked).decay.value == pytest.approx(found.decay, abs=0.005)
