/** Decides which addresses from an agent may become a link. */

/** @returns the address; undefined when it is not one of a page, such as `javascript:` or `data:`. */
export function safeUrl(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url, location.href)) return undefined;
  return ["http:", "https:"].includes(new URL(url, location.href).protocol) ? url : undefined;
}
