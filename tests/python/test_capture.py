"""The text of arguments and results is repr()'s, cut by the published rule, at a cost that the cut bounds."""

import collections
import dataclasses
import enum
import time
import typing

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infinium._core import capture


def cut(text, limit):
    return text if len(text) <= limit else text[: limit - 3] + "..."


atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.text(st.characters(codec=None))
    | st.text(st.sampled_from("ab'\"\\\n\t\r\x00\x7f\x80\xa0\xadé\u200b\ud800\udfff漢😀\U000e0001"))
    | st.binary()
    | st.binary().map(bytearray)
)


def containers(children):
    keys = st.text(max_size=4) | st.integers() | st.tuples(st.integers())
    return (
        st.lists(children)
        | st.tuples(children)
        | st.tuples(children, children)
        | st.dictionaries(keys, children)
        | st.sets(keys)
        | st.frozensets(keys)
        | st.dictionaries(keys, children).map(lambda d: d.keys())
        | st.dictionaries(keys, children).map(lambda d: d.values())
        | st.dictionaries(keys, children).map(lambda d: d.items())
        | st.dictionaries(keys, children).map(collections.OrderedDict)
        | st.lists(children).map(collections.deque)
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(atoms, containers, max_leaves=25), st.integers(3, 300))
def test_is_the_repr_cut(value, limit):
    assert capture(value, limit) == cut(repr(value), limit)


SPECIAL = ["'", '"', "\\", "\n", "\x7f", "\x1f", "é", "漢", "😀"]


@pytest.mark.parametrize("first", SPECIAL)
@pytest.mark.parametrize("second", ["", *SPECIAL])
def test_long_strings_around_every_boundary(first, second):
    """Plain stretches of every length before, between and behind what is escaped; quotes before and behind the cut."""
    for before in range(0, 40):
        text = "x" * before + first + "y" * (40 - before) + second + "z" * before
        values = [text, [text, 1]]
        if text.isascii():
            values += [text.encode(), bytearray(text.encode())]
        for value in values:
            for limit in (3, 16, 20, 33, 45, 300):
                assert capture(value, limit) == cut(repr(value), limit)


class List(list):
    pass


class Loud(list):
    def __repr__(self):
        return "LOUD"


class Text(str):
    pass


class Colour(enum.IntEnum):
    RED = 1


class Set(set):
    pass


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        List([1, List()]), Loud([1]), Text("it's"), Colour.RED, Set({1}), Point(1, "a"), range(3), ..., int, len,
        collections.Counter("aab"), collections.defaultdict(list, a=[1]), 10**30, -(10**18), 2**63, -(2**63), 1e22,
        float("nan"), float("-inf"), -0.0, (), [], {}, set(), frozenset(), b"", bytearray(), memoryview(b"x").tolist(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_other_types(value):
    assert capture([value], 8000) == repr([value])


def test_cycles():
    items = [1]
    items.append(items)
    mapping = {"self": items}
    mapping["again"] = mapping
    items.append((mapping,))
    for value in (items, mapping, [items, items]):
        assert capture(value, 8000) == repr(value)


def test_a_cycle_through_an_object():
    class Node:
        def __init__(self):
            self.children = []

        def __repr__(self):
            return f"Node({self.children!r})"

    node = Node()
    node.children.append(node)
    node.children.append([node.children])
    assert capture(node.children, 8000) == repr(node.children)
    assert capture([node.children], 8000) == repr([node.children])


def test_a_repr_that_raises():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert capture([1, Broken(), 2], 100) == "[1, <repr failed: RuntimeError>, 2]"


def test_a_repr_that_is_no_text():
    class Odd:
        def __repr__(self):
            return 5

    assert capture(Odd(), 100) == "<repr failed: TypeError>"


def test_a_repr_with_lone_surrogates():
    class Odd:
        def __repr__(self):
            return "a\ud800b"

    assert capture(Odd(), 100) == "a\ufffdb"


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, MemoryError, RecursionError])
def test_a_repr_that_wants_out(error):
    class Broken:
        def __repr__(self):
            raise error

    assert capture(Broken(), 100) == f"<repr failed: {error.__name__}>"


def test_control_c_inside_a_repr_is_not_lost():
    class Interrupted:
        def __repr__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(Interrupted(), 100)
        for _ in range(1000):
            pass


