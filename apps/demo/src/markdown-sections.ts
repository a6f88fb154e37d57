/**
 * Cuts a Markdown file into the sections that can be found and quoted. Knows nothing of searching or of the disk.
 */
import { posix } from "node:path";
import { fromMarkdown } from "mdast-util-from-markdown";
import { toString as toText } from "mdast-util-to-string";

/** A piece of a section that is quoted whole, or shortened in a way that fits its kind. */
export interface MarkdownBlock {
  kind: "text" | "item" | "table" | "code";
  /** As it is quoted: links lead somewhere from any page, images and raw HTML are gone. */
  markdown: string;
}

/** A heading and what stands below it, up to the next heading. */
export interface MarkdownSection {
  /** The file, relative to the root of the repository. */
  path: string;
  /** The file's first heading, or its path. */
  document: string;
  /** Plain text; the document's title for what stands above the first heading. */
  heading: string;
  blocks: MarkdownBlock[];
  /** Plain text of the blocks. */
  text: string;
}

type Root = ReturnType<typeof fromMarkdown>;
type Block = Root["children"][number];
/** What is needed of any node of the tree. */
interface Node {
  type: string;
  position?: { start: { offset?: number | undefined }; end: { offset?: number | undefined } } | undefined;
  children?: Node[];
}

/** Where the demo serves a Markdown file. */
export const documentUrl = (path: string): string =>
  `/docs/${path.split("/").map(encodeURIComponent).join("/")}`;

/** Splits the Markdown of the file at `path` at its headings. */
export function parseMarkdownSections(path: string, markdown: string): MarkdownSection[] {
  const source = markdown.replace(/^\uFEFF?(?:---\r?\n[\s\S]*?\r?\n---\r?\n)?/, "");
  const root = fromMarkdown(source);
  const title = root.children.find((node) => node.type === "heading");
  const document = (title === undefined ? "" : toText(title)) || path;
  const print = createPrinter(path, source, root);

  const sections: MarkdownSection[] = [];
  let section: MarkdownSection = { path, document, heading: document, blocks: [], text: "" };
  for (const node of root.children) {
    if (node.type === "heading") {
      section = { path, document, heading: toText(node), blocks: [], text: "" };
      sections.push(section);
      continue;
    }
    const blocks = toBlocks(node, print).filter((block) => block.markdown.trim() !== "");
    if (blocks.length === 0) continue;
    if (sections.length === 0) sections.push(section);
    section.blocks.push(...blocks);
    section.text += `${toText(node, { includeHtml: false })}\n`;
  }
  return sections;
}

function toBlocks(node: Block, print: (node: Node) => string): MarkdownBlock[] {
  switch (node.type) {
    case "html":
    case "definition":
    case "thematicBreak":
      return [];
    case "code":
      return [{ kind: "code", markdown: print(node) }];
    case "list":
      return node.children.map((item) => ({ kind: "item", markdown: print(item) }));
    case "paragraph": {
      // A picture by itself is nothing to quote.
      if (node.children.every(({ type }) => type === "image" || type === "imageReference")) return [];
      const text = print(node);
      // Tables are no part of CommonMark: to the parser they are paragraphs.
      if (/^\|.*\n\|[\s:|-]+(?:\n|$)/.test(text)) return [{ kind: "table", markdown: text }];
      // Where a line ends in the source says nothing, unless it is a hard break.
      return [{ kind: "text", markdown: text.replace(/(?<! {2}|\\)\n\s*/g, " ") }];
    }
    default:
      return [{ kind: "text", markdown: print(node) }];
  }
}

/** Prints a node as it stands in the source, but for the parts that would not work in a quote. */
function createPrinter(path: string, source: string, root: Root): (node: Node) => string {
  const definitions = new Map<string, string>();
  for (const node of root.children) {
    if (node.type === "definition") definitions.set(node.identifier, node.url);
  }

  const start = (node: Node) => node.position?.start.offset ?? 0;
  const end = (node: Node) => node.position?.end.offset ?? 0;

  /** The source from one offset to another, with the nodes between them printed. */
  function printRange(from: number, to: number, nodes: Node[]): string {
    let text = "";
    let at = from;
    for (const node of nodes) {
      text += source.slice(at, start(node)) + print(node);
      at = end(node);
    }
    return text + source.slice(at, to);
  }

  function printLink(node: Node, url: string | undefined): string {
    const children = node.children ?? [];
    const first = children[0];
    const label = first === undefined ? "" : printRange(start(first), end(children.at(-1)!), children);
    const target = url === undefined ? undefined : resolveLink(path, url);
    return target === undefined ? label : `[${label}](${target})`;
  }

  function print(node: Node): string {
    switch (node.type) {
      case "html":
        return "";
      case "image":
      case "imageReference":
        return (node as Node & { alt?: string | null }).alt ?? "";
      case "link":
        return printLink(node, (node as Node & { url: string }).url);
      case "linkReference":
        return printLink(node, definitions.get((node as Node & { identifier: string }).identifier));
      default:
        return printRange(start(node), end(node), node.children ?? []);
    }
  }

  return print;
}

/** @returns An address that works from any page; `undefined` where the demo serves nothing. */
function resolveLink(path: string, url: string): string | undefined {
  if (/^(?:https?|mailto):/i.test(url)) return url;
  if (/^(?:[a-z][a-z\d+.-]*:|\/)/i.test(url)) return undefined;
  const file = url.split(/[?#]/)[0]!;
  const target = file === "" ? path : posix.join(posix.dirname(path), file);
  return !target.startsWith("../") && /\.md$/i.test(target) ? documentUrl(target) : undefined;
}
