"""The two tasks of the tiny checkpoint: records, chat texts, and what is held out.

Both are written in the record forms of GSM8K ({question, answer} with a final '#### N') and of
HumanEval ({task_id, prompt, entry_point, canonical_solution, test}), so that one evaluation serves
the real sets and these. A problem is held out when its text hashes to bucket 0 of 40; the training
stream never yields such a problem.
"""
import hashlib
import random

from functions import function
from words import word_problem

GSM_USER = ("{question}\n"
            "Please reason step by step, and put your final answer within \\boxed{{}}.")
CODE_USER = ("Read the following function signature and docstring, and fully implement the function "
             "described. Your response should only contain the code for this function.\n{prompt}")


def held_out(text):
    return hashlib.sha256(text.encode()).digest()[0] % 40 == 0


def gsm_record(r):
    """-> (record, answer that the model learns)"""
    question, steps, n = word_problem(r)
    annotated = ""
    for s in steps:
        left, right = s.split(" = ")
        annotated += f"{left} = <<{s.replace(' ', '')}>>{right}\n"
    record = {"question": question, "answer": annotated + f"#### {n}"}
    return record, "\n".join(steps) + f"\n\\boxed{{{n}}}"


def code_record(r, number=0):
    """-> (record, answer that the model learns)"""
    name, args, doc, body, checks = function(r)
    prompt = f"def {name}({args}):\n    \"\"\"{doc}\"\"\"\n"
    solution = f"    {body}\n"
    test = "def check(candidate):\n" + "".join(
        f"    assert candidate({values}) == {result!r}\n" for values, result in checks)
    record = {"task_id": f"Tiny/{number}", "prompt": prompt, "entry_point": name,
              "canonical_solution": solution, "test": test}
    return record, f"```python\n{prompt}{solution}```"


def user_text(record):
    """What the user says to pose a record of either form."""
    return (GSM_USER if "question" in record else CODE_USER).format(**record)


def dialogue(user):
    """The LLaDA2 chat form up to where the model's answer begins."""
    return ("<role>SYSTEM</role>detailed thinking off<|role_end|>"
            f"<role>HUMAN</role>{user}<|role_end|><role>ASSISTANT</role>")


def sample(r):
    """-> (prompt text, answer text) of a training problem."""
    while True:
        if r.random() < 0.6:
            record, answer = gsm_record(r)
            key = record["question"]
        else:
            record, answer = code_record(r)
            key = record["prompt"]
        if not held_out(key):
            return dialogue(user_text(record)), answer + "<|role_end|>"


def held_out_sets(n_gsm=200, n_code=100, seed=7):
    """-> (gsm records, code records), distinct and never trained on."""
    r, gsm, code, seen = random.Random(seed), [], [], set()
    while len(gsm) < n_gsm:
        record, _ = gsm_record(r)
        key = record["question"]
        if held_out(key) and key not in seen:
            seen.add(key)
            gsm.append(record)
    while len(code) < n_code:
        record, _ = code_record(r, len(code))
        key = record["prompt"]
        if held_out(key) and key not in seen:
            seen.add(key)
            code.append(record)
    return gsm, code
