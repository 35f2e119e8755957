# What follows tries to break out of a sandbox. Every attack prints "got" and what it got
# if it succeeds. None of them passes in the end, except where that is said.
import atexit, builtins, json, os, signal, sys, threading, time

bait = json.loads(sys.stdin.read())
print("began", flush=True)


def attempt(name, f, *args):
    try:
        f(*args)
    except BaseException:
        return
    print("got", name, flush=True)


def read(path):
    with open(path, "rb") as file:
        print(file.read(1000), flush=True)


def libc():
    import ctypes
    return ctypes.CDLL(None, use_errno=True)


def call(*args):
    import ctypes
    lib = libc()
    if lib.syscall(*[ctypes.c_long(a) for a in args]) < 0:
        raise OSError(ctypes.get_errno())


# attack: read outside
attempt("the file", read, bait["File"])
attempt("names of files", os.listdir, bait["Folder"])
attempt("our environment", read, "/proc/%d/environ" % bait["Parent"])
attempt("the parent's environment", read, "/proc/%d/environ" % os.getppid())
attempt("the environment of process 1", read, "/proc/1/environ")
attempt("the memory of our process", read, "/proc/%d/mem" % bait["Parent"])
attempt("the log of the kernel", read, "/dev/kmsg")
for path in "/proc/1/root", "/proc/%d/root" % bait["Parent"], "/proc/%d/cwd" % bait["Parent"], "../" * 30:
    attempt("a file by " + path, read, os.path.join(path, bait["File"].lstrip("/")))
for path in "/etc/shadow", "/root/.bashrc", "/etc/hostname", "/etc/ssh/sshd_config":
    attempt(path, read, path)
try:
    with open("/etc/passwd") as file:
        text = file.read()
    if os.path.exists(bait["Folder"]):
        print("got /etc/passwd")
except OSError:
    pass
assert False

# attack: write outside
path = bait["File"]
attempt("to write", open, path, "w")
attempt("to append", open, path, "a")
attempt("to truncate", os.truncate, path, 0)
attempt("to empty by opening", os.open, path, os.O_RDONLY | os.O_TRUNC)
attempt("to change a mode", os.chmod, path, 0o777)
attempt("to change an owner", os.chown, path, os.getuid(), os.getgid())
attempt("to change times", os.utime, path)
attempt("to rename", os.rename, path, path + "2")
attempt("to link", os.link, path, path + "3")
attempt("to remove", os.unlink, path)
attempt("to make a link", os.symlink, "/", bait["Folder"] + "/link")
attempt("to make a folder", os.mkdir, bait["Folder"] + "/folder")
attempt("to make a pipe", os.mkfifo, bait["Folder"] + "/pipe")
attempt("to make a device", os.mknod, "zero", 0o666 | 0o020000, os.makedev(1, 5))
attempt("to set an attribute", getattr(os, "setxattr", None), path, "user.x", b"x")
attempt("to write the interpreter", open, os.path.realpath(sys.executable), "r+b")
attempt("to write a library", open, os.__file__, "r+b")
attempt("to write beside a library", open, os.path.dirname(os.__file__) + "/llada.py", "w")
attempt("to write a setting", open, "/proc/sys/kernel/core_pattern", "w")
attempt("to write a setting of ours", open, "/proc/%d/oom_score_adj" % bait["Parent"], "w")
attempt("to write a control group", os.mkdir, "/sys/fs/cgroup/llada")
assert False

# attack: network
import socket
attempt("tcp", socket.create_connection, ("127.0.0.1", bait["Port"]), 0.3)
for kind, address in (socket.AF_UNIX, bait["Socket"]), (socket.AF_UNIX, "\0" + bait["Abstract"]), (socket.AF_INET, ("127.0.0.1", bait["Port"])):
    for form in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        def speak():
            s = socket.socket(kind, form)
            s.settimeout(0.3)
            s.connect(address)
            s.send(b"x")
        attempt(repr(address), speak)
