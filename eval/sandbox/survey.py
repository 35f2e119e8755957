# Prints where this interpreter lives, and what it reads.
import json
import os
import sys

reads = set()
for path in sys.path:
    if path and os.path.exists(path):
        reads.add(path)
        reads.add(os.path.realpath(path))
for prefix in (sys.base_prefix, sys.base_exec_prefix):
    for name in ("lib", "lib64", sys.platlibdir if hasattr(sys, "platlibdir") else "lib"):
        reads.add(os.path.join(prefix, name))
try:
    with open("/proc/self/maps") as maps:
        for line in maps:
            words = line.split(None, 5)
            if len(words) == 6 and words[5].startswith("/") and ".so" in words[5]:
                reads.add(os.path.dirname(words[5].rstrip("\n")))
except OSError:
    pass
path = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({
    "path": os.path.realpath(path),
    "version": "%d.%d.%d" % sys.version_info[:3],
    "reads": sorted(reads),
}))
