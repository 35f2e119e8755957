#!/usr/bin/env python3
"""Writes the golden folders: random checkpoints and, in expected.json, what the oracle says of them.

  make_golden.py [DIR]     DIR is golden/ beside this file unless given
"""
import json
import os
import sys

import numpy as np

import llada2_ref as ref

# name: (arguments of make, [(prompt length, gen, block, steps, threshold), ...])
CHECKPOINTS = {
    # Many narrow experts in many groups; rows of 32 to 96, too short for K-quants.
    "narrow": (dict(ref.SHAPE, scale=ref.SCALE),
               [(45, 40, 32, 32, 0.95), (45, 40, 32, 5, 0.5), (32, 64, 32, 32, 0.6),
                (3, 20, 4, 4, 0.3), (1, 33, 32, 32, 0.2), (63, 30, 16, 16, 0.9)]),
    # Few wide experts; rows of 256 and 512, so that K-quants apply.
    "wide": (dict(seed=2, layers=2, hidden=256, ffn=512, moe_ffn=256, experts=8, groups=4,
                  top_groups=2, top_k=2, heads=4, kv_heads=1, head_dim=64, vocab=288, scale=0.05),
             [(33, 64, 32, 32, 0.95), (20, 50, 32, 8, 0.4)]),
}
BLOCK = 32
ROWS = [0, 31, 32, 59, 60, 63]  # both sides of a block's edge and of the first mask


def expected(model, ids, runs):
    """What expected.json holds: logits of 60 ids and 4 masks, and an answer for each of runs."""
    window = ids[:60] + [model.cfg["mask_token_id"]] * 4
    z = model.forward(window, BLOCK)
    out = {"logits": {"ids": window, "block_length": BLOCK, "rows": ROWS,
                      "values": np.round(z[ROWS], 6).tolist(), "argmax": z.argmax(-1).tolist()},
           "generate": []}
    for length, gen, block, steps, threshold in runs:
        tokens, forwards, margin = model.generate(ids[:length], gen=gen, block=block, steps=steps,
                                                  threshold=threshold)
        out["generate"].append({"prompt": ids[:length], "gen_length": gen, "block_length": block,
                                "steps": steps, "threshold": threshold, "tokens": tokens,
                                "forwards": forwards, "smallest_margin": margin})
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "golden")
    for name, (shape, runs) in CHECKPOINTS.items():
        folder = os.path.join(root, name)
        ref.make(folder, **shape)
        ids = np.random.default_rng(99).integers(0, shape["vocab"] - 30, 80).tolist()
        with open(os.path.join(folder, "expected.json"), "w") as f:
            json.dump(expected(ref.Model(folder), ids, runs), f)
        print(folder)


if __name__ == "__main__":
    main()
