/**
 * What can go wrong between the demo and a model, in words for the user. What the endpoint itself said is for the log:
 * some repeat the key that they refuse.
 */

export type ModelErrorCode =
  | "model-unauthorized"
  | "model-not-found"
  | "model-rate-limited"
  | "model-refused"
  | "model-unavailable"
  | "model-unreachable"
  | "model-timeout"
  | "model-bad-answer"
  | "model-failed"
  | "model-cut"
  | "model-too-many-rounds";

const messages: Record<ModelErrorCode, string> = {
  "model-unauthorized": "The model's endpoint did not accept OPENAI_API_KEY.",
  "model-not-found": "The endpoint does not know the model. Is OPENAI_MODEL right, and OPENAI_BASE_URL?",
  "model-rate-limited": "The model has too much to do, or its quota is used up. Please try again later.",
  "model-refused": "The model's endpoint refused the request.",
  "model-unavailable": "The model's endpoint has a problem of its own. Please try again later.",
  "model-unreachable": "The model's endpoint cannot be reached. Is OPENAI_BASE_URL right, and is it running?",
  "model-timeout": "The model has stopped answering.",
  "model-bad-answer": "The endpoint does not answer as a model would. Is OPENAI_BASE_URL right?",
  "model-failed": "The model failed while it answered.",
  "model-cut": "The connection to the model broke before the answer was complete.",
  "model-too-many-rounds": "The model kept searching and gave no answer.",
};

/** Failures that may be over at the next attempt, without anybody changing anything. */
const retryableCodes = new Set<ModelErrorCode>([
  "model-rate-limited",
  "model-unavailable",
  "model-unreachable",
  "model-timeout",
  "model-failed",
  "model-cut",
]);

/** Its message is for the user, its detail for the log. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly code: ModelErrorCode;
  readonly detail: string;
  readonly retryable: boolean;

  constructor(code: ModelErrorCode, detail: string) {
    super(messages[code]);
    this.code = code;
    this.detail = detail;
    this.retryable = retryableCodes.has(code);
  }
}

/** What a refused request means, by its HTTP status. */
export function codeOfStatus(status: number): ModelErrorCode {
  if (status === 401 || status === 403) return "model-unauthorized";
  if (status === 404) return "model-not-found";
  if (status === 429) return "model-rate-limited";
  return status >= 500 ? "model-unavailable" : "model-refused";
}
