/** Explains in words why an answer is missing or not complete. Renders nothing. */
import {
  type AssistantUIMessage,
  ChatStateError,
  isStreamError,
  StreamHttpError,
  StreamProtocolError,
  StreamRemoteError,
} from "@kortyx/client";

/** A message to the user. */
export interface Description {
  title: string;
  detail: string;
  /** The id under which the server has logged the failure. */
  reference?: string | undefined;
}

const cutOff: Description = {
  title: "The answer was cut off",
  detail: "The connection broke before the answer was complete. The answer so far is kept.",
};
const inProgress: Description = {
  title: "Another answer is in progress",
  detail: "It may be in another tab. Stop it there, or wait until it has ended.",
};
const tooLate: Description = {
  title: "This question can no longer be answered",
  detail: "It was answered before, has expired, or the demo was restarted. Please ask again.",
};
const tooLong: Description = {
  title: "The question is too long",
  detail: "Please shorten it, or attach less: at most 700 kB.",
};
const unreadable: Description = {
  title: "The answer could not be read",
  detail: "The server sent something that this page does not understand. The answer so far is kept.",
};

/** By the `code` of the error. */
const descriptions: Record<string, Description> = {
  truncated: cutOff,
  busy: inProgress,
  idle: {
    title: "The connection went silent",
    detail: "Nothing has arrived for a while, so the answer is not complete. The part so far is kept.",
  },
  connection: {
    title: "The server could not be reached",
    detail: "Are you online, and is the demo still running?",
  },
  "content-type": {
    title: "Something else responded",
    detail: "Something between this page and the server responded instead, such as a login page.",
  },
};

/** Why an answer ends where it ends, or could not be continued; `undefined` for one that is complete or still growing. */
export function describeEnding(message: AssistantUIMessage, error?: Error): Description | undefined {
  switch (message.status) {
    case "truncated":
      // A failure to reconnect is not what cut the answer off.
      return error === undefined || ["http-status", "connection"].includes(codeOf(error))
        ? cutOff
        : describeError(error);
    case "error":
      return describeError(message.error === undefined ? error : new StreamRemoteError(message.error));
    case "aborted":
      return describeAbort(message.abortReason);
    default:
      return error && describeError(error);
  }
}

export function describeError(error: unknown): Description {
  if (error instanceof ChatStateError && error.code === "too-large") return tooLong;
  if (error instanceof StreamProtocolError) return unreadable;
  if (error instanceof StreamHttpError) return describeStatus(error);
  if (error instanceof StreamRemoteError) {
    const { message, correlationId } = error.chunk;
    return { title: "The answer failed", detail: message, reference: correlationId };
  }
  const fallback = { title: "Something went wrong on this page", detail: "Please try again." };
  return descriptions[codeOf(error)] ?? fallback;
}

const codeOf = (error: unknown): string => (isStreamError(error) ? error.code : "");

function describeStatus({ status, message, body, retryAfterMs = 0 }: StreamHttpError): Description {
  const { correlationId: reference, code = "" } = (body ?? {}) as { correlationId?: string; code?: string };
  const again = `Please try again in ${retryAfterMs > 0 ? `${Math.ceil(retryAfterMs / 1000)} s` : "a moment"}.`;
  if (["already-answered", "interrupt-expired", "invalid-resume-token"].includes(code)) return tooLate;
  if (status === 401 || status === 403) return { title: "You are not signed in", detail: "Reload the page." };
  if (status === 409) return inProgress;
  if (status === 413) return tooLong;
  if (status === 429) return { title: "Too many questions", detail: again };
  if (status === 503) return { title: "The server is busy or restarting", detail: again };
  const title = status >= 500 ? "The server failed" : "The server did not accept the question";
  return { title, detail: message, reference };
}

const aborts: Record<string, Description> = {
  stopped: { title: "Stopped", detail: "This answer is not complete." },
  timeout: { title: "Out of time", detail: "The answer took longer than the server allows." },
  shutdown: { title: "The server was shut down", detail: "This answer is not complete." },
};

const describeAbort = (reason = "stopped"): Description =>
  aborts[reason] ?? { title: "Stopped by the server", detail: reason };
