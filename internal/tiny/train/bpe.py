"""Byte-level BPE with LLaDA2's pre-tokenizer: training, encoding, tokenizer.json.

Needs python3-regex (possessive quantifiers, \\p classes).
"""
import json
import os
from collections import Counter

import regex

SPLIT = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
         r"|\s*[\r\n]|\s+(?!\S)|\s+")
PIECES = regex.compile(SPLIT)
SPECIAL = ["<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]", "<|mask|>", "<tool_call>",
           "</tool_call>", "<tool_response>", "</tool_response>", "<|role_end|>", "<role>", "</role>"]
SPECIAL_SPLIT = regex.compile("(" + "|".join(regex.escape(s) for s in SPECIAL) + ")")
CHAT_TEMPLATE = (
    "{% for m in messages %}"
    "{% if loop.first %}<role>SYSTEM</role>"
    "{% if m['role'] == 'system' %}{{ m['content'] }}\n{% endif %}"
    "detailed thinking off<|role_end|>{% endif %}"
    "{% if m['role'] == 'user' %}<role>HUMAN</role>{{ m['content'] }}<|role_end|>"
    "{% elif m['role'] == 'assistant' %}<role>ASSISTANT</role>{{ m['content'] }}<|role_end|>"
    "{% elif m['role'] == 'system' and not loop.first %}"
    "<role>SYSTEM</role>{{ m['content'] }}<|role_end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<role>ASSISTANT</role>{% endif %}")


def byte_alphabet():
    """byte -> printable character, GPT-2's mapping."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    out, n = {}, 0
    for b in range(256):
        if b in keep:
            out[b] = chr(b)
        else:
            out[b] = chr(256 + n)
            n += 1
    return out


ALPHABET = byte_alphabet()


def train(texts, size):
    """-> (vocab {piece: id}, merges [(a, b)]) with size entries in vocab, specials not counted."""
    words = Counter()
    for t in texts:
        for part in SPECIAL_SPLIT.split(t):
            if part not in SPECIAL:
                words.update(PIECES.findall(part))
    words = {tuple(ALPHABET[b] for b in w.encode()): n for w, n in words.items()}
    vocab = {c: i for i, c in enumerate(sorted(ALPHABET.values()))}
    merges = []
    while len(vocab) < size:
        pairs = Counter()
        for w, n in words.items():
            for p in zip(w, w[1:]):
                pairs[p] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        vocab["".join(best)] = len(vocab)
        merged = Counter()
        for w, n in words.items():
            merged[merge(w, best)] += n
        words = merged
    return vocab, merges


def merge(word, pair):
    """The word (a tuple of pieces) with every occurrence of the pair joined."""
    out, i = [], 0
    while i < len(word):
        n = 2 if word[i:i + 2] == pair else 1
        out.append("".join(word[i:i + n]))
        i += n
    return tuple(out)


class Tokenizer:
    """Encodes and decodes; the special tokens have the ids from special_from on."""

    def __init__(self, vocab, merges, special_from):
        self.vocab, self.cache = vocab, {}
        self.rank = {m: i for i, m in enumerate(merges)}
        self.special = {s: special_from + i for i, s in enumerate(SPECIAL)}
        self.bytes = {c: b for b, c in ALPHABET.items()}
        self.pieces = {i: p for p, i in vocab.items()} | {i: p for p, i in self.special.items()}

    def _word(self, w):
        if w not in self.cache:
            t = [ALPHABET[b] for b in w.encode()]
            while len(t) > 1:
                ranks = [self.rank.get(p, 1 << 30) for p in zip(t, t[1:])]
                i = min(range(len(ranks)), key=ranks.__getitem__)
                if ranks[i] == 1 << 30:
                    break
                t[i:i + 2] = [t[i] + t[i + 1]]
            self.cache[w] = [self.vocab[p] for p in t]
        return self.cache[w]

    def encode(self, text):
        out = []
        for part in SPECIAL_SPLIT.split(text):
            if part in self.special:
                out.append(self.special[part])
            else:
                for w in PIECES.findall(part):
                    out += self._word(w)
        return out

    def decode(self, ids):
        """The text without special tokens and unused ids."""
        out = b""
        for i in ids:
            p = self.pieces.get(i, "")
            if p not in self.special:
                out += bytes(self.bytes[c] for c in p)
        return out.decode("utf-8", "replace")


def read(folder):
    """-> Tokenizer of a folder that write() wrote."""
    with open(os.path.join(folder, "tokenizer.json")) as f:
        t = json.load(f)
    merges = [tuple(m.split(" ")) for m in t["model"]["merges"]]
    return Tokenizer(t["model"]["vocab"], merges, t["added_tokens"][0]["id"])


def write(folder, vocab, merges, special_from):
    """Writes tokenizer.json and tokenizer_config.json."""
    with open(os.path.join(folder, "tokenizer.json"), "w") as f:
        json.dump(hf_tokenizer(vocab, merges, special_from), f, ensure_ascii=False, indent=0)
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>",
                   "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
                   "mask_token": "<|mask|>", "add_bos_token": False, "add_eos_token": False,
                   "clean_up_tokenization_spaces": False, "model_max_length": 4096,
                   "chat_template": CHAT_TEMPLATE}, f, indent=1)


def hf_tokenizer(vocab, merges, special_from):
    """-> what tokenizer.json holds."""
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": special_from + i, "content": s, "single_word": False,
                          "lstrip": False, "rstrip": False, "normalized": False,
                          "special": not s.startswith(("<tool", "</tool"))}
                         for i, s in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": vocab, "merges": [f"{a} {b}" for a, b in merges]},
    }
