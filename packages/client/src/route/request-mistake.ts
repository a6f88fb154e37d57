/**
 * Distinguishes a request that `fetch` rejects because of a developer's mistake from one without a response. Sends
 * nothing.
 */

/**
 * @param thrown - The error of `fetch`.
 * @returns what is wrong and how to fix it; `undefined` if the request could be made.
 */
export function findMistake(url: string | URL, init: RequestInit, thrown: unknown): string | undefined {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  const refusal = refusalOf(url, init);
  // An application's own `fetch` may accept what the global one rejects, and fail for another reason.
  if (refusal !== undefined && reasonOf(refusal) === reasonOf(thrown)) {
    if (URL.canParse(String(url), base)) return refusal.message;
    return `endpoint "${url}" is not a URL; outside a page it must be absolute, such as "https://example.com/api/chat".`;
  }
  const scheme = /^[a-z][a-z\d+.-]*:/i.exec(String(url))?.[0];
  // Pages in desktop and mobile applications have custom schemes, which their `fetch` supports.
  if (scheme && !/^(https?|blob|data):$/i.test(scheme) && !base?.startsWith(scheme)) {
    return `endpoint "${url}" has a scheme that cannot be requested; use "http:" or "https:".`;
  }
  return undefined;
}

function refusalOf(url: string | URL, init: RequestInit): Error | undefined {
  try {
    new Request(url, init);
    return undefined;
  } catch (refusal) {
    return refusal as Error;
  }
}

/** Browsers put the called function before the reason: "Failed to construct 'Request': …", "Window.fetch: …". */
const reasonOf = (error: unknown): string => String((error as Error | null)?.message).replace(/^[^:]*: /, "");
