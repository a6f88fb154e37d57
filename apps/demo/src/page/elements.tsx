/** The smallest elements of the page: icons, buttons, and links to what an agent names, its sources and files. */
import type { FileMessagePart, StreamChunkOf } from "@kortyx/client";
import type { ReactNode } from "react";

const shapes = {
  logo: "M5 7h14M5 12h10M5 17h5M15 17h.01",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7.5 7.5h9v9h-9z",
  end: "M12 5v14M6 13l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  stream: "M3 12h4l3-7 4 14 3-7h4",
  chevron: "m9 6 6 6-6 6",
  tool: "M13 3 5.5 13.5h5.5l-1 7.5 8.5-11H13z",
  thought: "M9 18h6M10 21h4M8.5 15c-1.5-1.2-2.5-3-2.5-5a6 6 0 0 1 12 0c0 2-1 3.8-2.5 5z",
  question: "M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .9-1 1.7M12 17h.01",
  file: "M14 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V7zM14 3v4h4",
  regenerate: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  copy: "M11 9h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2M5 15V5a1 1 0 0 1 1-1h9",
  attach: "m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 4.8 4.8L9.4 17.2a1.7 1.7 0 0 1-2.4-2.4L15 7",
  remove: "M7 7l10 10M17 7 7 17",
  check: "m5 12 5 5 9-10",
};

/** In the colour of the text around it. */
export function Icon({ name, size = 16 }: { name: keyof typeof shapes; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={name === "stop" ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={shapes[name]} />
    </svg>
  );
}

/** A button that submits no form. */
export const Button = ({ onClick, children }: { onClick: () => void; children: ReactNode }) => (
  <button type="button" className="button" onClick={onClick}>
    {children}
  </button>
);

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
      <ol className="muted" aria-label="Sources">
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
export function FileLink({ file }: { file: Pick<FileMessagePart, "name" | "mediaType" | "url"> }) {
  const { name, mediaType, url } = file;
  return (
    <p className="file">
      <Icon name="file" />
      <SafeLink url={url}>{name ?? mediaType}</SafeLink>
      {name !== undefined && <span className="muted">{mediaType}</span>}
    </p>
  );
}
