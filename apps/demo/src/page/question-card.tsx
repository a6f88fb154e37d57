/** A question of the agent's: one choice, several, or an answer in the user's own words. */
import type { Chat, InterruptChunk } from "@kortyx/client";
import { type FormEvent, memo, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { QuestionIcon } from "./icons.tsx";

export interface QuestionCardProps {
  question: Readonly<InterruptChunk>;
  /** Whether it waits for an answer. */
  isOpen: boolean;
  onAnswer: (...values: Parameters<Chat["respond"]>) => void;
}

type FormProps<Input extends InterruptChunk["input"] = InterruptChunk["input"]> = {
  input: Readonly<Input>;
  isOpen: boolean;
  onSubmit: (answer: string | string[]) => void;
};
type ChoiceInput = Extract<InterruptChunk["input"], { options: unknown }>;
type TextInput = Extract<InterruptChunk["input"], { kind: "text" }>;

export const QuestionCard = memo(function QuestionCard({ question, isOpen, onAnswer }: QuestionCardProps) {
  const { input } = question;
  return (
    <fieldset className="card question" data-testid="question" disabled={!isOpen}>
      <legend>
        <QuestionIcon />
        {input.question ?? "What do you mean?"}
      </legend>
      <QuestionForm input={input} isOpen={isOpen} onSubmit={(answer) => onAnswer(question, answer)} />
    </fieldset>
  );
});

function QuestionForm({ input, ...rest }: FormProps): ReactNode {
  if (input.kind === "text") return <TextForm input={input} {...rest} />;
  if (input.kind === "multi-choice" || input.multiple) return <MultiChoiceForm input={input} {...rest} />;
  return <ChoiceButtons input={input} {...rest} />;
}

function ChoiceButtons({ input, onSubmit }: FormProps<ChoiceInput>) {
  return (
    <div className="choices">
      {input.options.map((option) => (
        <button key={option.id} type="button" className="choice" onClick={() => onSubmit(option.id)}>
          <OptionText {...option} />
        </button>
      ))}
    </div>
  );
}

function MultiChoiceForm({ input, onSubmit }: FormProps<ChoiceInput>) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());

  function toggle(id: string): void {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  }

  return (
    <Form onSubmit={() => onSubmit(input.options.map(({ id }) => id).filter((id) => chosen.has(id)))}>
      <div className="choices">
        {input.options.map((option) => (
          <label key={option.id} className="choice">
            <input type="checkbox" checked={chosen.has(option.id)} onChange={() => toggle(option.id)} />
            <span>
              <OptionText {...option} />
            </span>
          </label>
        ))}
      </div>
      <button type="submit" className="button" disabled={chosen.size === 0}>
        Confirm
      </button>
    </Form>
  );
}

function TextForm({ input, isOpen, onSubmit }: FormProps<TextInput>) {
  const [text, setText] = useState("");
  const id = useId();
  const form = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Who has asked, and types nothing else, goes on here.
    const active = document.activeElement;
    if (!isOpen || !(active instanceof HTMLTextAreaElement) || active.value !== "") return;
    form.current?.querySelector<HTMLElement>("input, textarea")?.focus({ preventScroll: true });
  }, [isOpen]);
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const shared = { id, value: text, maxLength: 4000 };
  return (
    <Form onSubmit={() => lines.length > 0 && onSubmit(input.multiple ? lines : text.trim())}>
      <label htmlFor={id}>{input.multiple ? "Your answers, one in each line" : "Your answer"}</label>
      <div className="text-answer" ref={form}>
        {input.multiple ? (
          <textarea {...shared} rows={3} onChange={(event) => setText(event.target.value)} />
        ) : (
          <input {...shared} type="text" onChange={(event) => setText(event.target.value)} />
        )}
        <button type="submit" className="button" disabled={lines.length === 0}>
          Answer
        </button>
      </div>
    </Form>
  );
}

function Form({ onSubmit, children }: { onSubmit: () => void; children: ReactNode }) {
  return (
    <form
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}

const OptionText = ({ label, description }: ChoiceInput["options"][number]) => (
  <>
    <strong>{label}</strong>
    {description !== undefined && <span className="muted">{description}</span>}
  </>
);
