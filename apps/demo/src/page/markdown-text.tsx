/** Text of an agent as Markdown: no raw HTML, no images from elsewhere, links that tell nothing about this page. */
import { memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { splitMarkdown } from "./split-markdown.ts";
import { WideContent } from "./wide-content.tsx";

const plugins = [remarkGfm];

/** Below the heading of the message, whatever level the agent has chosen. */
const heading: Components["h1"] = ({ children }) => <h3>{children}</h3>;

const components: Components = {
  a: ({ href, title, children }) => (
    <a href={href} title={title} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  // The Content-Security-Policy would block most of them.
  img: ({ alt }) => <span>{alt}</span>,
  table: ({ children }) => (
    <WideContent label="Table">
      <table>{children}</table>
    </WideContent>
  ),
  pre: ({ children }) => (
    <WideContent label="Code">
      <pre>{children}</pre>
    </WideContent>
  ),
  h1: heading,
  h2: heading,
  h3: heading,
  h4: heading,
  h5: heading,
  h6: heading,
};

export interface MarkdownTextProps {
  text: string;
  isStreaming: boolean;
}

export const MarkdownText = memo(function MarkdownText({ text, isStreaming }: MarkdownTextProps) {
  return (
    <div className={isStreaming ? "markdown streaming" : "markdown"}>
      {splitMarkdown(text).map((block, index) => (
        // Blocks are only ever added at the end.
        <MarkdownBlock key={index} text={block} />
      ))}
    </div>
  );
});

/** Parsing is what costs: a block that has not changed is not parsed again. */
const MarkdownBlock = memo(function MarkdownBlock({ text }: { text: string }) {
  return (
    <Markdown remarkPlugins={plugins} components={components} skipHtml>
      {text}
    </Markdown>
  );
});
