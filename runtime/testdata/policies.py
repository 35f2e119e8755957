#!/usr/bin/env python3
"""Decodes blocks of given logits by the acceptance policies, to check the Go code by.

Reads a list of cases from standard input and writes a list of runs, one per case, as JSON.

A case has: policy; options (every parameter with its value, none left out); threshold; quota (tokens
to write at least, per denoising step; 1 beyond its end); mask (the mask token's id, never predicted); block (the
tokens, masks where there is nothing yet; all others are the prompt's); logits [pass][position][token].

A run is the list of passes: [kind, [[position, token], ...]] with kind denoise, edit or commit.

Written from the papers' formulas, in float64 and with everything dense: the credits of all tokens are
a matrix, their fusion a softmax. Where statistics are compared with each other or with a threshold
they are rounded to float32 first, for the runtime has them in float32.

Needs python3 and numpy.
"""
import json
import sys

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def f32(x):
    return np.asarray(x, np.float32).astype(np.float64)


def ranked(positions, key):
    """The positions by falling key, the lower one first among equals."""
    return sorted(positions, key=lambda i: (-key[i], i))


def open_positions(masks, block, sub, quota):
    if sub == 0:
        return list(masks)
    parts = [[i for i in masks if lo <= i < lo + sub] for lo in range(0, block, sub)]
    out = []
    for part in parts:
        if len(out) >= quota:
            break
        out += part
    return out


class Memory:
    def __init__(self, block, vocab):
        self.previous = None
        self.divergences = [[] for _ in range(block)]
        self.credit = np.zeros((block, vocab))


def predictions(z, mask):
    """The most probable token per position but the mask, and its probability, the mask counted."""
    p = softmax(z)
    q = p.copy()
    q[:, mask] = -1
    tok = q.argmax(-1)
    return tok, f32(np.take_along_axis(p, tok[:, None], 1)[:, 0]), p


def choose(case, memory, x, z, quota):
    """The positions that a denoising step writes, without corrections; and the predictions."""
    policy, o = case["policy"], case["options"]
    mask, tau = case["mask"], float(np.float32(case["threshold"]))
    masks = [i for i, t in enumerate(x) if t == mask]
    tok, conf, p = predictions(z, mask)

    if policy == "credit":
        memory.credit *= o["credit_decay"]
        for i in masks:
            memory.credit[i, tok[i]] += conf[i] ** o["credit_gamma"]
        tok, conf, _ = predictions(z + o["credit_alpha"] * np.log1p(memory.credit), mask)
    if policy == "klass":
        if memory.previous is not None:
            q = memory.previous
            for i, d in enumerate((p * (np.log(p) - np.log(q))).sum(-1)):
                memory.divergences[i].append(d)
        memory.previous = p

    M = open_positions(masks, len(x), o["sub_block"], quota)
    best = ranked(M, conf)

    def or_top(chosen):
        """Chosen, topped up to the quota by probability."""
        rest = [i for i in best if i not in chosen]
        return list(chosen) + rest[:max(0, quota - len(chosen))]

    if policy in ("threshold", "credit", "joint"):
        high = [i for i in M if conf[i] > tau]
        T = high if len(high) >= quota else best[:quota]
    elif policy == "factor":
        n = max([n for n in range(1, len(best) + 1) if (n + 1) * (1 - conf[best[n - 1]]) < o["factor"]], default=0)
        T = best[:max(n, quota)]
    elif policy == "entropy-bound":
        H = f32(-(p * np.log(p)).sum(-1))
        order = sorted(M, key=lambda i: (H[i], i))
        before = np.cumsum([0] + [H[i] for i in order])[:len(order)]
        n = int((before <= o["entropy_bound"]).sum())
        T = order[:max(n, quota)]
    elif policy == "klass":
        n = o["kl_history"]
        stable = [i for i in M if len(memory.divergences[i]) >= n
                  and all(d < o["kl_threshold"] for d in memory.divergences[i][-n:])]
        T = or_top([i for i in stable if conf[i] > tau])
    elif policy == "hierarchical":
        runs = []
        for i in M:
            if runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            else:
                runs.append([i])
        tops = [ranked(run, conf)[0] for run in runs]
        low = float(np.float32(o["low_threshold"]))
        T = {i for i in tops if conf[i] > low} | {i for i in M if conf[i] > tau} | {best[0]}
        T = or_top(T)
    else:
        raise ValueError(policy)
    return sorted(T), tok


def run(case):
    o, mask = case["options"], case["mask"]
    x = list(case["block"])
    prompt = {i for i, t in enumerate(x) if t != mask}
    logits = np.array(case["logits"], np.float64)
    memory = Memory(len(x), logits.shape[-1])
    passes, post, step = [], 0, 0
    for z in logits:
        old = list(x)
        masked = mask in old
        if not masked:
            post += 1
            if case["policy"] != "joint" or post > o["post_steps"]:
                passes.append(["commit", []])
                return passes
        quota = case["quota"][step] if step < len(case["quota"]) else 1
        step += 1
        T, tok = choose(case, memory, x, z, max(quota, 1)) if masked else ([], None)
        if case["policy"] == "joint":
            tok, conf, _ = predictions(z, mask)
            edit = float(np.float32(o["edit_threshold"]))
            T = T + [i for i, t in enumerate(old)
                     if t != mask and i not in prompt and tok[i] != t and conf[i] > edit]
        for i in T:
            x[i] = int(tok[i])
        passes.append(["denoise" if masked else "edit", [[i, x[i]] for i in sorted(T)]])
        if not masked and not T:
            return passes
    raise ValueError("the logits ended before the block")


json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
