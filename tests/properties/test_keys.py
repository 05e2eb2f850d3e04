"""Keys: the same for what is the same, at whatever time it is asked, and no two alike."""

import json

from hypothesis import given
from hypothesis import strategies as st

from engine.decide.memory import as_key

values = st.lists(
    st.one_of(
        st.booleans(), st.integers(-2, 2), st.text(max_size=3), st.just("x" * 150), st.lists(st.booleans(), max_size=2)
    ),
    min_size=1,
    max_size=3,
)


@given(st.lists(values, max_size=6))
def test_a_key_is_what_its_values_are_as_json(found: list[list[object]]) -> None:
    for each in [*found, *found]:
        written = json.dumps(each, separators=(",", ":"), sort_keys=True)
        assert as_key(*each) == written or (len(written) > 200 and as_key(*each).startswith("sha256:"))
