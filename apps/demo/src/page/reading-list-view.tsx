/** A list of what to read, as the demo's agent builds it. */
import { safeUrl } from "./safe-url.ts";

interface ReadingList {
  title: string;
  /** Missing until the first one comes. */
  items?: ReadingListItem[];
}

interface ReadingListItem {
  heading: string;
  document: string;
  url: string;
  words: number;
  summary: string;
}

/** What most people read in a minute. */
const wordsPerMinute = 220;

export function ReadingListView({ list }: { list: ReadingList }) {
  return (
    <ol className="reading-list">
      {list.items?.map(({ heading, document, url, words, summary }, index) => (
        <li key={index}>
          <p>
            <a href={safeUrl(url)} target="_blank" rel="noopener noreferrer">
              {heading}
            </a>
            <span className="muted">
              {document} · {Math.max(1, Math.round(words / wordsPerMinute))} min
            </span>
          </p>
          <p className="summary">{summary}</p>
        </li>
      ))}
    </ol>
  );
}

/** While it grows, the list may have a title only. */
export function isReadingList(data: unknown): data is ReadingList {
  const { title, items } = (data ?? {}) as Partial<ReadingList>;
  return (
    typeof title === "string" &&
    (items === undefined ||
      (Array.isArray(items) &&
        items.every(
          (item) =>
            typeof item?.heading === "string" &&
            typeof item.document === "string" &&
            typeof item.url === "string" &&
            typeof item.words === "number" &&
            typeof item.summary === "string",
        )))
  );
}
