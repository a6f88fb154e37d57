/**
 * Says in words why an answer is missing or not whole. Renders nothing, and knows no request.
 */
import { type AssistantUIMessage, isStreamError, StreamHttpError, StreamRemoteError } from "@kortyx/client";

/** What the user is told. */
export interface Description {
  title: string;
  detail: string;
  /** The id under which the server has logged what happened. */
  reference?: string | undefined;
}

const cutOff: Description = {
  title: "The answer was cut off",
  detail: "The connection broke before the answer was complete. What has arrived is kept.",
};
const underWay: Description = {
  title: "An answer is still under way",
  detail: "Perhaps in another tab. Stop it there, or wait until it has ended.",
};

/** Why an answer ends where it ends; undefined for one that is whole or still growing. */
export function describeEnding(message: AssistantUIMessage, error?: Error): Description | undefined {
  switch (message.status) {
    case "truncated":
      // After a reload, nobody knows any more what it was; what reconnecting ran into is not what cut it off.
      return error === undefined || ["http-status", "connection"].includes(codeOf(error))
        ? cutOff
        : describeError(error);
    case "error":
      return describeError(message.error === undefined ? error : new StreamRemoteError(message.error));
    case "aborted":
      return describeAbort(message.abortReason);
    default:
      return undefined;
  }
}

export function describeError(error: unknown): Description {
  if (error instanceof StreamHttpError) return describeStatus(error);
  if (error instanceof StreamRemoteError) {
    const { message, correlationId } = error.chunk;
    return { title: "The answer failed", detail: message, reference: correlationId };
  }
  switch (codeOf(error)) {
    case "truncated":
      return cutOff;
    case "idle":
      return {
        title: "The connection went silent",
        detail: "Nothing has arrived for a while, so the answer is not complete. What has arrived is kept.",
      };
    case "connection":
      return {
        title: "The server could not be reached",
        detail: "Are you online, and is the demo still running?",
      };
    case "busy":
      return underWay;
    case "content-type":
      return {
        title: "Something else answered",
        detail: "Between this page and the server, something answered in its place, such as a login page.",
      };
    case "too-large":
      return { title: "The answer is too large", detail: "It holds more at once than this page reads." };
    case "invalid-json":
    case "invalid-chunk":
    case "invalid-structured-data":
    case "sequence-gap":
      return {
        title: "The answer could not be read",
        detail: "The server sent something that this page does not understand. What came before is kept.",
      };
    default:
      return { title: "Something went wrong on this page", detail: "Please try again." };
  }
}

const codeOf = (error: unknown): string => (isStreamError(error) ? error.code : "");

function describeStatus({ status, body, retryAfterMs }: StreamHttpError): Description {
  const { error, correlationId } = (body ?? {}) as { error?: unknown; correlationId?: unknown };
  const reference = typeof correlationId === "string" ? correlationId : undefined;
  const said = typeof error === "string" ? error : `It answered with status ${status}.`;
  const wait =
    retryAfterMs === undefined ? "in a moment" : `in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s`;
  if (status === 401 || status === 403) {
    return { title: "You are not signed in", detail: "The server answers only who has signed in." };
  }
  if (status === 409) return underWay;
  if (status === 413) return { title: "The question is too long", detail: "Please shorten it." };
  if (status === 429) return { title: "Too many questions", detail: `Please try again ${wait}.` };
  if (status === 503)
    return { title: "The server is busy or restarting", detail: `Please try again ${wait}.` };
  if (status >= 500) return { title: "The server failed", detail: said, reference };
  return { title: "The server did not take the question", detail: said, reference };
}

function describeAbort(reason: string | undefined): Description {
  switch (reason) {
    case undefined:
    case "stopped":
      return { title: "Stopped", detail: "This answer is not complete." };
    case "timeout":
      return { title: "Out of time", detail: "The answer took longer than the server allows." };
    case "shutdown":
      return { title: "The server was shut down", detail: "This answer is not complete." };
    default:
      return { title: "Stopped by the server", detail: reason };
  }
}
