"""Training batches: one block of each dialogue, laid out in several masked copies."""
import math
import random

import torch

import tasks
from config import BLOCK, EOS, MASK

COPIES = 4  # masked versions of the chosen block


def batches(tok, seed, size):
    """Yields (noisy ids, clean ids, positions that count for the loss), all [at most size, T]."""
    r = random.Random(seed)
    while True:
        pool = [chosen_block(tok, r) for _ in range(size * 8)]
        groups = []  # rows of one batch have one length
        for n in sorted({len(ids) for ids, _ in pool}):
            same = [row for row in pool if len(row[0]) == n]
            groups += [same[k:k + size] for k in range(0, len(same), size)]
        groups = [g for g in groups if len(g) > size // 2]
        r.shuffle(groups)
        yield from (mask_rows(g, r) for g in groups)


def chosen_block(tok, r):
    """-> (ids up to the end of a block that holds answer, where its answer begins)"""
    prompt, answer = (tok.encode(s) for s in tasks.sample(r))
    p, n = len(prompt), len(prompt) + len(answer)
    end = -(-(n + 1) // BLOCK) * BLOCK
    ids = prompt + answer + [EOS] * (end - n)
    b = r.randrange(p // BLOCK, end // BLOCK)
    return ids[:(b + 1) * BLOCK], max(p, b * BLOCK)


def mask_rows(rows, r):
    """Repeats the last block of each row COPIES times and masks a growing random share of each."""
    rows = [(ids[:-BLOCK] + ids[-BLOCK:] * COPIES, lo) for ids, lo in rows]
    t = len(rows[0][0])
    clean = torch.tensor([ids for ids, _ in rows])
    noisy, at = clean.clone(), torch.zeros(len(rows), t, dtype=torch.bool)
    for i, (_, lo) in enumerate(rows):
        n = t - (COPIES - 1) * BLOCK - lo
        for k in range(COPIES):
            share = (k + r.random()) / COPIES
            hide = torch.randperm(n)[:max(1, math.ceil(n * share))] + lo + k * BLOCK
            noisy[i, hide] = MASK
            at[i, hide] = True
    return noisy, clean, at
