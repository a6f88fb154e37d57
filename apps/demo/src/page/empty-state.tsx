/** The page before the first question: what it is, and what to try. */

/** Each of them shows another side of a stream. */
const examples = [
  { shows: "A search, a growing list, sources", question: "How do I stop a stream?" },
  { shows: "A question back, with choices", question: "Tell me about errors" },
  { shows: "Two questions at once", question: "How does it work?" },
  { shows: "A tool that needs your approval", question: "Feedback: I like the chunks" },
  { shows: "A tool that runs in this page", question: "What time is it?" },
  { shows: "A tool that fails", question: "How does a stream end? in:nowhere" },
];

export function EmptyState({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <div className="empty column">
      <h2>Ask about Kortyx streams</h2>
      <p>
        An agent searches a few pages about these packages and quotes what it finds. Every answer is a Kortyx
        stream: watch it arrive, stop it, cut the connection, reload the page.
      </p>
      <ul aria-label="Example questions">
        {examples.map(({ shows, question }) => (
          <li key={question}>
            <button type="button" className="choice" onClick={() => onAsk(question)}>
              <span className="muted">{shows}</span>
              <span>{question}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
