"""A chat server with runs in memory, by the rules of docs/protocol.md. Prints its URL."""
import json, re, threading, urllib.parse, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from conformance_agent import answer
from kortyx_request import Refusal, check, is_key
from kortyx_stream import complete, write_answer

runs, keys, stopped_keys, lock = {}, {}, set(), threading.Lock()


class Run:
    """The log of an answer. One thread writes it; every connection reads it."""

    def __init__(self, body):
        self.id, self.body, self.log, self.ended = uuid.uuid4().hex, body, [], threading.Event()
        self.changed = threading.Condition()

    def append(self, chunk):
        with self.changed:
            if self.ended.is_set():
                return
            self.log.append(chunk)
            if chunk["type"] in ("done", "abort", "error"):
                self.ended.set()
            self.changed.notify_all()

    def write(self):
        for chunk in complete(answer(self.body["messages"], self.ended)):
            self.append(chunk)

    def follow(self, position):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: len(self.log) > position or self.ended.is_set())
                chunks = self.log[position:]
                if not chunks:
                    return
            yield from chunks
            position += len(chunks)


def open_run(body):
    """The run of a request: a new one, or that of its key."""
    key = body.get("idempotencyKey")
    with lock:
        if key and key in keys:
            if keys[key].body != body:
                raise Refusal(409, "key-conflict", "The key was used for another request.")
            return keys[key]
        run = Run(body)
        runs[run.id] = run
        if key:
            keys[key] = run
    run.append({"type": "run-start", "runId": run.id})
    if key in stopped_keys:
        run.append({"type": "abort", "reason": "stopped"})
    else:
        threading.Thread(target=run.write, daemon=True).start()
    return run


def find_run(run_id):
    if run_id is None:
        raise Refusal(400, "missing-run", "The request names no answer.")
    if run_id not in runs:
        raise Refusal(404, "run-not-found", "There is no such answer.")
    return runs[run_id]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.headers.get_content_type() != "application/json":
            raise Refusal(415, "unsupported-media-type", "The content type must be JSON.")
        try:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])).decode())
        except ValueError:
            raise Refusal(400, "invalid-json", "The body is not JSON.") from None
        run = open_run(check(body))
        if run.body.get("stream", True):
            reads_ids = self.cursor or "text/event-stream" in self.headers.get("accept", "")
            if self.cursor not in (None, run.id):
                raise Refusal(400, "invalid-cursor", "The event id belongs to another run.")
            self.send_run(run, self.position(), reads_ids or "idempotencyKey" in run.body)
        else:
            chunks = list(run.follow(0))
            text = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta")
            error = {"error": chunk for chunk in chunks if chunk["type"] == "error"}
            self.send_json(500 if error else 200, {"chunks": chunks, "text": text, "structured": [], **error})

    def do_GET(self):
        run = find_run(self.cursor or self.query.get("run"))
        self.send_run(run, self.position(self.query.get("after")), True)

    def do_DELETE(self):
        key = self.query.get("key")
        if key is not None and not is_key(key):
            raise Refusal(400, "invalid-key", "A key is 1 to 128 visible ASCII characters.")
        if key is not None and key not in keys:
            stopped_keys.add(key)
            return self.send_json(202, {"runId": None, "terminal": None})
        run = keys[key] if key is not None else find_run(self.query.get("run"))
        run.append({"type": "abort", "reason": "stopped"})
        self.send_json(200, {"runId": run.id, "terminal": run.log[-1]})

    def do_PUT(self):
        raise Refusal(405, "method-not-allowed", "The server supports POST, GET and DELETE.")

    do_PATCH = do_PUT

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    @property
    def cursor(self):
        """The run of the last event id."""
        last = self.headers.get("last-event-id")
        if last is None:
            return None
        found = re.fullmatch(r"(?=.{3,128}$)([!-~]+)\.(0|[1-9][0-9]{0,14})", last)
        if not found:
            raise Refusal(400, "invalid-cursor", "The event id is malformed.")
        return found[1]

    def position(self, after=None):
        """Where the connection begins to read."""
        after = self.headers["last-event-id"].rpartition(".")[2] if self.cursor else after
        if after is None:
            return 0
        if not re.fullmatch("0|[1-9][0-9]{0,14}", after):
            raise Refusal(400, "invalid-cursor", "The position is malformed.")
        return int(after) + 1

    def send_run(self, run, position, has_ids):
        if run.ended.is_set() and position >= len(run.log):
            return self.send_head(204, {})
        head = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}
        self.send_head(200, head)
        self.wfile.write(b":hb=0\n\n")  # No heartbeats.
        for event in write_answer(run.follow(position), run.id if has_ids else None, position):
            self.wfile.write(event.encode())

    def send_json(self, status, body):
        self.send_head(status, {"content-type": "application/json"})
        self.wfile.write(json.dumps(body).encode())

    def send_head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except Refusal as refusal:
            status, code, text, *issues = refusal.args
            self.send_json(status, {"error": text, "code": code, **({"issues": issues[0]} if issues else {})})
        except OSError:
            pass  # The client has left.

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
