#!/usr/bin/env python3
"""A slow, plain NumPy implementation of LLaDA2 inference: the oracle that the Go runtime is held to.

It reads an ordinary Hugging Face checkpoint folder (config.json and *.safetensors in BF16, F16 or
F32), recomputes the whole window at every step (no cache, no quantization, no batches) and works
in float64 unless told otherwise. It was written from the model's description, not from the Go
code, and checked against the published modelling code on random small checkpoints: logits agree
to 1e-5 and greedy token traces are equal.

  llada2_ref.py make DIR [--seed 1 --layers 3 --hidden 64 ...]
      writes a random checkpoint: config.json, two shards, index
  llada2_ref.py logits DIR --ids 5,9,2 [--block 32]
      prints the logits of every position, one list of vocab_size numbers each
  llada2_ref.py generate DIR --ids 5,9,2 [--gen 64 --block 32 --steps 32 --threshold 0.95
                                          --minimal-topk 1 --early-stop --eos ID --mask ID]
      prints {"ids": answer, "forwards": count, "margin": smallest decision margin}

Needs python3 and numpy.
"""
import argparse
import json
import os
import struct

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "BF16": np.uint16}


# ---------------------------------------------------------------- safetensors

def read_safetensors(path):
    """-> {name: float32 array}. BF16 is widened exactly."""
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(n))
        body = f.read()
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        lo, hi = t["data_offsets"]
        a = np.frombuffer(body[lo:hi], DTYPES[t["dtype"]])
        if t["dtype"] == "BF16":
            a = (a.astype(np.uint32) << 16).view(np.float32)
        out[name] = a.astype(np.float32).reshape(t["shape"])
    return out


