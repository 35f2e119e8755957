#!/usr/bin/env python3
"""Trains the tiny LLaDA2 checkpoint on generated problems and writes it in Hugging Face form.

  train.py OUT [--minutes 60] [--workers 2] [--seed 1] [--resume STATE.pt]

Block-diffusion objective: one block of a dialogue is laid out in several copies behind its clean
earlier blocks, each copy with its own random share of answer tokens masked; a copy sees the earlier
blocks and itself, and the loss is cross-entropy on the masked positions. Experts are balanced by
their bias, without an auxiliary loss.

The learning rate follows the clock, so another machine gives other weights. One single-threaded
process a core, gradients averaged: twice as fast as one process with two threads.

Needs python3-torch, python3-numpy, python3-regex and libopenblas0-pthread (Debian).
"""
import argparse
import math
import os
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before torch is loaded

import torch
import torch.distributed as dist
import torch.nn.functional as F

import bpe
import corpus
from config import CONFIG
from data import COPIES, batches
from evaluate import evaluate
from export import export
from model import LLaDA2

BALANCE = 0.002       # step of the expert bias
REPORT_STEPS = 50     # between lines of progress
CHECK_SECONDS = 420   # between evaluations on a few held-out problems, each of which saves the state


class Trainer:
    """One of a.workers processes; all hold equal weights after every step."""

    def __init__(self, rank, a):
        self.rank, self.a, self.step, self.seen, self.loss = rank, a, 0, 0, None
        torch.manual_seed(a.seed)
        self.tok = bpe.read(a.out)
        self.sets = [corpus.read(a.out, name) for name in corpus.SETS]
        self.model = LLaDA2(CONFIG)
        if a.resume:
            state = torch.load(a.resume)
            self.model.load_state_dict(state["model"])
            self.model.bias = state["bias"]
        self.params = list(self.model.p.values())
        self.opt = torch.optim.AdamW(
            [{"params": [v for v in self.params if v.dim() > 1], "weight_decay": 0.05},
             {"params": [v for v in self.params if v.dim() == 1], "weight_decay": 0.0}],
            lr=a.lr, betas=(0.9, 0.97))

    def run(self):
        start = checked = time.time()
        torch.manual_seed(self.a.seed + self.rank)
        for batch in batches(self.tok, self.a.seed * 1000 + self.rank, self.a.batch):
            done = self.share_done(start)
            if done >= 1:
                break
            self.train(batch, done)
            if self.rank > 0:
                continue
            if self.step % REPORT_STEPS == 0:
                self.report(time.time() - start)
            if time.time() - checked > CHECK_SECONDS:
                checked = time.time()
                self.check("   held out", 20)
                self.save()

    def share_done(self, start):
        """The share of the time that has passed, by the clock of worker 0."""
        clock = torch.tensor([(time.time() - start) / (self.a.minutes * 60)])
        dist.broadcast(clock, 0)
        return clock.item()

    def train(self, batch, done):
        a, (noisy, clean, at) = self.a, batch
        warm = min(1, (self.step + 1) / a.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * done)) * 0.98 + 0.02
        for g in self.opt.param_groups:
            g["lr"] = a.lr * warm * cosine
        logits, loads = self.model(noisy, at, COPIES)
        loss = F.cross_entropy(logits, clean[at])
        self.opt.zero_grad()
        loss.backward()
        average([v.grad for v in self.params] + list(loads.values()), a.workers)
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        self.opt.step()
        for i, n in loads.items():
            self.model.bias[i] += BALANCE * (1 - done) * torch.sign(n.mean() - n)
        self.step, self.seen = self.step + 1, self.seen + noisy.numel() * a.workers
        self.loss = loss.item() if self.loss is None else 0.98 * self.loss + 0.02 * loss.item()

    def report(self, seconds):
        print(f"{self.step} loss {self.loss:.4f} lr {self.opt.param_groups[0]['lr']:.5f} "
              f"tokens {self.seen / 1e6:.2f}M {self.seen / seconds:.0f}/s", flush=True)

    def check(self, title, n):
        gsm, code, tpf = evaluate(self.model, self.tok, *self.sets, n)
        print(f"{title}: gsm {gsm:.3f} code {code:.3f} tokens per forward {tpf:.2f}", flush=True)

    def save(self):
        torch.save({"model": self.model.state_dict(), "bias": self.model.bias},
                   os.path.join(self.a.out, "state.pt"))


def average(tensors, workers):
    """Replaces each tensor by its mean over all workers."""
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= workers
    for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        t.copy_(part.view_as(t))


def worker(rank, a):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{a.port}", rank=rank,
                            world_size=a.workers)
    trainer = Trainer(rank, a)
    trainer.run()
    if rank == 0:
        trainer.save()
        export(trainer.model, a.out)
        trainer.check("final held out", 200)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("out")
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--workers", type=int, default=2)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--batch", type=int, default=16, help="dialogues per worker and step")
    ap.add_argument("--lr", type=float, default=2.5e-3)
    ap.add_argument("--warmup", type=int, default=150, help="steps")
    ap.add_argument("--resume", metavar="STATE", help="continue from a state.pt")
    ap.add_argument("--port", type=int, default=29871, help="by which the workers meet")
    a = ap.parse_args()
    corpus.write(a.out)
    torch.multiprocessing.spawn(worker, (a,), a.workers)


if __name__ == "__main__":
    main()
