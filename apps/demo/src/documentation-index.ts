/**
 * The search over a repository's Markdown, as it is on the disk at the moment of the question. Owns what has been read
 * of the files; how sections are ranked is the matter of `section-search.ts`.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listMarkdownFiles } from "./list-markdown-files.ts";
import { type MarkdownSection, parseMarkdownSections } from "./markdown-sections.ts";
import {
  createSectionSearch,
  type DocumentationSearch,
  isInside,
  type SectionSearch,
} from "./section-search.ts";

interface SearchOptions {
  /** Searches only this file, or the files below this folder. @defaultValue all files */
  path?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** There is nothing at the path that was to be searched. Its message may be shown to the user. */
export class UnknownPathError extends Error {
  override readonly name = "UnknownPathError";
}

export interface DocumentationIndex {
  /**
   * Searches the files as they are now.
   *
   * @throws UnknownPathError when no file is at the path.
   * @throws The signal's reason when it is aborted.
   */
  search(query: string, options?: SearchOptions): Promise<DocumentationSearch>;
  /** The sections of all files, in order: the same array until a file is added, removed or changed. */
  readSections(signal?: AbortSignal): Promise<readonly MarkdownSection[]>;
  /** The source of a file; `undefined` for everything that is not one of the indexed files. */
  readDocument(path: string): Promise<string | undefined>;
}

interface Snapshot {
  /** The paths and versions of the files, to tell whether anything has changed. */
  key: string;
  paths: Set<string>;
  sections: MarkdownSection[];
  search: SectionSearch;
}

/** Creates an index over the Markdown files below `root`. Nothing is read before the first question. */
export function createDocumentationIndex(root: string): DocumentationIndex {
  /** Of each file that was parsed, so that one changed file does not make all others be read again. */
  let parsed = new Map<string, { version: string; sections: MarkdownSection[] }>();
  let snapshot: Snapshot | undefined;

  async function refresh(signal: AbortSignal | undefined): Promise<Snapshot> {
    const files = await listMarkdownFiles(root, signal);
    signal?.throwIfAborted();
    const key = JSON.stringify([...files]);
    if (snapshot?.key === key) return snapshot;

    const next: typeof parsed = new Map();
    for (const [path, version] of files) {
      const known = parsed.get(path);
      const sections = known?.version === version ? known.sections : await readSectionsOf(path);
      signal?.throwIfAborted();
      if (sections !== undefined) next.set(path, { version, sections });
    }
    parsed = next;
    const sections = [...parsed.values()].flatMap((file) => file.sections);
    snapshot = { key, paths: new Set(parsed.keys()), sections, search: createSectionSearch(sections) };
    return snapshot;
  }

  /** A file may have been removed since it was listed: then it has no sections. */
  async function readSectionsOf(path: string): Promise<MarkdownSection[] | undefined> {
    try {
      return parseMarkdownSections(path, await readFile(join(root, path), "utf8"));
    } catch {
      return undefined;
    }
  }

  return {
    async search(query, { path, signal } = {}) {
      const { paths, search } = await refresh(signal);
      if (path !== undefined && ![...paths].some((file) => isInside(file, path))) {
        throw new UnknownPathError(`There is no Markdown at ${JSON.stringify(path)}.`);
      }
      return search(query, path);
    },
    async readSections(signal) {
      return (await refresh(signal)).sections;
    },
    async readDocument(path) {
      // Only a path that was found on the disk is ever read, so no path from outside reaches the file system.
      const { paths } = await refresh(undefined);
      return paths.has(path) ? readFile(join(root, path), "utf8") : undefined;
    },
  };
}
