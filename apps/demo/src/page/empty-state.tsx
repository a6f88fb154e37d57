/** What the page shows before the first question. */

const questions = [
  "How do I return a stream from a route?",
  "What happens when the connection is cut?",
  "How does Stop reach the server?",
];

export function EmptyState({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <section className="empty column">
      <h1>Ask this repository</h1>
      <p>
        An agent searches the Markdown files of this repository and quotes what it finds. No model, no key, no
        network: just the stream.
      </p>
      <ul aria-label="Example questions">
        {questions.map((question) => (
          <li key={question}>
            <button type="button" onClick={() => onAsk(question)}>
              {question}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
