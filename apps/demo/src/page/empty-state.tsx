/** What the page shows before the first question: what it is, and what to try. */

/** Each of them shows another side of a stream. */
const examples = [
  { shows: "A search, a list that grows, sources", question: "What happens when the client leaves?" },
  { shows: "A question back, with choices", question: "What is Kortyx?" },
  { shows: "A question back, in your own words", question: "How does it work?" },
  { shows: "A tool that fails", question: "How does a stream end? in:nowhere" },
];

export function EmptyState({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <div className="empty column">
      <h2>Ask this repository</h2>
      <p>
        An agent searches the Markdown of this repository and quotes what it finds. Every answer is a Kortyx
        stream: watch it arrive, stop it, cut the connection, reload the page.
      </p>
      <ul aria-label="Example questions">
        {examples.map(({ shows, question }) => (
          <li key={question}>
            <button type="button" onClick={() => onAsk(question)}>
              <span className="shows">{shows}</span>
              <span>{question}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
