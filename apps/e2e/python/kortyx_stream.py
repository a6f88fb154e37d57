"""A reader and a writer of Kortyx streams, by the rules of docs/protocol.md."""
import codecs, json, logging, re

# The types after which an earlier error was a warning.
CONTINUING = re.compile(r"""(text|reasoning)-(start|delta)|message|tool-(result|call-\w+)|step-start
|interrupt|structured-data(-invalidated)?|data|source|file|session|run-start|transition|abort""",
    re.VERBOSE)


class StreamError(ValueError):
    """The stream violates the protocol, or was cut off."""


class Reader:
    """Turns the bytes of an answer into chunks, those of unknown types included."""

    def __init__(self):
        self.last_event_id, self.position, self.last = "", None, None
        self.error = self.retry_ms = None
        self.begin_response()

    def begin_response(self):
        self.utf8, self.skipped = codecs.getincrementaldecoder("utf-8")("replace"), "\ufeff"
        self.rest, self.block, self.done = "", {}, False

    def feed(self, piece):
        if text := self.utf8.decode(piece):
            *lines, self.rest = re.split(r"\r\n|\r|\n", self.rest + text.removeprefix(self.skipped))
            self.skipped = "\n" if text.endswith("\r") else ""
            for line in lines:
                if not self.done and (chunk := self.read_line(line)):
                    yield chunk

    def read_line(self, line):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            block, self.block = self.block, {}
            return self.read_block(**block)
        if name == "data":
            self.block.setdefault("data", []).append(value)
        elif name == "event" or name == "id" and "\0" not in value:
            self.block[name] = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry_ms = int(value)

    def read_block(self, data=None, event="", id=None):
        chunk = text = "\n".join(data) if data and event in ("", "message") else None
        if text == "[DONE]":
            self.done = True
            return None
        parts = re.fullmatch(r"(?=.{3,128}$)([!-~]+)\.(0|[1-9][0-9]{0,14})", id or "")
        position = parts and (parts[1], int(parts[2]))
        if position and self.position:
            run, number = self.position
            if position[0] == run and position[1] <= number:
                return None
            if position != (run, number + 1):
                raise StreamError(f"Events are missing before {id}.")
        if text is not None:
            chunk = json.loads(text, parse_constant=int)  # NaN is not JSON, and int refuses it.
            if not isinstance(chunk, dict) or not isinstance(chunk.get("type"), str):
                raise StreamError(f"Not a chunk: {text[:60]}")
            self.last = chunk["type"]
            is_reasoned = self.last == "done" and chunk.get("finishReason") is not None
            continues = is_reasoned or CONTINUING.fullmatch(self.last)
            self.error = chunk if self.last == "error" else None if continues else self.error
        self.position = position or self.position
        self.last_event_id = self.last_event_id if id is None else id
        return chunk

    def outcome(self):
        """What the answer is if its body ends now: done, failed, aborted or truncated."""
        ends = self.done and (not self.position or self.last == "error")
        if not ends and self.last not in ("done", "abort"):
            return "truncated"
        return "aborted" if self.last == "abort" else "failed" if self.error else "done"


def write_answer(chunks, run_id=None, first=0):
    """Yields the events of a complete answer; those of a run have ids, from the first position."""
    for position, chunk in enumerate(chunks, first):
        # ASCII: what ends a line for some readers is escaped, like everything beyond it.
        text = json.dumps(chunk, separators=(",", ":"), allow_nan=False)
        yield (f"id: {run_id}.{position}\n" if run_id else "") + f"data: {text}\n\n"
    yield "data: [DONE]\n\n"


def complete(chunks):
    """Yields the chunks up to the end of the answer. An exception becomes an error."""
    try:
        for chunk in chunks:
            yield chunk
            if chunk["type"] in ("done", "abort"):
                return
        yield {"type": "done"}
    except Exception:
        logging.exception("The agent failed.")
        yield {"type": "error", "message": "Something went wrong.", "code": "internal"}
