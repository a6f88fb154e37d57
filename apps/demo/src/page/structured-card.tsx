/** A structured object while it grows: in a form of its own where the page knows its kind, else as a tree. */
import type { StructuredDataPart } from "@kortyx/client";
import { memo } from "react";
import { DataTree } from "./data-tree.tsx";
import { isReadingList, ReadingListView } from "./reading-list-view.tsx";

export interface StructuredCardProps {
  part: StructuredDataPart;
  /** Whether its answer still does. */
  isGrowing: boolean;
}

export const StructuredCard = memo(function StructuredCard({ part, isGrowing }: StructuredCardProps) {
  const { dataType, data, status } = part;
  const state = status === "done" ? "done" : isGrowing ? "running" : "interrupted";
  const isList = dataType === "reading-list" && isReadingList(data);
  return (
    <div className="card structured" data-testid="structured-data" data-state={state}>
      <header>
        <h3>{isList ? data.title : dataType.replaceAll("-", " ")}</h3>
        {state !== "done" && (
          <span className="card-state" data-state={state}>
            {state === "running" ? "Growing" : "Not complete"}
          </span>
        )}
      </header>
      {isList ? (
        <ReadingListView list={data} />
      ) : (
        <div className="card-body">
          <DataTree value={data} />
        </div>
      )}
    </div>
  );
});
