/**
 * Tells a request that `fetch` refuses, because of a mistake of the developer's, from one that got no response. Sends
 * nothing.
 */

/**
 * @param thrown - What `fetch` threw.
 * @returns what is wrong, and what to do about it; `undefined` where the request could be made.
 */
export function findMistake(url: string | URL, init: RequestInit, thrown: unknown): string | undefined {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  const refusal = refusalOf(url, init);
  // A `fetch` of the application's own may take what the global one refuses, and fail for another reason.
  if (refusal !== undefined && reasonOf(refusal) === reasonOf(thrown)) {
    if (URL.canParse(String(url), base)) return refusal.message;
    return `endpoint "${url}" is not a URL; outside of a page it must be absolute, such as "https://example.com/api/chat".`;
  }
  const scheme = /^[a-z][a-z\d+.-]*:/i.exec(String(url))?.[0];
  // Pages of a desktop or mobile application have schemes of their own, which their `fetch` knows.
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

/** Browsers put what was called before the reason: "Failed to construct 'Request': …", "Window.fetch: …". */
const reasonOf = (error: unknown): string => String((error as Error | null)?.message).replace(/^[^:]*: /, "");
