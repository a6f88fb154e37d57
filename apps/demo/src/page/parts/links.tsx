/** Links to what an agent names: its sources and files. Only addresses of pages become links. */
import type { FileMessagePart, StreamChunkOf } from "@kortyx/client";
import type { ReactNode } from "react";
import { Icon } from "../icon.tsx";

/** Plain text for `javascript:`, `data:` and other addresses that are not those of a page. */
export function SafeLink({ url = "", children }: { url?: string | undefined; children: ReactNode }) {
  const { protocol } = URL.canParse(url, location.href) ? new URL(url, location.href) : { protocol: "" };
  if (url === "" || !["http:", "https:"].includes(protocol)) return <span>{children}</span>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

export function SourceList({ sources }: { sources: Readonly<StreamChunkOf<"source">>[] }) {
  return (
    <div className="sources">
      <h3 className="label">Sources</h3>
      <ol aria-label="Sources">
        {sources.map(({ id, title, url }, index) => (
          <li key={index}>
            <SafeLink url={url}>{title ?? url ?? id}</SafeLink>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** A link also for an image: the Content-Security-Policy shows nothing from other servers. */
export function FileLink({
  file: { name, mediaType, url },
}: {
  file: Pick<FileMessagePart, "name" | "mediaType" | "url">;
}) {
  return (
    <p className="file">
      <Icon name="file" />
      <SafeLink url={url}>{name ?? mediaType}</SafeLink>
      {name !== undefined && <span className="muted">{mediaType}</span>}
    </p>
  );
}
