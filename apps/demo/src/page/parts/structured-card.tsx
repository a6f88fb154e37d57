/** A structured object while it grows: as a list where the page knows its type, otherwise as JSON. */
import type { StructuredDataPart } from "@kortyx/client";
import { memo } from "react";
import type { ReadingList } from "../../agent/reading-list.ts";
import { SafeLink } from "./links.tsx";

export interface StructuredCardProps {
  part: StructuredDataPart;
  /** Whether its answer is still growing. */
  isGrowing: boolean;
}

export const StructuredCard = memo(function StructuredCard({ part, isGrowing }: StructuredCardProps) {
  const { dataType, data, status } = part;
  const state = status === "done" ? "done" : isGrowing ? "running" : "interrupted";
  const list = dataType === "reading-list" && isReadingList(data) ? data : undefined;
  return (
    <div className="card structured" data-testid="structured-data" data-state={state}>
      <header className="card-title">
        <h3 className="card-name one-line">{list?.title ?? dataType.replaceAll("-", " ")}</h3>
        {state !== "done" && (
          <span className="state" data-state={state}>
            {state === "running" ? "Growing" : "Not complete"}
          </span>
        )}
      </header>
      {list ? (
        <ReadingListView list={list} />
      ) : (
        <pre className="card-body">{JSON.stringify(data, null, 2)}</pre>
      )}
    </div>
  );
});

/** A list begins with its title, and gets its items later. */
type GrowingList = Pick<ReadingList, "title"> & Partial<ReadingList>;

const ReadingListView = ({ list: { items = [] } }: { list: GrowingList }) => (
  <ol className="reading-list">
    {items.map(({ heading, page, url, summary }, index) => (
      <li key={index}>
        <p>
          <SafeLink url={url}>{heading}</SafeLink>
          <span className="muted">{page}</span>
        </p>
        <p className="muted">{summary}</p>
      </li>
    ))}
  </ol>
);

/** The data of a stream is whatever its agent sent. */
function isReadingList(data: unknown): data is GrowingList {
  const { title, items = [] } = (data ?? {}) as Partial<GrowingList>;
  return (
    typeof title === "string" &&
    Array.isArray(items) &&
    items.every((item) =>
      [item?.heading, item?.page, item?.url, item?.summary].every((field) => typeof field === "string"),
    )
  );
}
