# How results of HumanEval+ are written down and compared. A result is JSON, in which
# an object is a value that JSON does not have: {"tuple": […]}, {"int": "0x…"}, … A long
# one that must be met exactly is its digest: a few of the canonical solutions return
# hundreds of megabytes.
import array
import copy
import hashlib
import json
import math
import time

LONG = 1000  # items, letters or hexadecimal digits


def floats(value):
    """Whether EvalPlus compares with value approximately."""
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(v, float) for v in value)
    return isinstance(value, float)


def long(value):
    if isinstance(value, int):
        return value.bit_length() > 4 * LONG
    return isinstance(value, (str, list, tuple, dict, set)) and len(value) > LONG


def encode(value):
    kind = type(value)
    if kind is int and value.bit_length() > 64:
        return {"int": hex(value)}  # decimal digits are limited, and slow
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [encode(v) for v in value]
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [encode(v) for v in value]}
    if kind is dict:
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    raise TypeError(f"a result of type {kind.__name__} cannot be written down")


def decode(value):
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    (kind, inner), = value.items()
    if kind == "int":
        return int(inner, 16)
    if kind == "complex":
        return complex(*inner)
    if kind == "dict":
        return {decode(k): decode(v) for k, v in inner}
    return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](decode(v) for v in inner)


def digest(value):
    """The same for values that are equal."""
    h = hashlib.sha256()
    feed(h, value)
    return h.hexdigest()


def feed(h, value):
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        h.update(b"s%d:" % len(data) + data)
    elif isinstance(value, (list, tuple)):
        h.update(b"%c%d:" % (b"l" if isinstance(value, list) else b"t", len(value)))
        if value and set(map(type, value)) <= {int, float, bool} and all(-2**53 < v < 2**53 for v in value):
            h.update(b"d" + array.array("d", [v + 0.0 for v in value]).tobytes())  # + 0.0: of 0.0 and -0.0 one
        else:
            for v in value:
                feed(h, v)
    elif isinstance(value, (set, frozenset)):
        h.update(b"e" + "".join(sorted(map(digest, value))).encode())
    elif isinstance(value, dict):
        h.update(b"m" + "".join(sorted(digest(k) + digest(v) for k, v in value.items())).encode())
    elif isinstance(value, int):
        h.update(b"i%x;" % value)
    elif isinstance(value, float):
        h.update(b"i%x;" % int(value) if value.is_integer() else b"f" + value.hex().encode())
    elif value is None:
        h.update(b"n")
    else:
        raise TypeError(f"a result of type {type(value).__name__}")


def close(value, right, atol):
    """What numpy.allclose says of numbers and lists of them."""
    if isinstance(right, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(right) and all(map(close, value, right, [atol] * len(right)))
    return value == right or abs(value - right) <= atol + 1e-7 * abs(right) < math.inf


def polynomial(coefficients, x):
    return sum(c * math.pow(x, i) for i, c in enumerate(coefficients))
