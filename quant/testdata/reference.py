#!/usr/bin/env python3
"""Writes the reference vectors of the block formats: random blocks and what they mean.

  reference.py [DIR]     DIR is the folder of this program unless given

DIR/q4_0.bin and so on each hold a few blocks and, after them, their weights as little-endian
float32. Every weight is computed by itself, from the byte layout and the formula of its format as
the table below states them, in the precision stated there. Written from the description of the
formats, not from the Go code.

Notation: h[o] is the half float at byte o of a block, u8[o] the byte, i8[o] the signed byte.
nib(byte, k) is its low (k=0) or high (k=1) nibble. All arithmetic is in float32, one rounding for
each operation; products of a half float and a small integer are exact in it.

Needs python3 and numpy.
"""
import os
import sys

import numpy as np

F = np.float32
IQ4_NL = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def half(b, o):
    return F(np.frombuffer(bytes(b[o:o + 2]), "<f2")[0])


def signed(byte):
    return int(byte) - 256 if byte > 127 else int(byte)


def nib(byte, k):
    return int(byte) >> 4 * k & 15


def nibble32(b, o, i):
    """Code i of 32 in 16 bytes at o: the first 16 are the low nibbles."""
    return nib(b[o + i % 16], i // 16)


def bit(b, o, i):
    """Bit i of the little-endian number at o."""
    return int(b[o + i // 8]) >> i % 8 & 1


# ------------------------------------------------- 32 weights; weight i of block b

def q4_0(b, i):
    return half(b, 0) * F(nibble32(b, 2, i) - 8)


def q4_1(b, i):
    return half(b, 0) * F(nibble32(b, 4, i)) + half(b, 2)


def q5_0(b, i):
    return half(b, 0) * F((nibble32(b, 6, i) | bit(b, 2, i) << 4) - 16)


def q5_1(b, i):
    return half(b, 0) * F(nibble32(b, 8, i) | bit(b, 4, i) << 4) + half(b, 2)


def q8_0(b, i):
    return half(b, 0) * F(signed(b[2 + i]))


def iq4_nl(b, i):
    return half(b, 0) * F(IQ4_NL[nibble32(b, 2, i)])


def mxfp4(b, i):
    """An E2M1 number times the E8M0 scale 2^(e-127). Both zeros are +0: the sign is of a whole number."""
    q = nibble32(b, 1, i)
    value = E2M1[q & 7] * 2.0 ** (int(b[0]) - 127)  # exact in float64
    with np.errstate(over="ignore"):
        return F(-value if q & 8 and value else value)


# ------------------------------------------------ 256 weights; weight i of block b

def two_bits(b, o, i):
    """Code i of 256 in 64 bytes at o: 32 bytes hold 4 times 32 codes, lowest bits first."""
    return int(b[o + 32 * (i // 128) + i % 32]) >> 2 * (i % 128 // 32) & 3


def scale_min(b, o, j):
    """The 6-bit scale and min of sub-block j of 8, in 12 bytes at o."""
    s = [int(v) for v in b[o:o + 12]]
    if j < 4:
        return s[j] & 63, s[j + 4] & 63
    return s[j + 4] & 15 | s[j - 4] >> 6 << 4, s[j + 4] >> 4 | s[j] >> 6 << 4


def q2_k(b, i):
    s = b[i // 16]
    return half(b, 80) * F(nib(s, 0)) * F(two_bits(b, 16, i)) - half(b, 82) * F(nib(s, 1))


def q3_k(b, i):
    j = i // 16
    low, high = nib(b[96 + j % 8], j // 8), int(b[104 + j % 4]) >> 2 * (j // 4) & 3
    scale = (low | high << 4) - 32
    has4 = int(b[i % 32]) >> i // 32 & 1
    return half(b, 108) * F(scale) * F(two_bits(b, 32, i) - (0 if has4 else 4))


def q4_k(b, i):
    sc, m = scale_min(b, 4, i // 32)
    q = nib(b[16 + 32 * (i // 64) + i % 32], i // 32 % 2)
    return half(b, 0) * F(sc) * F(q) - half(b, 2) * F(m)


def q5_k(b, i):
    sc, m = scale_min(b, 4, i // 32)
    q = nib(b[48 + 32 * (i // 64) + i % 32], i // 32 % 2) | (int(b[16 + i % 32]) >> i // 32 & 1) << 4
    return half(b, 0) * F(sc) * F(q) - half(b, 2) * F(m)


def q6_k(b, i):
    h, l, g = i // 128, i % 32, i % 128 // 32
    low = nib(b[64 * h + l + 32 * (g & 1)], g >> 1)
    high = int(b[128 + 32 * h + l]) >> 2 * g & 3
    return half(b, 208) * F(signed(b[192 + i // 16])) * F((low | high << 4) - 32)


# format: (weight, weights in a block, bytes, offsets of half floats)
FORMATS = {
    "q4_0": (q4_0, 32, 18, [0]), "q4_1": (q4_1, 32, 20, [0, 2]), "q5_0": (q5_0, 32, 22, [0]),
    "q5_1": (q5_1, 32, 24, [0, 2]), "q8_0": (q8_0, 32, 34, [0]), "iq4_nl": (iq4_nl, 32, 18, [0]),
    "mxfp4": (mxfp4, 32, 17, []),
    "q2_k": (q2_k, 256, 84, [80, 82]), "q3_k": (q3_k, 256, 110, [108]),
    "q4_k": (q4_k, 256, 144, [0, 2]), "q5_k": (q5_k, 256, 176, [0, 2]), "q6_k": (q6_k, 256, 210, [208]),
}

# Bits of half floats that the first blocks have for each of theirs: 1, the smallest subnormal, the
# greatest, -0. The other blocks' are random, but finite.
HALFS = [0x3C00, 0x0001, 0x7BFF, 0x8000]
EXPONENTS = [127, 0, 1, 2, 252, 255]  # of the first MXFP4 blocks: subnormal, infinite


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    random = np.random.default_rng(20)
    for name, (weight, n, size, halfs) in FORMATS.items():
        count = 10 if n == 32 else 5
        blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
        for k, b in enumerate(blocks):
            for o in halfs:
                bits = HALFS[k] if k < len(HALFS) else int(random.integers(0, 0x7C00)) | int(random.integers(0, 2)) << 15
                b[o], b[o + 1] = bits & 255, bits >> 8
            if name == "mxfp4" and k < len(EXPONENTS):
                b[0] = EXPONENTS[k]
        weights = np.array([[weight(b, i) for i in range(n)] for b in blocks])
        assert weights.dtype == np.float32
        with open(os.path.join(folder, name + ".bin"), "wb") as f:
            f.write(blocks.tobytes() + weights.astype("<f4").tobytes())


if __name__ == "__main__":
    main()
