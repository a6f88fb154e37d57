/**
 * One request to a model behind an API like OpenAI's, and its answer as it arrives. Owns the endpoint and what can go wrong
 * on the way; does not know what the model is asked.
 */
import { EventSourceParserStream } from "eventsource-parser/stream";

export interface ModelEndpoint {
  /** `/chat/completions` is appended to it: `https://api.openai.com/v1`. */
  baseUrl: string;
  apiKey: string;
  model: string;
}

/** The fields of a `chat.completion.chunk` that the demo reads; any of them may be missing. */
export interface CompletionPiece {
  choices?: { delta?: CompletionDelta; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
}

interface CompletionDelta {
  content?: string | null;
  /** Ollama and OpenRouter write `reasoning`, vLLM and DeepSeek `reasoning_content`. */
  reasoning?: string | null;
  reasoning_content?: string | null;
  tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

/** The message is for the user. The detail is for the log: some endpoints repeat the key that they refuse. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly detail: string;

  constructor(message: string, detail: string) {
    super(message);
    this.detail = detail;
  }
}

const variables = ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"] as const;

/** @throws Error if only some of the three variables are set, or the address is not a URL. */
export function readModelEndpoint(env: Record<string, string | undefined>): ModelEndpoint | undefined {
  const missing = variables.filter((name) => !env[name]?.trim());
  if (missing.length === variables.length) return undefined;
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(" and ")} missing: set all of ${variables.join(", ")} to use a model, or none. ` +
        "For a model that needs no key, set any.",
    );
  }
  const [baseUrl = "", apiKey = "", model = ""] = variables.map((name) => env[name]!.trim());
  if (!/^https?:\/\/[^@?#]+$/.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new Error("OPENAI_BASE_URL is not an address such as https://api.openai.com/v1.");
  }
  return { baseUrl: baseUrl.replace(/\/+$/, ""), apiKey, model };
}

/**
 * Sends the request, and yields the answer until it is complete. Leaving the loop ends the request.
 *
 * @throws ModelError for everything that goes wrong, a cut answer included; the signal's reason when it is aborted.
 */
export async function* streamCompletion(
  { baseUrl, apiKey, model }: ModelEndpoint,
  request: object,
  signal: AbortSignal | undefined,
): AsyncGenerator<CompletionPiece> {
  try {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ ...request, model, stream: true, stream_options: { include_usage: true } }),
      // The key is for this address, not for the one that it may lead to.
      redirect: "error",
      signal: signal ?? null,
    });
    if (!response.ok) throw new ModelError(describeStatus(response.status), await response.text());
    const events = response
      .body!.pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    let isFinished = false;
    for await (const { data } of events) {
      if (data === "[DONE]") return;
      const piece = JSON.parse(data) as CompletionPiece & { error?: unknown };
      if (piece.error) throw new ModelError("The model failed while it answered.", data);
      isFinished ||= Boolean(piece.choices?.[0]?.finish_reason);
      yield piece;
    }
    if (!isFinished)
      throw new ModelError("The model's answer was cut off.", "No finish_reason and no [DONE].");
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ModelError) throw error;
    const { cause } = error as Error;
    const message =
      "The model's endpoint cannot be reached, or does not answer as a model. Check OPENAI_BASE_URL.";
    throw new ModelError(message, `${error} ${cause ?? ""}`);
  }
}

function describeStatus(status: number): string {
  if (status === 401 || status === 403) return "The model's endpoint refuses OPENAI_API_KEY.";
  if (status === 404) return "The endpoint does not know the model. Check OPENAI_MODEL and OPENAI_BASE_URL.";
  if (status === 429) return "The model is busy, or its quota is used up. Please try again later.";
  return `The model's endpoint refused the request with status ${status}.`;
}
