/** The documents that an answer rests on, as links. */
import type { StreamChunkOf } from "@kortyx/client";
import { safeUrl } from "./safe-url.ts";

export function SourceList({ sources }: { sources: Readonly<StreamChunkOf<"source">>[] }) {
  return (
    <div className="sources">
      <h3>Sources</h3>
      <ol aria-label="Sources">
        {sources.map(({ id, title, url }, index) => {
          const href = safeUrl(url);
          const name = title ?? url ?? id;
          return (
            <li key={index}>
              {href === undefined ? (
                <span>{name}</span>
              ) : (
                <a href={href} target="_blank" rel="noopener noreferrer">
                  {name}
                </a>
              )}
            </li>
          );
        })}
      </ol>
    </div>
  );
}
