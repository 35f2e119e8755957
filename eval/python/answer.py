# How the text that a model wrote becomes a function. Everything that a program needs
# is passed to functions and bound before the answer runs: an answer has its own
# namespace, and what it defines there changes nothing here.
import ast
import re
import sys
import textwrap
import types
import warnings

warnings.simplefilter("ignore")  # an answer's invalid escapes are not our news


def compiles(text):
    """The tree of text if it is a program, else None."""
    try:
        compile(text, "answer", "exec", dont_inherit=True)
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def definition(tree, name):
    """The last statement at the top of tree that gives name a value, or None."""
    found = None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            found = node
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            found = node
    return found


def wrapper(tree, name):
    """The name of the first class at the top of tree with a method of that name, or None."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(isinstance(m, ast.FunctionDef) and m.name == name for m in node.body):
            return node.name
    return None


def stub(prompt):
    """prompt as a program: what a signature without a docstring lacks is added."""
    for text in (prompt, prompt + "    pass\n"):
        if compiles(text):
            return text
    return ""


def assemble(prompt, code, entry):
    """-> (programs to run one after the other, name of the class that entry is a method of or None)

    Code that defines entry stands for itself, after the prompt with its imports and
    helpers. Anything else is taken for the body of the prompt's function: as it is,
    with the indentation of the first line or of all lines repaired.
    """
    for text in (code, textwrap.dedent(code)):
        tree = compiles(text)
        if tree and definition(tree, entry):
            return [stub(prompt), text], None
        if tree and wrapper(tree, entry):
            return [stub(prompt), text], wrapper(tree, entry)
    lines = prompt.count("\n")
    for body in (code, "    " + code.lstrip(), textwrap.indent(textwrap.dedent(code), "    ")):
        tree = compiles(prompt + body + "\n")
        function = tree and definition(tree, entry)
        if function and function.end_lineno > lines:
            return [prompt + body + "\n"], None
    return [stub(prompt), code], None


def sanitize(text, entry):
    """What is left of text in the manner of EvalPlus: of the longest span of lines that
    is a program (one that defines entry before others) the imports, and the first
    definitions that entry needs. text itself if no span defines entry."""
    lines = text.split("\n")
    filled = [0]
    for line in lines:
        filled.append(filled[-1] + bool(line.strip()))
    best, size, letters = None, 0, 1_000_000  # that are parsed at most
    for start, line in enumerate(lines):
        if not re.match(r"import\b|from\b|def\b|class\b|async\b|@|\w+ *[:=]", line):
            continue  # nothing that is kept begins so
        end = len(lines)
        while end > start and filled[end] - filled[start] > size and letters > 0:
            span = "\n".join(lines[start:end])
            letters -= len(span)
            try:
                tree = ast.parse(span)
            except SyntaxError as e:
                end = min(end - 1, start + max((e.lineno or 1) - 1, 0))
                continue
            except (ValueError, RecursionError, MemoryError):
                break
            if definition(tree, entry):
                best, size = tree, filled[end] - filled[start]
            break
    if not best:
        return text
    named, imports = {}, []
    for node in best.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name != entry or any(isinstance(n, ast.Return) for n in ast.walk(node)):
                named.setdefault(node.name, node)
    wanted, queue = set(), [entry]
    while queue:
        name = queue.pop()
        if name in wanted or name not in named:
            continue
        wanted.add(name)
        queue += [n.id for n in ast.walk(named[name]) if isinstance(n, ast.Name)]
    kept = imports + [node for name, node in named.items() if name in wanted]
    return ast.unparse(ast.Module(kept, []))


def answer(prompt, code, entry, sanitized):
    """The function that an answer defines, after the answer ran."""
    if sanitized:
        code = sanitize(code, entry)
    programs, method_of = assemble(prompt, code, entry)
    module = types.ModuleType("answer")  # so that its __main__ part does not run
    sys.modules["answer"] = module
    run = exec
    for text in programs:
        run(compile(text, "answer", "exec", dont_inherit=True), module.__dict__)
    if method_of:
        setattr(module, entry, getattr(getattr(module, method_of)(), entry))
    return getattr(module, entry)
