"""Accuracy of the model in training, by text comparison; expected.py judges the finished one."""
import torch

import tasks
from config import BLOCK, EOS, GEN_LENGTH, GENERATION, MASK


@torch.no_grad()
def generate(model, tok, prompt):
    """Greedy threshold decoding, the whole window recomputed. -> (text, forwards)"""
    x = tok.encode(prompt)
    p, forwards = len(x), 0
    while len(x) < p + GEN_LENGTH:
        lo = len(x) // BLOCK * BLOCK
        x = x + [MASK] * (lo + BLOCK - len(x))
        while MASK in x[lo:]:
            ids = torch.tensor([x])
            at = torch.zeros_like(ids, dtype=torch.bool)
            at[0, lo:] = True
            prob, t = torch.softmax(model(ids, at)[0], -1).max(-1)
            forwards += 1
            conf = [prob[j].item() if x[lo + j] == MASK else -1 for j in range(BLOCK)]
            take = ([j for j in range(BLOCK) if conf[j] > GENERATION["threshold"]]
                    or [max(range(BLOCK), key=conf.__getitem__)])
            for j in take:
                x[lo + j] = t[j].item()
        if EOS in x[p:]:
            break
    out = x[p:]
    return tok.decode(out[:out.index(EOS)] if EOS in out else out), forwards


def evaluate(model, tok, gsm, code, n):
    """The first n of each set. -> (share of gsm right, share of code right, tokens per forward)"""
    good, forwards, tokens = [0, 0], 0, 0
    for kind, records in enumerate((gsm[:n], code[:n])):
        for record in records:
            text, f = generate(model, tok, tasks.dialogue(tasks.user_text(record)))
            good[kind] += goal(record) in text
            forwards, tokens = forwards + f, tokens + len(tok.encode(text))
    return good[0] / min(n, len(gsm)), good[1] / min(n, len(code)), tokens / forwards


def goal(record):
    """The text that a right answer contains."""
    if "question" in record:
        return f"\\boxed{{{record['answer'].split('#### ')[1]}}}"
    return record["canonical_solution"].strip()
