/** Text from an agent as Markdown: without raw HTML, without images from other servers. */
import { memo, type ReactNode } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { splitMarkdown } from "./split-markdown.ts";

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