for protocol in 262, socket.IPPROTO_ICMP:
    attempt("a protocol", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol).connect(("127.0.0.1", bait["Port"])))
attempt("a pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", bait["Socket"]))
assert False

# attack: fork bomb
def child():
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
n = 0
for i in range(200):
    try:
        if os.fork() == 0:
            try:
                child()
            finally:
                os._exit(0)
        n += 1
    except OSError:
        pass
for f in (os.forkpty, lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", "1"], {}),
          lambda: __import__("subprocess").run([sys.executable, "-c", "1"], check=True)):
    try:
        f()
        n += 1
    except Exception:
        pass
if n > 100:
    print("got", n, "processes", flush=True)
assert False

# attack: thread bomb
threading.stack_size(32768)
n = 0
for i in range(5000):
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        n += 1
    except RuntimeError:
        break
if n > 100:
    print("got", n, "threads", flush=True)
assert False

# attack: 8 GiB of memory
import mmap
attempt("8 GiB", bytearray, 8 << 30)
attempt("a map of 8 GiB", mmap.mmap, -1, 8 << 30)
hoard = []
for i in range(200):
    try:
        hoard.append(mmap.mmap(-1, 40 << 20))
    except (MemoryError, OSError):
        break
if len(hoard) > 100:
    print("got", len(hoard) * 40, "MiB", flush=True)
del hoard
assert False

