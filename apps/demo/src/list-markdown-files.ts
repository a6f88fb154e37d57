/**
 * Finds the Markdown files of a repository. Reads directories and file dates, never the contents.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Larger files are not documentation that anybody wrote. */
const maxFileBytes = 1024 * 1024;

const skippedFolders = new Set(["node_modules", "dist"]);

/**
 * Lists the Markdown files below `root`, without `node_modules`, `dist`, dot-folders and changelogs. Symbolic links are
 * not followed, so everything listed really is inside `root`.
 *
 * @returns A version for each path (relative to `root`, with `/`), which changes when the file does.
 */
export async function listMarkdownFiles(root: string, signal?: AbortSignal): Promise<Map<string, string>> {
  const versions = new Map<string, string>();

  async function visit(folder: string): Promise<void> {
    if (signal?.aborted) return;
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    await Promise.all(
      entries.map(async (entry) => {
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) {
          if (!entry.name.startsWith(".") && !skippedFolders.has(entry.name)) await visit(path);
        } else if (entry.isFile() && isDocumentation(entry.name)) {
          const version = await readVersion(join(root, path));
          if (version !== undefined) versions.set(path, version);
        }
      }),
    );
  }

  await visit("");
  // Directories are read in parallel; the order of what was found must not depend on which came first.
  return new Map([...versions].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const isDocumentation = (name: string): boolean => /\.md$/i.test(name) && !/^changelog\.md$/i.test(name);

/** A file may be removed between being listed and being looked at: then it has no version. */
async function readVersion(file: string): Promise<string | undefined> {
  try {
    const { mtimeMs, size } = await stat(file);
    return size <= maxFileBytes ? `${mtimeMs}:${size}` : undefined;
  } catch {
    return undefined;
  }
}
