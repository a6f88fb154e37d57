"""The agent that the conformance kit asks: its prompts make it echo, fail and pause."""


def answer(messages, stopped):
    prompt, _, text = messages[-1]["content"].partition(" ")
    if prompt == "conformance:echo":
        for start in range(0, len(text), 9):
            yield {"type": "text-delta", "delta": text[start : start + 9]}
    else:
        yield {"type": "text-delta", "delta": "One moment. "}
        if prompt == "conformance:fail":
            raise RuntimeError("conformance-secret")
        if prompt == "conformance:pause":
            stopped.wait(60)
    yield {"type": "done", "finishReason": "stop"}