# attack: 1 GiB file
total = 0
chunk = b"x" * (1 << 20)
for i in range(1000):
    try:
        with open("file%d" % (i // 100), "ab", 0) as file:
            total += file.write(chunk)
    except OSError:
        pass
for i in range(100):
    try:
        with open("many%d" % i, "wb", 0) as file:
            total += file.write(chunk)
        fd = os.memfd_create("x")
        os.ftruncate(fd, 1 << 30)
        total += os.write(fd, chunk) << 10
    except (OSError, AttributeError):
        pass
if total > 64 << 20:
    print("got", total >> 20, "MiB of files", flush=True)
assert False

# attack: kill the parent
for pid in os.getppid(), bait["Parent"], -bait["Parent"], -1, 1:
    if pid in (0, os.getpid(), -os.getpid()):
        continue
    try:
        os.kill(pid, 0)  # kills nothing: a machine without a sandbox shall live
        if pid == -1 or bait["Parent"] in (pid, -pid) or os.path.exists(bait["Folder"]):
            print("got to kill", pid, flush=True)
    except OSError:
        if pid == bait["Parent"]:
            attempt("to kill us", os.kill, pid, signal.SIGKILL)
attempt("to limit us", lambda: __import__("resource").prlimit(bait["Parent"], 0, (1, 1)))
attempt("to hold us", lambda: call(434, bait["Parent"], 0))
attempt("to queue a signal", lambda: call(129, bait["Parent"], 9, 0))
assert False

# attack: trace the parent
attempt("to attach", lambda: call(101, 16, bait["Parent"], 0, 0))
attempt("to seize", lambda: call(101, 0x4206, bait["Parent"], 0, 0))
attempt("to be traced", lambda: call(101, 0, 0, 0, 0))
def vm():
    import ctypes
    buffer = ctypes.create_string_buffer(16)
    class iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    own, other = iovec(ctypes.addressof(buffer), 16), iovec(0x400000, 16)
    call(310, bait["Parent"], ctypes.addressof(own), 1, ctypes.addressof(other), 1, 0)
attempt("to read memory", vm)
attempt("to write memory", lambda: call(311, bait["Parent"], 0, 0, 0, 0, 0))
attempt("to open memory", open, "/proc/%d/mem" % bait["Parent"], "r+b")
assert False

# attack: more rights
attempt("namespaces", lambda: call(272, 0x10000000))
attempt("a namespace of mounts", lambda: call(272, 0x20000))
attempt("a mount", lambda: call(165, 0, 0, 0, 0x1000 | 32, 0))
attempt("another root", os.chroot, "/")
attempt("another user", os.setuid, 0)
attempt("another session", os.setsid)
attempt("keys", lambda: call(250, 0, -3, 0, 0, 0))
attempt("bpf", lambda: call(321, 0, 0, 0))
attempt("io_uring", lambda: call(425, 1, 0))
attempt("perf", lambda: call(298, 0, 0, -1, -1, 0))
attempt("faults", lambda: call(323, 1))
attempt("a thread's clone", lambda: call(435, 0, 0))
attempt("a life after the parent's", lambda: call(157, 1, 0, 0, 0, 0))
attempt("shared memory", lambda: call(29, 0, 4096, 0o1600))
attempt("the x32 interface", lambda: call(0x40000000 + 39))
attempt("no limits", lambda: __import__("resource").setrlimit(7, (1 << 20, 1 << 20)))
attempt("a low nice value", os.setpriority, os.PRIO_PROCESS, 0, -20)
attempt("a device", os.open, "/dev/sda", os.O_RDONLY)
assert False

# attack: links in the working folder
for target in bait["File"], "/proc/1/root/" + bait["File"], "/proc/self/root/" + bait["File"], "../" * 20 + bait["File"]:
    try:
        os.symlink(target, "link")
    except OSError:
        break
    attempt("to read " + target, read, "link")
    attempt("to write " + target, open, "link", "r+")
    def link():
        os.link("link", "hard")
        if os.path.islink("hard"):
            os.unlink("hard")
            raise OSError
    attempt("to link " + target, link)
    os.unlink("link")
try:
    os.symlink(bait["Folder"], "folder")
    attempt("names of files", os.listdir, "folder")
    attempt("to make a file", open, "folder/new", "w")
except OSError:
    pass
assert False

# attack: sleep for ever
for s in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU, signal.SIGALRM:
    signal.signal(s, signal.SIG_IGN)
while True:
    time.sleep(3600)

# attack: endless output
while True:
    os.write(1, b"x" * 65536)
    os.write(2, b"x" * 65536)

# attack: endless loop
sys.setswitchinterval(1000)
while True:
    10 ** 100000

# attack: surviving threads
def live():
    while True:
        time.sleep(0.01)
try:
    threading.Thread(target=live).start()
except RuntimeError:
    pass
atexit.register(live)

# attack: fake by os._exit
os._exit(0)

# attack: fake by sys.exit
sys.exit(0)

# attack: fake by a killed process
os.kill(os.getpid(), signal.SIGKILL)
assert False

# attack: fake by printing
print("passed", "\n", "ok")
print("ready", file=sys.stderr)
assert False

# attack: fake by an exit handler
atexit.register(os._exit, 0)
assert False

# attack: fake by an exception hook
sys.excepthook = sys.__excepthook__ = sys.unraisablehook = lambda *args: os._exit(0)
assert False

# attack: fake by an exception that exits
class Exit(Exception):
    def __str__(self):
        os._exit(0)
    __repr__ = __str__
raise Exit

# attack: fake by other builtins
for name in "compile", "exec", "open", "print", "int", "type", "len", "AssertionError", "Exception", "BaseException":
    setattr(builtins, name, lambda *args, **kw: None)
import posix
posix._exit = os._exit = lambda status: None
posix.read = os.read = lambda *args: b""
assert False

# attack: fake by a thread
def leave():
    os._exit(0)
try:
    threading.Thread(target=leave).start()
    time.sleep(10)
except RuntimeError:
    os._exit(0)

# attack: fake by guessing
for fd in range(3, 64):
    try:
        os.write(fd, b"A" * 26)
    except OSError:
        pass
os._exit(0)

# attack: fake by another program
os.execv(sys.executable, [sys.executable, "-c", "1"])
os._exit(0)

# attack: fake by closing everything
os.closerange(0, 64)
os._exit(0)
