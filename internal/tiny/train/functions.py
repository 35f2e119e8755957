"""One-line Python functions with a docstring and checks."""

LETTERS = "abcdeo"
PREFIXES = ["", "get_", "my_", "the_", "do_", "calc_", "quick_", "make_", "run_", "find_"]


def function(r):
    """-> (name, arguments, docstring, body, checks); checks: [(argument text, expected value), ...]"""
    k = r.randint(2, 20)
    x, xs = r.choice(["x", "n", "value"]), r.choice(["xs", "nums", "items"])
    s, ch = r.choice(["s", "text", "word"]), r.choice(LETTERS)
    name, args, doc, result, draw = r.choice(families(r, k, x, xs, s, ch))
    f = eval(f"lambda {args}: {result}")
    checks = []
    for _ in range(3):
        values = draw()
        checks.append((", ".join(map(repr, values)), f(*values)))
    # Families without a number have few distinct texts: prefixes keep training and held-out ones apart.
    return r.choice(PREFIXES) + name, args, doc, f"return {result}", checks


def families(r, k, x, xs, s, ch):
    """-> [(name, arguments, docstring, returned expression, draw arguments), ...]

    k is the number and ch the letter that some of them are about; x, xs and s name the argument
    that is a number, a list, a text.
    """
    def letters():
        return "".join(r.choice(LETTERS) for _ in range(r.randint(4, 9)))

    def number():
        return (r.randint(-30, 60),)

    def multiple():
        return (r.choice([k * r.randint(1, 9), r.randint(1, 90)]),)

    def near():
        return (r.randint(k - 3, k + 3),)

    def numbers():
        return ([r.randint(-9, 30) for _ in range(r.randint(3, 6))],)

    def text():
        return (letters(),)

    def palindrome():
        return (r.choice([letters(), "abcba", "deed"]),)

    def pair():
        return r.randint(-9, 9), r.randint(-9, 9)

    return [
        (f"add_{k}", x, f"Return {x} plus {k}.", f"{x} + {k}", number),
        (f"minus_{k}", x, f"Return {x} minus {k}.", f"{x} - {k}", number),
        (f"times_{k}", x, f"Return {x} times {k}.", f"{x} * {k}", number),
        (f"is_multiple_of_{k}", x, f"Return True if {x} is a multiple of {k}.",
         f"{x} % {k} == 0", multiple),
        (f"at_least_{k}", x, f"Return True if {x} is at least {k}.", f"{x} >= {k}", near),
        (f"above_{k}", xs, f"Return the elements of {xs} greater than {k}.",
         f"[v for v in {xs} if v > {k}]", numbers),
        (f"below_{k}", xs, f"Return the elements of {xs} less than {k}.",
         f"[v for v in {xs} if v < {k}]", numbers),
        (f"add_{k}_to_all", xs, f"Return a list with {k} added to each element of {xs}.",
         f"[v + {k} for v in {xs}]", numbers),
        (f"scale_by_{k}", xs, f"Return a list with each element of {xs} multiplied by {k}.",
         f"[v * {k} for v in {xs}]", numbers),
        (f"first_{k}", xs, f"Return the first {k} elements of {xs}.", f"{xs}[:{k}]", numbers),
        (f"drop_{k}", xs, f"Return {xs} without its first {k} elements.", f"{xs}[{k}:]", numbers),
        (f"count_above_{k}", xs, f"Count the elements of {xs} greater than {k}.",
         f"sum(1 for v in {xs} if v > {k})", numbers),
        ("total", xs, f"Return the sum of {xs}.", f"sum({xs})", numbers),
        ("largest", xs, f"Return the largest element of {xs}.", f"max({xs})", numbers),
        ("smallest", xs, f"Return the smallest element of {xs}.", f"min({xs})", numbers),
        ("ascending", xs, f"Return {xs} sorted in ascending order.", f"sorted({xs})", numbers),
        ("descending", xs, f"Return {xs} sorted in descending order.",
         f"sorted({xs}, reverse=True)", numbers),
        ("sum_of_squares", xs, f"Return the sum of the squares of {xs}.",
         f"sum(v * v for v in {xs})", numbers),
        ("evens", xs, f"Return the even elements of {xs}.",
         f"[v for v in {xs} if v % 2 == 0]", numbers),
        ("odds", xs, f"Return the odd elements of {xs}.",
         f"[v for v in {xs} if v % 2 == 1]", numbers),
        ("spread", xs, f"Return the largest minus the smallest element of {xs}.",
         f"max({xs}) - min({xs})", numbers),
        ("backwards", s, f"Return {s} reversed.", f"{s}[::-1]", text),
        ("shout", s, f"Return {s} in upper case.", f"{s}.upper()", text),
        ("is_palindrome", s, f"Return True if {s} reads the same backwards.",
         f"{s} == {s}[::-1]", palindrome),
        (f"count_{ch}", s, f"Count how often {ch!r} occurs in {s}.", f"{s}.count({ch!r})", text),
        (f"without_{ch}", s, f"Return {s} with every {ch!r} removed.",
         f"{s}.replace({ch!r}, '')", text),
        (f"starts_with_{ch}", s, f"Return True if {s} starts with {ch!r}.",
         f"{s}.startswith({ch!r})", text),
        (f"repeat_{k}_times", s, f"Return {s} repeated {k} times.", f"{s} * {k}", text),
        ("larger", "a, b", "Return the larger of a and b.", "max(a, b)", pair),
        ("average", "a, b", "Return the average of a and b.", "(a + b) / 2", pair),
    ]
