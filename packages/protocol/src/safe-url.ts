/**
 * Which URLs a message may show. A page puts those of sources and files into links and frames, where a `javascript:` URL,
 * or a document inside a `data:` URL, would run as a program.
 */

const sourceSchemes = /^(https?|mailto|tel)$/;
const fileSchemes = /^(https?|blob)$/;
/** What browsers show as a page that may run scripts. */
const activeTypes = /^(text\/html|(text|application)\/xml|text\/xsl|.*\+xml)$/;

/** A chunk, or a part of a message, whose URL matters if it is a source or a file. */
interface Addressed {
  readonly type: string;
  readonly url?: unknown;
  readonly mediaType?: unknown;
}

/**
 * Removes a URL that is not safe to show: the `url` of a source, and that of a file becomes `""`.
 *
 * Relative URLs pass. So do `http:` and `https:`; `mailto:` and `tel:` for sources; `blob:` and `data:` for files,
 * except a `data:` URL of HTML or XML. One of SVG passes only if the file's own media type is an image: in an image, no
 * script runs.
 *
 * @returns the same object if its URL is safe, or if it is neither a source nor a file.
 */
export function withSafeUrl<Chunk extends Addressed>(chunk: Chunk): Chunk {
  const { type, url } = chunk;
  if ((type !== "source" && type !== "file") || isSafe(chunk, url ?? "")) return chunk;
  if (type === "file") return { ...chunk, url: "" };
  const { url: _, ...rest } = chunk;
  return rest as Chunk;
}

function isSafe({ type, mediaType }: Addressed, url: unknown): boolean {
  if (typeof url !== "string") return false;
  // As the URL standard: leading control characters and spaces, tabs and line breaks do not count.
  const [start, scheme] = /^[\0-\x20]*([a-z][a-z\d+.\-\t\n\r]*):/i.exec(url) ?? [];
  if (start === undefined) return true;
  const name = plain(scheme!);
  if (type === "source") return sourceSchemes.test(name);
  if (name !== "data") return fileSchemes.test(name);
  const [contents] = /^[^,;]*/.exec(url.slice(start.length))!;
  const isImage = typeof mediaType === "string" && /^image\//i.test(mediaType.trim());
  return !activeTypes.test(plain(contents)) || (isImage && plain(contents) === "image/svg+xml");
}

const plain = (text: string): string =>
  text
    .replace(/[\t\n\r]/g, "")
    .trim()
    .toLowerCase();
