# The first process of a container: runs one program as another user, and tells how it
# ended. It reads a request as JSON from standard input and writes one line of JSON.
import base64
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

request = json.load(sys.stdin)
sys.stdin.close()


def content(name):
    file = tempfile.TemporaryFile()
    file.write(base64.b64decode(request[name] or ""))
    file.seek(0)
    return file


def limit():
    def most(what, n):
        hard = resource.getrlimit(what)[1]
        n = n if hard == resource.RLIM_INFINITY else min(n, hard)
        resource.setrlimit(what, (n, n))
    most(resource.RLIMIT_CORE, 0)
    most(resource.RLIMIT_CPU, int(request["seconds"]) + 2)
    most(resource.RLIMIT_FSIZE, 1 << 20)
    most(resource.RLIMIT_NOFILE, 64)
    most(resource.RLIMIT_STACK, 64 << 20)
    most(resource.RLIMIT_AS, request["memory"])


source, stdin = content("source"), content("input")
out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
(token_out, token_in), (proof_out, proof_in) = os.pipe(), os.pipe()
token = base64.b16encode(os.urandom(13))
os.write(token_in, token)
os.close(token_in)
files = [source.fileno(), token_out, proof_in]
other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
begin = time.monotonic()
process = subprocess.Popen(
    [sys.executable, "-s", "-S", "-B", "-X", "utf8", "-c", request["driver"], *map(str, files)],
    stdin=stdin, stdout=out, stderr=err, cwd="/tmp", pass_fds=files, preexec_fn=limit, start_new_session=True,
    env={"PATH": "", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}, **other)
late = False
try:
    process.wait(request["seconds"])
except subprocess.TimeoutExpired:
    late = True
    process.kill()
    process.wait()
wall = time.monotonic() - begin
used = resource.getrusage(resource.RUSAGE_CHILDREN)
os.close(proof_in)
os.set_blocking(proof_out, False)  # what is left over may keep it open
try:
    proof = os.read(proof_out, 64)
except BlockingIOError:
    proof = b""


def kept(file, start, most):
    file.seek(start)
    return base64.b64encode(file.read(most)).decode()


print(json.dumps({
    "token": request["token"], "code": process.returncode, "proved": proof == token, "late": late,
    "wall": wall, "cpu": used.ru_utime + used.ru_stime,
    "output": kept(out, 0, request["output"]), "errors": kept(err, max(0, os.fstat(err.fileno()).st_size - 4096), 4096),
}), flush=True)
os._exit(0)
