"""Records what is POSTed to it, one JSON object a line on standard output: notify-receiver.py MODE-FILE [SECRET].

The first line is {"port": N}. The mode file says how it answers from now on, read at each request: ok, an HTTP status such as
500, or hang (no answer before the mode is another). With SECRET each line says whether the signature is right.
"""
import hashlib
import hmac
import http.server
import json
import pathlib
import sys
import threading
import time

MODE = pathlib.Path(sys.argv[1])
SECRET = sys.argv[2].encode() if len(sys.argv) > 2 else None
LOCK = threading.Lock()


def say(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


def is_signed(headers, body):
    """By the documentation alone: HMAC-SHA256 of the time, a dot and the body, and the time is now."""
    stamp = headers.get("X-Notification-Timestamp", "")
    right = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return (hmac.compare_digest(headers.get("X-Notification-Signature", ""), f"sha256={right}")
            and abs(time.time() - int(stamp)) < 300)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = MODE.read_text().strip()
        say(path=self.path, id=self.headers.get("X-Notification-Id"), mode=mode, body=json.loads(body),
            signed=is_signed(self.headers, body) if SECRET else None)
        while mode == "hang":
            time.sleep(0.05)
            mode = MODE.read_text().strip()
        try:
            self.send_response(200 if mode == "ok" else int(mode))
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
say(port=server.server_address[1])
server.serve_forever()
