"""The model in PyTorch, for training: several masked copies of one block in one forward pass."""
import math

import torch
import torch.nn.functional as F

from config import BLOCK


class LLaDA2(torch.nn.Module):
    """c is config.json as a dict.

    p holds the trained tensors under the checkpoint's names with '.' written '/', the experts of a
    layer stacked on dim 0; bias holds the expert bias of each routed layer, which no gradient moves.
    """

    def __init__(self, c):
        super().__init__()
        self.c, self.p, self.bias = c, torch.nn.ParameterDict(), {}
        h, hd = c["hidden_size"], c["head_dim"]
        nh, nkv = c["num_attention_heads"], c["num_key_value_heads"]
        self.p["model/word_embeddings/weight"] = torch.nn.Parameter(
            torch.randn(c["vocab_size"], h) * 0.5)
        for i in range(c["num_hidden_layers"]):
            p = f"model/layers/{i}/"
            self._ones(p + "input_layernorm/weight", h)
            self._matrix(p + "attention/query_key_value/weight", (nh + 2 * nkv) * hd, h)
            self._ones(p + "attention/query_layernorm/weight", hd)
            self._ones(p + "attention/key_layernorm/weight", hd)
            self._matrix(p + "attention/dense/weight", h, nh * hd)
            self._ones(p + "post_attention_layernorm/weight", h)
            if i < c["first_k_dense_replace"]:
                self._mlp_matrices(p + "mlp", c["intermediate_size"])
                continue
            e, m = c["num_experts"], c["moe_intermediate_size"]
            self._matrix(p + "mlp/gate/weight", e, h)
            self.bias[i] = torch.zeros(e)
            self._matrix(p + "mlp/experts/gate_proj", e, m, h)
            self._matrix(p + "mlp/experts/up_proj", e, m, h)
            self._matrix(p + "mlp/experts/down_proj", e, h, m)
            self._mlp_matrices(p + "mlp/shared_experts", m)
        self._ones("model/norm/weight", h)
        self._matrix("lm_head/weight", c["vocab_size"], h)
        for name, v in self.p.items():
            if name.endswith(("dense/weight", "down_proj/weight", "down_proj")):
                v.data.mul_(0.3)

    def _matrix(self, name, *shape):
        self.p[name] = torch.nn.Parameter(torch.randn(*shape) / math.sqrt(shape[-1]))

    def _ones(self, name, n):
        self.p[name] = torch.nn.Parameter(torch.ones(n))

    def _mlp_matrices(self, prefix, inner):
        h = self.c["hidden_size"]
        self._matrix(prefix + "/gate_proj/weight", inner, h)
        self._matrix(prefix + "/up_proj/weight", inner, h)
        self._matrix(prefix + "/down_proj/weight", h, inner)

    def _linear(self, x, name):
        return F.linear(x, self.p[name])

    def _rms(self, x, name):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c["rms_norm_eps"])
        return x * scale * self.p[name]

    def _mlp(self, x, prefix):
        g = F.silu(self._linear(x, prefix + "/gate_proj/weight"))
        return self._linear(g * self._linear(x, prefix + "/up_proj/weight"),
                            prefix + "/down_proj/weight")

    @torch.no_grad()
    def _route(self, s, layer):
        """scores [T, experts] -> the experts chosen [T, K]."""
        c = self.c
        b = s + self.bias[layer]
        g = b.view(len(s), c["n_group"], -1)
        keep = g.topk(2, -1)[0].sum(-1).topk(c["topk_group"], -1)[1]
        ok = torch.zeros(len(s), c["n_group"]).scatter_(1, keep, 1).bool()
        b = b.masked_fill(~ok.unsqueeze(-1).expand_as(g).reshape(b.shape), -math.inf)
        return b.topk(c["num_experts_per_tok"], -1)[1]

    def _moe(self, x, layer):
        """x [T, hidden] -> output [T, hidden], tokens per expert [experts]."""
        c, p = self.c, f"model/layers/{layer}/mlp/"
        s = torch.sigmoid(self._linear(x, p + "gate/weight"))
        idx = self._route(s, layer)
        w = s.gather(1, idx)
        w = w / (w.sum(-1, keepdim=True) + 1e-20) * c["routed_scaling_factor"]
        y = torch.zeros_like(x)
        gate, up, down = (self.p[p + f"experts/{k}_proj"] for k in ("gate", "up", "down"))
        for e in range(c["num_experts"]):
            rows, slot = (idx == e).nonzero(as_tuple=True)
            if len(rows):
                z = x[rows]
                z = F.linear(F.silu(F.linear(z, gate[e])) * F.linear(z, up[e]), down[e])
                y = y.index_add(0, rows, z * w[rows, slot].unsqueeze(-1))
        load = torch.bincount(idx.view(-1), minlength=c["num_experts"]).float()
        return y + self._mlp(x, p + "shared_experts"), load

    def _layout(self, t, copies):
        """-> (cos [t, 1, r/2], sin, additive attention mask [t, t]) of the layout forward documents."""
        c, r = self.c, self.c["rotary_dim"]
        pos, last = torch.arange(t), t - copies * BLOCK
        copy = torch.clamp((pos - last) // BLOCK, min=-1)  # -1: an earlier block
        pos = torch.where(copy > 0, pos - copy * BLOCK, pos)
        a = pos[:, None].float() * c["rope_theta"] ** (-torch.arange(0, r, 2).float() / r)
        block = pos // BLOCK
        same = (copy[None, :] < 0) | (copy[None, :] == copy[:, None])
        seen = (block[None, :] <= block[:, None]) & same
        return a.cos()[:, None], a.sin()[:, None], torch.where(seen, 0.0, -math.inf)

    def _attention(self, u, layer, cos, sin, mask):
        c, p = self.c, f"model/layers/{layer}/attention/"
        nh, nkv, hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        r, (bsz, t, _) = c["rotary_dim"], u.shape

        def rope(x):
            lo, hi, rest = x[..., :r // 2], x[..., r // 2:r], x[..., r:]
            return torch.cat([lo * cos - hi * sin, hi * cos + lo * sin, rest], -1)

        qkv = self._linear(u, p + "query_key_value/weight").view(bsz, t, nh + 2 * nkv, hd)
        q, k, v = qkv.split([nh, nkv, nkv], 2)
        q = rope(self._rms(q, p + "query_layernorm/weight")).transpose(1, 2)
        k = rope(self._rms(k, p + "key_layernorm/weight")).transpose(1, 2)
        k = k.repeat_interleave(nh // nkv, 1)
        v = v.transpose(1, 2).repeat_interleave(nh // nkv, 1)
        s = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(hd) + mask, -1)
        return self._linear((s @ v).transpose(1, 2).reshape(bsz, t, nh * hd), p + "dense/weight")

    def forward(self, ids, loss_at, copies=1):
        """ids [B, T], loss_at [B, T] bool -> (logits at the marked positions, {layer: expert loads}).

        The last copies * BLOCK columns are that many versions of one block, at the same positions;
        each sees the earlier blocks and itself.
        """
        c = self.c
        cos, sin, mask = self._layout(ids.shape[1], copies)
        h, loads = self.p["model/word_embeddings/weight"][ids], {}
        for i in range(c["num_hidden_layers"]):
            p = f"model/layers/{i}/"
            h = h + self._attention(self._rms(h, p + "input_layernorm/weight"), i, cos, sin, mask)
            u = self._rms(h, p + "post_attention_layernorm/weight")
            if i < c["first_k_dense_replace"]:
                h = h + self._mlp(u, p + "mlp")
            else:
                y, loads[i] = self._moe(u.reshape(-1, u.shape[-1]), i)
                h = h + y.view_as(h)
        return self._linear(self._rms(h[loss_at], "model/norm/weight"), "lm_head/weight"), loads
