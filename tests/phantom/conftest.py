"""Images that several tests look at."""

import pytest

from paraspine import phantom


@pytest.fixture(scope="session")
def cases():
    """Five subjects at three levels, all muscles there."""
    return {
        (subject, level): phantom.simulate(
            subject, level, missing_muscle=0, size=(128, 140), spacing=(1.2, 1.2)
        )
        for subject in range(1, 6)
        for level in ("L3-L4", "L4-L5", "S1")
    }
