"""A token server for a Docker registry, as small as one can be: it checks a password, signs what was asked for, and
puts its certificate beside the signature (x5c), which is how the registry trusts it.

    token_server.py PORT ISSUER CERTIFICATE KEY USER PASSWORD STRANGER

USER may do everything. STRANGER has the same password and may do nothing. Nobody else gets a token.
With PORT 0 it only writes CERTIFICATE and KEY, so that the registry can be configured before this runs.
"""

import base64
import datetime
import http.server
import json
import sys
import time
import urllib.parse

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PORT, ISSUER, CERTIFICATE, KEY, USER, PASSWORD, STRANGER = sys.argv[1:]


def write_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    with open(CERTIFICATE, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(KEY, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


class Handler(http.server.BaseHTTPRequestHandler):
    key = None
    chain = None

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        user = self.user()
        if user is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="token server"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = [scope for value in query.get("scope", []) for scope in value.split(" ")]
        access = [self.grant(scope) for scope in asked] if user == USER else []
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": query.get("service", [""])[0],
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(time.time_ns()),
            "access": access,
        }
        token = jwt.encode(claims, self.key, algorithm="ES256", headers={"x5c": [self.chain]})
        body = json.dumps({"token": token, "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def user(self):
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return None
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return user if user in (USER, STRANGER) and password == PASSWORD else None

    @staticmethod
    def grant(scope):
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        return {"type": kind, "name": name, "actions": actions.split(",")}

    def log_message(self, *_):
        pass


def main():
    if PORT == "0":
        write_certificate()
        return
    with open(KEY) as file:
        Handler.key = file.read()
    with open(CERTIFICATE, "rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read())
    Handler.chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()


main()
