"""Checks the body of a request, by section 5 of docs/protocol.md."""
import re


ids = ("sessionId", "workflowId", "messageId")


class Refusal(Exception):
    """A response without a stream."""


def check(body):
    """Refuses a body with a wrong field."""
    issues = []

    def expect(path, holds, expected, value):
        if not holds:
            issues.append({"path": path, "expected": expected, "received": type(value).__name__})

    if not isinstance(body, dict):
        raise invalid([{"path": "", "expected": "an object", "received": type(body).__name__}])
    fields = {name: value for name, value in body.items() if value is not None}
    for name in ids:
        if isinstance(fields.get(name), str):
            fields[name] = fields[name].strip()
        if fields.get(name) == "":
            del fields[name]
    lists = {name: fields.get(name, []) for name in ("messages", "resumes", "toolResults", "tools")}
    expect("messages", "messages" in fields, "a list", None)
    for name, items in lists.items():
        is_list = isinstance(items, list) and all(isinstance(item, dict) for item in items)
        expect(name, is_list, "a list of objects", items)
        for index, item in enumerate(items if is_list else []):
            path, has = f"{name}.{index}", lambda field: isinstance(item.get(field), str)
            if name == "messages":
                expect(f"{path}.role", item.get("role") in ("user", "assistant", "system"), "a role", None)
                expect(f"{path}.content", has("content"), "a string", item.get("content"))
            elif name == "resumes":
                expect(path, has("requestId") and has("resumeToken"), "requestId and resumeToken", None)
            elif name == "toolResults":
                expect(path, has("toolCallId") and has("tool"), "toolCallId and tool", None)
            else:
                expect(path, has("name") and has("description"), "name and description", None)
    expect("context", isinstance(fields.get("context", {}), dict), "an object", fields.get("context"))
    expect("stream", isinstance(fields.get("stream", True), bool), "a boolean", fields.get("stream"))
    trigger = fields.get("trigger", "send")
    expect("trigger", trigger in ("send", "regenerate", "continue"), "send, regenerate, continue", trigger)
    for name in ids:
        value = fields.get(name, "")
        expect(name, isinstance(value, str) and len(value) <= 256, "at most 256 characters", value)
    key = fields.get("idempotencyKey", "k")
    expect("idempotencyKey", is_key(key), "1 to 128 visible ASCII characters", key)
    if issues:
        raise invalid(issues)
    return fields


def is_key(value):
    return isinstance(value, str) and re.fullmatch("[!-~]{1,128}", value)


def invalid(issues):
    return Refusal(400, "invalid-request", "The request has wrong fields.", issues)
