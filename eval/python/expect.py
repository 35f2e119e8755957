def expect(prompt, solution, entry, atol, base, plus):
    """Prints the inputs, what the canonical solution returns for each, and the seconds it took."""
    names = {"__name__": "solution"}
    exec(compile(prompt + solution, "solution", "exec", dont_inherit=True), names)
    base, plus = json.loads(base), json.loads(plus)
    results, seconds = [], []
    for arguments in base + plus:
        given = copy.deepcopy(arguments)
        start = time.perf_counter()
        right = names[entry](*given)
        seconds.append(time.perf_counter() - start)
        if atol == 0 and floats(right):
            atol = 1e-6
        if atol == 0 and long(right):
            results.append({"digest": digest(right)})
        else:
            results.append(encode(right))
    print(json.dumps({"base": len(base), "inputs": base + plus, "results": results, "seconds": seconds}))
