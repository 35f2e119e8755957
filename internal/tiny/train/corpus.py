#!/usr/bin/env python3
"""Writes what does not depend on training: the tokenizer and the held-out problems.

  corpus.py DIR

Everything follows from fixed seeds, so every run writes the same bytes.
"""
import json
import os
import random
import sys

import bpe
import tasks
from config import SPECIAL_FROM

SETS = ("tiny-gsm8k", "tiny-humaneval")  # named as their files, without .jsonl


def write(folder):
    """Trains the tokenizer on training problems and writes the four files."""
    os.makedirs(folder, exist_ok=True)
    r = random.Random(11)
    texts = ["".join(tasks.sample(r)) for _ in range(8000)]
    bpe.write(folder, *bpe.train(texts, SPECIAL_FROM), SPECIAL_FROM)
    for name, records in zip(SETS, tasks.held_out_sets()):
        with open(os.path.join(folder, name + ".jsonl"), "w") as f:
            f.writelines(json.dumps(x) + "\n" for x in records)


def read(folder, name):
    """-> the records of one of SETS."""
    with open(os.path.join(folder, name + ".jsonl")) as f:
        return [json.loads(line) for line in f]


if __name__ == "__main__":
    write(sys.argv[1])
