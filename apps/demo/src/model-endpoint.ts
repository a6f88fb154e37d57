/**
 * Where the demo's model is, from the environment. Reads no file and asks nobody whether the model is there.
 */

/** A model behind an HTTP API like OpenAI's: Ollama, vLLM, and most that are hosted. */
export interface ModelEndpoint {
  /** What `/chat/completions` is appended to: `https://api.openai.com/v1`. */
  baseUrl: string;
  apiKey: string;
  model: string;
}

const names = ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"] as const;

/**
 * Reads the three variables; an empty one counts as unset.
 *
 * @returns `undefined` when none is set.
 * @throws Error that says which variable is missing or wrong, and never what the key is.
 */
export function readModelEndpoint(env: Record<string, string | undefined>): ModelEndpoint | undefined {
  const [baseUrl, apiKey, model] = names.map((name) => env[name]?.trim() || undefined);
  const missing = names.filter((name) => !env[name]?.trim());
  if (missing.length === names.length) return undefined;
  if (baseUrl === undefined || apiKey === undefined || model === undefined) {
    const present = names.filter((name) => !missing.includes(name));
    throw new Error(
      `${present.join(" and ")} without ${missing.join(" and ")}: set all three to use a model, or none. ` +
        "For a model that needs no key, set any.",
    );
  }
  checkBaseUrl(baseUrl);
  // Anything else would be no HTTP header.
  if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new Error("OPENAI_API_KEY holds characters that no key has.");
  return { baseUrl: baseUrl.replace(/\/+$/, ""), apiKey, model };
}

function checkBaseUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new Error("OPENAI_BASE_URL is no address. It looks like https://api.openai.com/v1.");
  }
  // They would be printed wherever the address is.
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new Error("OPENAI_BASE_URL must have no password, no `?` and no `#` in it.");
  }
}
