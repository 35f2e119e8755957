# Executes the source as a module, then proves that it came to its end.
# Arguments: files to read the source from, the token from, and to write the token to.
def drive():
    import sys
    from posix import _exit, close, read, write

    # All that is used after the source ran is looked up before.
    info, hook = sys.exc_info, sys.__excepthook__
    out, err = sys.stdout.flush, sys.stderr.flush
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    source, token, proof = [int(arg) for arg in sys.argv[1:4]]
    del sys.argv[1:]
    try:
        with open(source, "rb") as file:
            text = file.read()
        module = type(sys)("program")
        sys.modules["program"] = module
        exec(compile(text, "<program>", "exec", 0, True), module.__dict__)
    except:
        try:
            hook(*info())
            out()
            err()
        finally:
            _exit(1)
    try:
        try:
            out()
            err()
        except:
            pass
        write(proof, read(token, 64))
        _exit(0)
    finally:
        _exit(1)


drive()