def to_bf16(a):
    """float32 -> BF16 bits, rounded to nearest even."""
    u = np.ascontiguousarray(a, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def write_safetensors(path, tensors, f32_names=()):
    """Writes {name: array} as BF16, those in f32_names as F32."""
    header, blobs, at = {}, [], 0
    for name, a in tensors.items():
        f32 = name in f32_names
        b = a.astype(np.float32).tobytes() if f32 else to_bf16(a).tobytes()
        header[name] = {"dtype": "F32" if f32 else "BF16", "shape": list(a.shape),
                        "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    h = json.dumps(header).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h)
        for b in blobs:
            f.write(b)


# ---------------------------------------------------------------- model

class Model:
    """One checkpoint in memory: cfg is config.json, w maps tensor names to arrays of dtype."""

    def __init__(self, folder, dtype=np.float64):
        with open(os.path.join(folder, "config.json")) as f:
            self.cfg = json.load(f)
        self.dtype, self.w = dtype, {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".safetensors"):
                for k, a in read_safetensors(os.path.join(folder, name)).items():
                    self.w[k] = a.astype(dtype)

    def _linear(self, x, name):
        return x @ self.w[name].T

    def _rms(self, x, name):
        y = x / np.sqrt(np.mean(x * x, -1, keepdims=True) + self.cfg["rms_norm_eps"])
        return y * self.w[name]

    def _mlp(self, x, prefix):
        g = self._linear(x, prefix + ".gate_proj.weight")
        u = self._linear(x, prefix + ".up_proj.weight")
        return self._linear(g / (1 + np.exp(-g)) * u, prefix + ".down_proj.weight")

    def _rope(self, x, pos):
        """x [T, heads, hd]. The first R = hd * partial_rotary_factor dims rotate, j with j + R/2."""
        c = self.cfg
        r = int(c["head_dim"] * c["partial_rotary_factor"])
        inv = c["rope_theta"] ** (-np.arange(0, r, 2, dtype=np.float64) / r)
        a = pos[:, None].astype(np.float64) * inv
        cos = np.cos(a)[:, None, :].astype(self.dtype)
        sin = np.sin(a)[:, None, :].astype(self.dtype)
        lo, hi, rest = x[..., :r // 2], x[..., r // 2:r], x[..., r:]
        return np.concatenate([lo * cos - hi * sin, hi * cos + lo * sin, rest], -1)

    def _attention(self, x, layer, pos, block):
        c, p = self.cfg, f"model.layers.{layer}.attention."
        nh, nkv, hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        t = x.shape[0]
        qkv = self._linear(x, p + "query_key_value.weight").reshape(t, nh + 2 * nkv, hd)
        q, k, v = qkv[:, :nh], qkv[:, nh:nh + nkv], qkv[:, nh + nkv:]
        q = self._rope(self._rms(q, p + "query_layernorm.weight"), pos)
        k = self._rope(self._rms(k, p + "key_layernorm.weight"), pos)
        allowed = (pos[None, :] // block) <= (pos[:, None] // block)
        out = np.empty((t, nh, hd), self.dtype)
        for h in range(nh):
            g = h // (nh // nkv)
            s = q[:, h] @ k[:, g].T / np.sqrt(hd)
            s = np.where(allowed, s, -np.inf)
            s = np.exp(s - s.max(-1, keepdims=True))
            out[:, h] = (s / s.sum(-1, keepdims=True)) @ v[:, g]
        return self._linear(out.reshape(t, nh * hd), p + "dense.weight")

    def route(self, x, layer):
        """-> (experts [T, K] in descending biased score, weights [T, K])."""
        c, p = self.cfg, f"model.layers.{layer}.mlp.gate."
        s = 1 / (1 + np.exp(-self._linear(x, p + "weight")))
        b = s + self.w[p + "expert_bias"]
        t, e, ng = x.shape[0], c["num_experts"], c["n_group"]
        grouped = np.sort(b.reshape(t, ng, e // ng), -1)
        group_score = grouped[..., -2:].sum(-1)
        keep = np.argsort(-group_score, -1, kind="stable")[:, :c["topk_group"]]
        mask = np.zeros((t, ng), bool)
        np.put_along_axis(mask, keep, True, 1)
        b = np.where(np.repeat(mask, e // ng, 1), b, -np.inf)
        idx = np.argsort(-b, -1, kind="stable")[:, :c["num_experts_per_tok"]]
        w = np.take_along_axis(s, idx, 1)
        return idx, w / (w.sum(-1, keepdims=True) + 1e-20) * c["routed_scaling_factor"]

    def _moe(self, x, layer):
        p = f"model.layers.{layer}.mlp."
        idx, w = self.route(x, layer)
        y = np.zeros_like(x)
        for e in np.unique(idx):
            rows, slots = np.nonzero(idx == e)
            y[rows] += self._mlp(x[rows], f"{p}experts.{e}") * w[rows, slots][:, None]
        return y + self._mlp(x, p + "shared_experts")

    def forward(self, ids, block):
        """ids [T] -> logits [T, vocab]. Block-causal: blocks are counted from position 0."""
        c = self.cfg
        pos = np.arange(len(ids))
        h = self.w["model.word_embeddings.weight"][np.asarray(ids)]
        for i in range(c["num_hidden_layers"]):
            p = f"model.layers.{i}."
            h = h + self._attention(self._rms(h, p + "input_layernorm.weight"), i, pos, block)
            u = self._rms(h, p + "post_attention_layernorm.weight")
            h = h + (self._mlp(u, p + "mlp") if i < c["first_k_dense_replace"] else self._moe(u, i))
        return self._linear(self._rms(h, "model.norm.weight"), "lm_head.weight")

    def generate(self, prompt, gen=2048, block=32, steps=32, threshold=0.95, minimal_topk=1,
                 eos=None, mask=None, early_stop=False):
        """Greedy block diffusion. -> (answer up to and including eos, forwards, margin).

        The margin is the smallest distance by which any decision was taken: between the two best
        tokens of a written position, between a confidence and the threshold, between the last
        position taken and the first one left. A run in lower precision may only differ where its
        own error exceeds it.

        One deviation from the published code: the mask is never chosen as a token (there it can
        be, which wastes the step).
        """
        eos = self.cfg.get("eos_token_id", 156892) if eos is None else eos
        mask = self.cfg.get("mask_token_id", 156895) if mask is None else mask
        steps = min(steps, gen // minimal_topk)
        quota = [block // steps + (i < block % steps) for i in range(steps)]
        p, forwards, margin = len(prompt), 0, np.inf
        nblocks = -(-(p + gen) // block)
        x = np.full(nblocks * block, mask)
        x[:p] = prompt
        for b in range(p // block, nblocks):
            lo, hi = b * block, (b + 1) * block
            for step in range(steps):
                masked = x[lo:hi] == mask
                if not masked.any():
                    break
                tok, conf, lead = best_tokens(self.forward(x[:hi], block)[lo:], mask)
                forwards += 1
                conf = np.where(masked, conf, -np.inf)
                take, gap = choose(conf, threshold, quota[step])
                margin = min(margin, gap, np.abs(conf[masked] - threshold).min(), lead[take].min())
                x[lo:hi][take] = tok[take]
                if early_stop and (tok[take] == eos).any():
                    at = np.nonzero(x[p:hi] == eos)[0][0]
                    if not (x[p:p + at] == mask).any():
                        return x[p:p + at + 1].tolist(), forwards, float(margin)
            if (x[p:hi] == eos).any():
                break
        y = x[p:p + gen]
        at = np.nonzero(y == eos)[0]
        return (y[:at[0] + 1] if len(at) else y).tolist(), forwards, float(margin)


def best_tokens(logits, mask):
    """logits [T, vocab] -> (token [T], its probability [T], its lead over the second best [T])."""
    z = logits - logits.max(-1, keepdims=True)
    prob = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    prob[:, mask] = 0  # never the mask itself; its share stays in the denominator
    top2 = np.sort(prob, -1)[:, -2:]
    return prob.argmax(-1), prob.max(-1), top2[:, 1] - top2[:, 0]


def choose(conf, threshold, quota):
    """Which positions of a block to write, and how close the ranking among them was.

    conf [block] is -inf where nothing is masked. All positions above the threshold are taken if
    they fill the step's quota, else the quota's number of best ones, ties to the left.
    """
    high = conf > threshold
    if high.sum() >= quota:
        return high, np.inf
    order = np.argsort(-conf, kind="stable")
    masked = int((conf > -np.inf).sum())
    k = min(quota, masked)
    take = np.zeros(len(conf), bool)
    take[order[:k]] = True
    return take, conf[order[k - 1]] - conf[order[k]] if k < masked else np.inf


# ---------------------------------------------------------------- random checkpoints

SHAPE = dict(seed=1, layers=3, hidden=64, ffn=96, moe_ffn=32, experts=32, groups=8, top_groups=4,
             top_k=4, heads=4, kv_heads=2, head_dim=16, vocab=320)
SCALE = 0.08  # standard deviation of the weights


def make(folder, seed, layers, hidden, ffn, moe_ffn, experts, groups, top_groups, top_k, heads,
         kv_heads, head_dim, vocab, scale):
    """Writes a checkpoint of random weights; equal arguments give equal bytes."""
    os.makedirs(folder, exist_ok=True)
    cfg = dict(architectures=["LLaDA2MoeModelLM"], model_type="llada2_moe",
               num_hidden_layers=layers, hidden_size=hidden, intermediate_size=ffn,
               first_k_dense_replace=1, hidden_act="silu", max_position_embeddings=16384,
               moe_intermediate_size=moe_ffn, norm_topk_prob=True, num_experts_per_tok=top_k,
               norm_head=False, num_attention_heads=heads, num_experts=experts,
               num_key_value_heads=kv_heads, rope_theta=600000, rope_scaling=None,
               tie_word_embeddings=False, torch_dtype="bfloat16", use_bias=False,
               use_rmsnorm=True, rms_norm_eps=1e-6, head_dim=head_dim, num_shared_experts=1,
               use_qkv_bias=False, vocab_size=vocab, rotary_dim=head_dim // 2,
               router_dtype="fp32", moe_router_enable_expert_bias=True,
               routed_scaling_factor=2.5, n_group=groups, topk_group=top_groups,
               score_function="sigmoid", pad_token_id=vocab - 20, eos_token_id=vocab - 20,
               mask_token_id=vocab - 19, partial_rotary_factor=0.5)
    write_json(os.path.join(folder, "config.json"), cfg)

    rng, w = np.random.default_rng(seed), {}

    def normal(*shape):
        return rng.standard_normal(shape, np.float32) * scale

    def norm(n):
        return 1 + 0.2 * rng.standard_normal(n, np.float32)

    def mlp(prefix, inner):
        w[prefix + ".gate_proj.weight"] = normal(inner, hidden)
        w[prefix + ".up_proj.weight"] = normal(inner, hidden)
        w[prefix + ".down_proj.weight"] = normal(hidden, inner)

    w["model.word_embeddings.weight"] = normal(vocab, hidden)
    for i in range(layers):
        p = f"model.layers.{i}."
        w[p + "input_layernorm.weight"] = norm(hidden)
        w[p + "attention.query_key_value.weight"] = normal((heads + 2 * kv_heads) * head_dim, hidden)
        w[p + "attention.query_layernorm.weight"] = norm(head_dim)
        w[p + "attention.key_layernorm.weight"] = norm(head_dim)
        w[p + "attention.dense.weight"] = normal(hidden, heads * head_dim)
        w[p + "post_attention_layernorm.weight"] = norm(hidden)
        if i < 1:
            mlp(p + "mlp", ffn)
            continue
        w[p + "mlp.gate.weight"] = normal(experts, hidden) * 3
        w[p + "mlp.gate.expert_bias"] = rng.standard_normal(experts, np.float32) * 0.1
        for e in range(experts):
            mlp(f"{p}mlp.experts.{e}", moe_ffn)
        mlp(p + "mlp.shared_experts", moe_ffn)
    w["model.norm.weight"] = norm(hidden)
    w["lm_head.weight"] = normal(vocab, hidden) * 6
    write_shards(folder, w)


def write_shards(folder, w):
    """Writes the tensors as two shards of about as many tensors each, and their index."""
    names, index = list(w), {}
    half = len(names) // 2
    f32 = {n for n in names if n.endswith("expert_bias")}
    for k, part in enumerate((names[:half], names[half:]), 1):
        file = f"model-{k:05d}-of-00002.safetensors"
        write_safetensors(os.path.join(folder, file), {n: w[n] for n in part}, f32)
        index.update({n: file for n in part})
    total = sum(a.size * (4 if n in f32 else 2) for n, a in w.items())
    write_json(os.path.join(folder, "model.safetensors.index.json"),
               {"metadata": {"total_size": total}, "weight_map": index})


def write_json(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1)


# ---------------------------------------------------------------- command line

def arguments():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sub = ap.add_subparsers(dest="cmd", required=True)
    m = sub.add_parser("make")
    m.add_argument("dir")
    for name, default in SHAPE.items():
        m.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    m.add_argument("--scale", type=float, default=SCALE)
    for name in ("logits", "generate"):
        q = sub.add_parser(name)
        q.add_argument("dir")
        q.add_argument("--ids", type=lambda s: [int(v) for v in s.split(",") if v], required=True)
        q.add_argument("--block", type=int, default=32)
        q.add_argument("--f32", action="store_true", help="work in float32")
    q.add_argument("--gen", type=int, default=64)
    q.add_argument("--steps", type=int, default=32)
    q.add_argument("--threshold", type=float, default=0.95)
    q.add_argument("--minimal-topk", type=int, default=1)
    q.add_argument("--early-stop", action="store_true")
    q.add_argument("--eos", type=int)
    q.add_argument("--mask", type=int)
    return vars(ap.parse_args())


def main():
    a = arguments()
    cmd, folder = a.pop("cmd"), a.pop("dir")
    if cmd == "make":
        make(folder, **a)
        return
    model = Model(folder, np.float32 if a.pop("f32") else np.float64)
    prompt = a.pop("ids")
    if cmd == "logits":
        print(json.dumps(model.forward(prompt, a["block"]).astype(float).tolist()))
    else:
        tokens, forwards, margin = model.generate(prompt, **a)
        print(json.dumps({"ids": tokens, "forwards": forwards, "margin": margin}))


if __name__ == "__main__":
    main()
