#!/usr/bin/env python3
"""Writes what the oracle makes of an exported checkpoint: one line for each held-out problem.

  expected.py MODEL_DIR OUT.jsonl [WORKERS]

A line holds the task, the prompt ids, the answer ids, the denoising forwards, the smallest decision
margin, the text and the verdict. Settings: no system message, temperature 0, block 32, steps 32,
threshold 0.95, gen_length 96. Prints the accuracy. Needs python3-numpy and python3-regex (Debian).
"""
import json
import multiprocessing
import os
import re
import subprocess
import sys

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy is loaded
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "oracle"))

import numpy as np

import bpe
import corpus
import tasks
from config import BLOCK, GEN_LENGTH, GENERATION
from llada2_ref import Model


class Solver:
    """A tokenizer and the oracle's model of one folder; each worker process has its own."""

    def __init__(self, folder):
        self.tok, self.model = bpe.read(folder), Model(folder, np.float32)

    def solve(self, task, record):
        prompt = self.tok.encode(tasks.dialogue(tasks.user_text(record)))
        ids, forwards, margin = self.model.generate(
            prompt, gen=GEN_LENGTH, block=BLOCK, steps=GENERATION["steps"],
            threshold=GENERATION["threshold"])
        text = self.tok.decode(ids)
        judge = reaches if "question" in record else passes
        return dict(task=task, prompt=prompt, tokens=ids, forwards=forwards, smallest_margin=margin,
                    text=text, correct=judge(record, text))


def reaches(record, text):
    """Whether the last boxed result is the record's."""
    boxes = re.findall(r"\\boxed\{([^}]*)\}", text)
    return bool(boxes) and boxes[-1] == record["answer"].split("#### ")[1]


def passes(record, text):
    """Whether the function that the text defines passes the record's checks."""
    fenced = re.search(r"```(?:python)?\n(.*?)```", text + "```", re.S)
    program = (f"{record['prompt']}    pass\n{fenced.group(1) if fenced else text}\n"
               f"{record['test']}\ncheck({record['entry_point']})\n")
    try:
        return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True,
                              timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def start(folder):
    global solver
    solver = Solver(folder)


def solve(job):
    return solver.solve(*job)


def main():
    folder, out = sys.argv[1:3]
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    jobs = [(name, record) for name in corpus.SETS for record in corpus.read(folder, name)]
    with multiprocessing.Pool(workers, start, (folder,)) as pool:
        rows = pool.map(solve, jobs, chunksize=4)
    with open(out, "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)
    for name in corpus.SETS:
        mine = [row for row in rows if row["task"] == name]
        tpf = sum(len(row["tokens"]) for row in mine) / sum(row["forwards"] for row in mine)
        close = sum(row["smallest_margin"] < 1e-3 for row in mine)
        print(f"{name}: {sum(row['correct'] for row in mine)} of {len(mine)} correct, "
              f"{tpf:.2f} tokens per forward, {close} with a margin below 1e-3")


if __name__ == "__main__":
    main()
