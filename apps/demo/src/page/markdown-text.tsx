/** Text of an agent as Markdown: no raw HTML, no images from elsewhere, links that tell nothing about this page. */
import { memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

const plugins = [remarkGfm];

const components: Components = {
  a: ({ href, title, children }) => (
    <a href={href} title={title} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  // The Content-Security-Policy would block most of them.
  img: ({ alt }) => <span>{alt}</span>,
  // A wide table scrolls by itself, not the page.
  table: ({ children }) => (
    <div className="scroller">
      <table>{children}</table>
    </div>
  ),
};

export interface MarkdownTextProps {
  text: string;
  isStreaming: boolean;
}

export const MarkdownText = memo(function MarkdownText({ text, isStreaming }: MarkdownTextProps) {
  return (
    <div className={isStreaming ? "markdown streaming" : "markdown"}>
      <Markdown remarkPlugins={plugins} components={components} skipHtml>
        {text}
      </Markdown>
    </div>
  );
});
