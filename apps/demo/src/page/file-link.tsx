/** A file that belongs to an answer, as a link: the Content-Security-Policy shows nothing from elsewhere. */
import type { StreamChunkOf } from "@kortyx/client";
import { FileIcon } from "./icons.tsx";
import { safeUrl } from "./safe-url.ts";

export function FileLink({ file }: { file: Readonly<StreamChunkOf<"file">> }) {
  const { name, mediaType, url } = file;
  const href = safeUrl(url);
  return (
    <p className="file">
      <FileIcon />
      {href === undefined ? (
        <span>{name ?? mediaType}</span>
      ) : (
        <a href={href} target="_blank" rel="noopener noreferrer">
          {name ?? mediaType}
        </a>
      )}
      {name !== undefined && <span className="muted">{mediaType}</span>}
    </p>
  );
}
