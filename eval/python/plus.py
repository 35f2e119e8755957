def check_plus(prompt, code, entry, atol, only_base, sanitized):
    """Raises unless the answer returns the right result for every input. What
    expect printed is read from standard input before the answer runs.

    Results are compared as EvalPlus does: equality; if the right one is a float or all
    floats, from then on also a distance of atol + 1e-7 |right|, with 1e-6 where the
    problem has no atol. find_zero may return any zero."""
    import signal
    import sys

    data = json.loads(sys.stdin.read())
    count = data["base"] if only_base else len(data["inputs"])
    cases = list(zip(data["inputs"], data["results"], data["seconds"]))[:count]
    del data
    clock, clone, same, hashed, value, zero, loose = time.perf_counter, copy.deepcopy, close, digest, decode, polynomial, floats

    def late(*_):
        raise TimeoutError("an input took too long")

    try:
        signal.signal(signal.SIGALRM, late)
        alarm, which = signal.setitimer, signal.ITIMER_REAL
    except (AttributeError, ValueError):  # Windows has no alarms, nor have other threads
        alarm, which = (lambda *_: None), 0
    function = answer(prompt, code, entry, sanitized)
    for i, (arguments, right, seconds) in enumerate(cases):
        limit = max(4.0, 4 * seconds)
        given = clone(arguments)
        start = clock()
        alarm(which, limit, 1)  # again and again, for an answer that catches it
        try:
            result = function(*given)
        finally:
            alarm(which, 0)
        if clock() - start > limit:
            raise TimeoutError(f"input {i} took over {limit:.1f} s")
        if entry == "find_zero":
            assert abs(zero(*arguments, result)) <= atol, f"input {i}"
            continue
        if isinstance(right, dict) and "digest" in right:
            assert hashed(result) == right["digest"], f"input {i}"
            continue
        right = value(right)
        if atol == 0 and loose(right):
            atol = 1e-6
        if result == right:
            continue
        assert atol != 0 and type(result) is type(right) and same(result, right, atol), f"input {i}"
