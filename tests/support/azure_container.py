"""Creates a container in Azurite: azure_container.py URL NAME. Signed with the account and key that every Azurite has."""

import base64
import datetime
import hashlib
import hmac
import sys
import urllib.request

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-08-06"

url, name = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
to_sign = (
    "PUT" + "\n" * 12 + f"x-ms-date:{now}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
)
signature = base64.b64encode(hmac.new(base64.b64decode(KEY), to_sign.encode(), hashlib.sha256).digest()).decode()
request = urllib.request.Request(f"{url}/{ACCOUNT}/{name}?restype=container", method="PUT")
for header, value in [
    ("x-ms-date", now),
    ("x-ms-version", VERSION),
    ("Authorization", f"SharedKey {ACCOUNT}:{signature}"),
    ("Content-Length", "0"),
]:
    request.add_header(header, value)
with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
    assert response.status == 201, response.status
