"""Asks a chat route, by the rules of docs/protocol.md, and resumes an answer that is cut off."""
import http.client, json, random, time, urllib.error, urllib.request
from kortyx_stream import Reader, StreamError


def ask(url, body, reader):
    """Yields the chunks of the answer to a request."""
    headers = {"accept": "text/event-stream", "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    deadline = time.monotonic() + 900
    while True:
        wait = None
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                if response.headers.get_content_type() != "text/event-stream":
                    raise StreamError(f"Status {response.status}, and not a stream.")
                reader.begin_response()
                while piece := response.read1(65536):
                    yield from reader.feed(piece)
        except urllib.error.HTTPError as error:
            is_passing = error.code >= 500 or error.code in (408, 425, 429)
            if not reader.position or not is_passing or error.code in (501, 505):
                raise
            wait = error.headers.get("retry-after")
        except (OSError, http.client.HTTPException):
            if not reader.position:
                raise
        if reader.outcome() != "truncated":
            return
        if not reader.position or time.monotonic() > deadline:
            raise StreamError("The answer was cut off.")
        time.sleep(float(wait or (reader.retry_ms or 3000) / 1000) * random.uniform(1, 1.3))
        headers["last-event-id"] = reader.last_event_id
        request = urllib.request.Request(url, headers=headers)