def test_a_repr_that_changes_its_container():
    class Vandal:
        def __init__(self, container):
            self.container = container

        def __repr__(self):
            self.container.clear()
            return "vandal"

    items = []
    items.extend([Vandal(items), 1, 2])
    assert capture(items, 100) == "[vandal]"
    mapping = {}
    mapping.update(a=Vandal(mapping), b=1)
    assert capture(mapping, 100).startswith("{'a': vandal")


def test_deep_nesting():
    value = []
    for _ in range(100_000):
        value = [value]
    assert capture(value, 8000).startswith("[[[[")
    shallow = []
    for _ in range(150):
        shallow = (shallow,)
    assert capture(shallow, 8000) == repr(shallow)


def test_huge_integers():
    assert capture(1 << 100_000, 100) == "<int of 100001 bits>"


@pytest.mark.parametrize(
    "value",
    [
        list(range(500_000)), dict.fromkeys(range(200_000)), set(range(200_000)), "x" * 5_000_000,
        b"x" * 5_000_000, ("é" * 2_000_000,), dict.fromkeys(range(200_000)).values(), "'" * 5_000_000,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_cost_is_bounded(value):
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        capture(value, 8000)
        best = min(best, time.perf_counter() - start)
    assert best < 0.001


@dataclasses.dataclass
class Part:
    name: str
    items: list = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=0, repr=False)
    kind: typing.ClassVar[int] = 3


@dataclasses.dataclass
class Whole(Part):
    parts: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(repr=False)
class Quiet(Part):
    more: int = 1


@dataclasses.dataclass
class Own:
    name: str

    def __repr__(self):
        return "mine"


def test_dataclasses():
    whole = Whole("w", [1], parts=[Part("a\n"), Quiet("q"), Own("x")])
    whole.parts.append(whole)
    assert capture(whole, 8000) == repr(whole) and capture([whole], 50) == cut(repr([whole]), 50)


def test_cost_of_a_dataclass_is_bounded():
    large = Whole("w", list(range(1_000_000)))
    start = time.perf_counter()
    text = capture(large, 3000)
    assert time.perf_counter() - start < 0.02 and len(text) == 3000


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    items: list
    hidden: str = pydantic.Field("h", repr=False)

    @pydantic.computed_field
    @property
    def size(self) -> int:
        return len(self.items)


class OwnText(pydantic.BaseModel):
    name: str

    def __repr__(self):
        return "mine"


class Broken(pydantic.BaseModel):
    name: str

    def __repr_args__(self):
        yield "name", self.name
        raise RuntimeError("no")


def test_pydantic_models():
    model = Model(name="m\n", items=[1, OwnText(name="x")], more={"a": 1})
    assert capture(model, 8000) == repr(model) and capture([model], 40) == cut(repr([model]), 40)
    numbers = pydantic.RootModel[list[int]]([1, 2])
    assert capture(numbers, 8000) == repr(numbers)
    assert capture(Broken(name="x"), 100) == "Broken(name='x'<repr failed: RuntimeError>)"
    model.items.append(model)
    assert capture(model, 8000).startswith("Model(name='m\\n', items=[1, mine, ...]")


def test_cost_of_a_pydantic_model_is_bounded():
    large = Model(name="m", items=list(range(1_000_000)), more="x" * 10_000_000)
    start = time.perf_counter()
    text = capture(large, 3000)
    assert time.perf_counter() - start < 0.02 and len(text) == 3000


def test_numpy():
    numpy = pytest.importorskip("numpy")
    for value in (numpy.arange(10), numpy.zeros((3000, 3000)), numpy.float64(0.5), numpy.array([b"x", b"y"])):
        assert capture([value], 8000) == repr([value])
    with numpy.printoptions(threshold=10**9):
        start = time.perf_counter()
        text = capture(numpy.zeros((3000, 3000)), 8000)
        assert time.perf_counter() - start < 0.1
    assert text == "<ndarray of shape (3000, 3000), float64>"


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"number": range(50_000), "text": ["x" * 1000] * 50_000})
    for value in (frame, frame["text"], frame.index, pandas.Timestamp("2026-01-01"), frame.head(3)):
        assert capture(value, 8000) == cut(repr(value), 8000)
    with pandas.option_context("display.max_rows", None):
        start = time.perf_counter()
        texts = [capture(value, 8000) for value in (frame, frame["text"])]
        assert time.perf_counter() - start < 0.1
    assert texts == ["<DataFrame of shape (50000, 2)>", "<Series of shape (50000,)>"]
