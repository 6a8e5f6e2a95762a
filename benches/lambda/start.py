"""From the start of a function to its first request on the runtime API, of two programs in turn; and their sizes.

    python benches/lambda/start.py PACKAGE EMPTY [PAIRS]

PACKAGE is a `bootstrap` or the zip it is in:

    cargo lambda build --release --x86-64 --features lambda --bin bootstrap --output-format zip

EMPTY is the same of a program that answers `{}` on lambda_runtime and calls each SDK crate once, with the same versions,
features and profile, built in the same way.

What is compared is measured side by side, a pair after the other, and the median of the pairs' ratios is what counts.
"""

import http.server
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

POLICY = """
version: 1
ledger: none
sources:
  shop: { oci: "http://127.0.0.1:9", repositories: ["shop/api"] }
production:
  - { tags: ["v*"] }
"""


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    asked = threading.Event()

    def do_GET(self):
        type(self).asked.set()
        # Nothing is invoked: what is measured is over.
        time.sleep(3600)

    def log_message(self, *_):
        pass


def program(path, folder):
    if not path.endswith(".zip"):
        return path
    with zipfile.ZipFile(path) as package:
        package.extract("bootstrap", folder)
    unpacked = os.path.join(folder, "bootstrap")
    os.chmod(unpacked, 0o755)
    return unpacked


def start(path, address):
    environment = {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "prodpin",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "us-east-1",
        "PRODPIN_POLICY_TEXT": POLICY,
    }
    RuntimeApi.asked.clear()
    began = time.perf_counter()
    child = subprocess.Popen([path], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    asked = RuntimeApi.asked.wait(30)
    took = time.perf_counter() - began
    child.kill()
    _, log = child.communicate()
    if not asked:
        sys.exit(f"{path} asked for nothing: {log.decode()}")
    return took * 1000


def main():
    package, empty = sys.argv[1:3]
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 21
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ours, theirs = program(package, one), program(empty, other)
        start(ours, address), start(theirs, address)
        measured = [(start(ours, address), start(theirs, address)) for _ in range(pairs)]
    ratio = statistics.median(a / b for a, b in measured)
    print(f"{package}: {os.path.getsize(package) / 1e6:.1f} MB, start {statistics.median(a for a, _ in measured):.1f} ms")
    print(f"{empty}: {os.path.getsize(empty) / 1e6:.1f} MB, start {statistics.median(b for _, b in measured):.1f} ms")
    print(f"ratio, median of {pairs} pairs: {ratio:.2f}")


main()
