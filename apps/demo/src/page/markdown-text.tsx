/**
 * Text from an agent as Markdown: without raw HTML, without images from other servers. Grows block by block: only the last one is parsed
 * again.
 */
import { memo, type ReactNode } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

export const MarkdownText = memo(function MarkdownText({ text }: { text: string }) {
  return (
    <div className="markdown">
      {splitMarkdown(text).map((block, index) => (
        // Blocks are only ever added at the end.
        <MarkdownBlock key={index} text={block} />
      ))}
    </div>
  );
});

/** Parsing is expensive, so an unchanged block is not parsed again. */
const MarkdownBlock = memo(function MarkdownBlock({ text }: { text: string }) {
  return (
    <Markdown remarkPlugins={plugins} components={components} skipHtml>
      {text}
    </Markdown>
  );
});

const plugins = [remarkGfm];

/** Below the heading of the message, whatever level the agent has chosen. */
const heading: Components["h1"] = ({ children }) => <h3>{children}</h3>;

const components: Components = {
  a: ({ href, title, children }) => (
    <a href={href} title={title} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  // The Content-Security-Policy would block most images.
  img: ({ alt }) => <span>{alt}</span>,
  table: ({ children }) => (
    <Scrollable label="Table">
      <table>{children}</table>
    </Scrollable>
  ),
  pre: ({ children }) => (
    <Scrollable label="Code">
      <pre>{children}</pre>
    </Scrollable>
  ),
  ...Object.fromEntries(["h1", "h2", "h3", "h4", "h5", "h6"].map((level) => [level, heading])),
};

/** Wide content scrolls within its own box, with a keyboard too; the page does not scroll sideways. */
const Scrollable = ({ label, children }: { label: string; children: ReactNode }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with a keyboard.
  // biome-ignore lint/a11y/useSemanticElements: a section would be a landmark, and a fieldset is for a form.
  <div className="scrollable" role="group" tabIndex={0} aria-label={label}>
    {children}
  </div>
);

const fence = /^ {0,3}(`{3,}|~{3,})/;
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
/**
 * `[name]: address` and `[^note]: text` affect other blocks; comments, `<pre>` and the like may contain empty lines.
 */
const indivisible = /^ {0,3}(?:\[[^\]\n]+\]:|<(?:!|\?|(?:pre|script|style|textarea)\b))/im;

/**
 * Cuts before a line that begins a block: after an empty line, not indented, outside a fence, and not the next item of a
 * list.
 *
 * @returns the blocks; joined, they are the text.
 */
export function splitMarkdown(text: string): string[] {
  if (indivisible.test(text)) return [text];
  const blocks: string[] = [];
  let block = "";
  let openFence: string | undefined;
  let isAfterEmptyLine = false;
  let isInList = false;

  for (const line of text.split(/(?<=\n)/)) {
    const isEmpty = line.trim() === "";
    if (openFence === undefined && !isEmpty) {
      const isItem = listItem.test(line);
      if (isAfterEmptyLine && !/^\s/.test(line) && !(isInList && isItem)) {
        blocks.push(block);
        block = "";
        isInList = false;
      }
      isInList ||= isItem;
    }
    const mark = fence.exec(line)?.[1];
    if (openFence === undefined) openFence = mark;
    else if (mark?.startsWith(openFence) && line.trim() === mark) openFence = undefined;
    isAfterEmptyLine = isEmpty;
    block += line;
  }
  return block === "" ? blocks : [...blocks, block];
}
