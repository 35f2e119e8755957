"""Writes the trained model as a Hugging Face folder: BF16 shards, index, the two config files."""
import json
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "oracle"))

from config import CONFIG, GENERATION
from llada2_ref import write_safetensors

SHARD_BYTES = 5_000_000  # a shard is closed once it is larger


def tensors(model):
    """-> {checkpoint name: array}, the experts unstacked."""
    w = {}
    for name, v in model.p.items():
        name, a = name.replace("/", "."), v.detach().numpy()
        if ".experts." in name:
            head, leaf = name.rsplit(".", 1)
            w.update({f"{head}.{e}.{leaf}.weight": a[e] for e in range(len(a))})
        else:
            w[name] = a
    for i, b in model.bias.items():
        w[f"model.layers.{i}.mlp.gate.expert_bias"] = b.numpy()
    return w


def export(model, folder):
    w = tensors(model)
    f32 = {n for n in w if n.endswith("expert_bias")}
    shards, size = [{}], 0
    for n in sorted(w):
        if size > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][n] = w[n]
        size += w[n].size * 2
    index = {}
    for k, part in enumerate(shards, 1):
        file = f"model-{k:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(os.path.join(folder, file), part, f32)
        index.update({n: file for n in part})
    total = sum(a.size * (4 if n in f32 else 2) for n, a in w.items())
    write_json(os.path.join(folder, "model.safetensors.index.json"),
               {"metadata": {"total_size": total}, "weight_map": index}, indent=0)
    write_json(os.path.join(folder, "config.json"), CONFIG, indent=1)
    write_json(os.path.join(folder, "generation_config.json"), GENERATION, indent=1)


def write_json(path, value, indent):
    with open(path, "w") as f:
        json.dump(value, f, indent=indent)
