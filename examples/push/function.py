"""A function behind a queue, for Python: python3 function.py. Nothing to install.

A queue calls it for each order that was published, and what it answers becomes the order's result.
SECRET is the queue's `push.secret`. Signatures are those of https://www.standardwebhooks.com/.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300
BODY_BYTES_MAX = 1_048_576
# Receipts by message: a delivery is repeated when its answer was lost.
receipts: dict[str, str] = {}


def is_genuine(headers, body: bytes) -> bool:
    """Whether one of the signatures is that of the secret, and not an old one sent again."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), each.encode()) for each in given)


class Function(BaseHTTPRequestHandler):
    def do_POST(self):
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(min(size, BODY_BYTES_MAX))
        if not is_genuine(self.headers, body):
            self.send_response(401)
            self.end_headers()
            return
        order, message_id = json.loads(body), self.headers["webhook-id"]
        receipt = receipts.setdefault(
            message_id, f"receipt {len(receipts) + 1} over {order['amount']}"
        )
        answer = json.dumps({"result": {"receipt": receipt}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    ThreadingHTTPServer(("127.0.0.1", port), Function).serve_forever()
