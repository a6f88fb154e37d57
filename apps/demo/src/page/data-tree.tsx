/**
 * Any JSON value, made readable: objects as names and values, lists as lists, lists of alike objects as tables. Bounded
 * in depth and length, whatever comes.
 */
import type { ReactNode } from "react";
import { WideContent } from "./wide-content.tsx";

const maxDepth = 6;
const maxEntries = 50;
const maxColumns = 5;

type Fields = Record<string, unknown>;

export function DataTree({ value, depth = 0 }: { value: unknown; depth?: number }): ReactNode {
  if (typeof value !== "object" || value === null) return <DataLeaf value={value} />;
  if (depth >= maxDepth) return <code className="leaf">{toJson(value)}</code>;
  if (Array.isArray(value)) {
    if (value.length === 0) return <span className="muted">none</span>;
    const columns = columnsOf(value);
    if (columns !== undefined) return <DataTable rows={value} columns={columns} />;
    return (
      <ul className="tree">
        {value.slice(0, maxEntries).map((item, index) => (
          <li key={index}>
            <DataTree value={item} depth={depth + 1} />
          </li>
        ))}
        <More count={value.length - maxEntries} />
      </ul>
    );
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return <span className="muted">none</span>;
  return (
    <dl className="tree">
      {entries.slice(0, maxEntries).map(([name, field]) => (
        <div key={name} className={isNested(field) ? "nested" : undefined}>
          <dt>{humanize(name)}</dt>
          <dd>
            <DataTree value={field} depth={depth + 1} />
          </dd>
        </div>
      ))}
      {entries.length > maxEntries && (
        <div>
          <dt>…</dt>
          <dd className="muted">{entries.length - maxEntries} more</dd>
        </div>
      )}
    </dl>
  );
}

function DataLeaf({ value }: { value: unknown }) {
  if (value === true) return <span className="leaf yes">Yes</span>;
  if (value === false) return <span className="leaf no">No</span>;
  if (value === null || value === undefined || value === "") return <span className="muted">—</span>;
  if (typeof value === "number") return <span className="leaf number">{value.toLocaleString("en")}</span>;
  return <span className="leaf">{String(value)}</span>;
}

function DataTable({ rows, columns }: { rows: Fields[]; columns: string[] }) {
  return (
    <WideContent label="Table">
      <table>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {humanize(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, maxEntries).map((row, index) => (
            <tr key={index}>
              {columns.map((name) => (
                <td key={name}>
                  <DataLeaf value={row[name]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > maxEntries && <p className="muted">{rows.length - maxEntries} more</p>}
    </WideContent>
  );
}

const More = ({ count }: { count: number }) => (count > 0 ? <li className="muted">{count} more</li> : null);

/** The names that the objects of a list share; undefined when it is no table. */
function columnsOf(items: unknown[]): string[] | undefined {
  const isFlat = items.every(
    (item) =>
      typeof item === "object" &&
      item !== null &&
      !Array.isArray(item) &&
      !Object.values(item).some(isNested),
  );
  if (!isFlat) return undefined;
  const columns = [...new Set((items as Fields[]).slice(0, maxEntries).flatMap(Object.keys))];
  return columns.length >= 2 && columns.length <= maxColumns ? columns : undefined;
}

const isNested = (value: unknown): boolean => typeof value === "object" && value !== null;

/** `firstChunkMs` and `first_chunk` as people write it. */
function humanize(name: string): string {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();
  return words === "" ? name : words[0]!.toUpperCase() + words.slice(1);
}

function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
