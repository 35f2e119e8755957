def check_humaneval(prompt, code, entry, test, sanitized):
    """Raises unless the answer passes the test, which is compiled and has its names in a
    namespace apart: a check that the answer defines is not the one that is called."""
    import random

    run, seed = exec, random.seed
    names = {"__name__": "test"}
    helpers = compile(stub(prompt), "prompt", "exec", dont_inherit=True)
    test = compile(test, "test", "exec", dont_inherit=True)
    function = answer(prompt, code, entry, sanitized)
    run(helpers, names)
    run(test, names)
    names[entry] = function
    seed(0)  # tests draw inputs; the same ones in every run
    names["check"](function)
