"""Grade-school word problems with one or two steps."""

NAMES = ("Ada Ben Cleo Dan Eva Finn Gia Hugo Ida Jon Kim Leo Mia Ned Ola Pam Quin Ray Sue Tom Uma Vic "
         "Wes Zoe").split()
ITEMS = ("pens apples books cards coins eggs shells stamps stones toys cups balls keys buttons beads "
         "plums pears ribbons candles stickers").split()
BOXES = "boxes bags jars baskets drawers shelves".split()


def word_problem(r):
    """-> (question, [step, ...], result). Steps read 'a op b = c'."""
    who, other = r.sample(NAMES, 2)
    thing, box = r.choice(ITEMS), r.choice(BOXES)
    kind = r.randrange(10)
    a, b = r.randint(2, 12), r.randint(2, 12)
    c = r.randint(2, 40)
    if kind == 0:
        a, b = r.randint(2, 60), r.randint(2, 39)
        return (f"{who} has {a} {thing}. {who} finds {b} more {thing}. "
                f"How many {thing} does {who} have now?",
                [f"{a} + {b} = {a + b}"], a + b)
    if kind == 1:
        a = r.randint(12, 90)
        b = r.randint(2, a - 1)
        return (f"{who} has {a} {thing} and gives {b} of them to {other}. How many {thing} are left?",
                [f"{a} - {b} = {a - b}"], a - b)
    if kind == 2:
        return (f"There are {a} {box} with {b} {thing} in each. How many {thing} are there in total?",
                [f"{a} * {b} = {a * b}"], a * b)
    if kind == 3:
        return (f"{who} buys {a} {box} of {thing}. Each holds {b} {thing}. "
                f"{who} already had {c} {thing}. How many {thing} does {who} have?",
                [f"{a} * {b} = {a * b}", f"{a * b} + {c} = {a * b + c}"], a * b + c)
    if kind == 4:
        c = r.randint(1, a * b - 1)
        return (f"{who} fills {a} {box} with {b} {thing} each and then loses {c} {thing}. "
                f"How many {thing} remain?",
                [f"{a} * {b} = {a * b}", f"{a * b} - {c} = {a * b - c}"], a * b - c)
    if kind == 5:
        return (f"{who} shares {a * b} {thing} equally among {a} friends. "
                f"How many {thing} does each friend get?",
                [f"{a * b} / {a} = {b}"], b)
    if kind == 6:
        a, b = r.randint(3, 40), r.randint(2, 30)
        return (f"{who} has {a} {thing}. {other} has {b} more {thing} than {who}. "
                f"How many {thing} do they have together?",
                [f"{a} + {b} = {a + b}", f"{a} + {a + b} = {a + a + b}"], a + a + b)
    if kind == 7:
        a = r.randint(2, 9)
        return (f"{who} reads {a} pages every day. How many pages does {who} read in {b} days?",
                [f"{a} * {b} = {a * b}"], a * b)
    if kind == 8:
        price = r.randint(2, 9)
        paid = price * a + r.randint(1, 30)
        return (f"One of the {thing} costs {price} coins. {who} buys {a} and pays with {paid} coins. "
                f"How many coins come back?",
                [f"{a} * {price} = {a * price}", f"{paid} - {a * price} = {paid - a * price}"],
                paid - a * price)
    a, b, c = r.randint(2, 30), r.randint(2, 30), r.randint(2, 30)
    return (f"{who} picks {a} {thing} on Monday, {b} on Tuesday and {c} on Friday. "
            f"How many {thing} is that in all?",
            [f"{a} + {b} = {a + b}", f"{a + b} + {c} = {a + b + c}"], a + b + c)
