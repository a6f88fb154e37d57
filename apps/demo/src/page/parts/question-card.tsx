/** A question from the agent: one choice, several choices, or an answer in the user's own words. */
import type { InterruptChunk } from "@kortyx/client";
import { type FormEvent, memo, useEffect, useId, useRef } from "react";
import type { ChatActions } from "../chat-actions.ts";
import { Icon } from "../icon.tsx";

export interface QuestionCardProps {
  question: Readonly<InterruptChunk>;
  /** Whether it is waiting for an answer. */
  isOpen: boolean;
  onAnswer: ChatActions["respond"];
}

export const QuestionCard = memo(function QuestionCard({ question, isOpen, onAnswer }: QuestionCardProps) {
  const { input } = question;

  function onSubmit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const given = new FormData(event.currentTarget).getAll("answer").map(String);
    const answers = given.flatMap((text) => text.split("\n")).map((text) => text.trim());
    const answer = answers.filter((text) => text !== "");
    if (answer.length > 0) onAnswer(question, input.multiple ? answer : answer.join(" "));
  }

  return (
    <form onSubmit={onSubmit}>
      <fieldset className="card question" data-testid="question" disabled={!isOpen}>
        <legend>
          <Icon name="question" />
          {input.question ?? "What do you mean?"}
        </legend>
        {!("options" in input) ? (
          <TextField isMultiple={input.multiple === true} isOpen={isOpen} />
        ) : (
          <Choices
            options={input.options}
            isMultiple={input.multiple}
            onChoose={(id) => onAnswer(question, id)}
          />
        )}
      </fieldset>
    </form>
  );
});

type Option = Extract<InterruptChunk["input"], { options: unknown }>["options"][number];

interface ChoicesProps {
  options: readonly Option[];
  isMultiple: boolean;
  /** For a single choice, which needs no confirmation. */
  onChoose: (id: string) => void;
}

function Choices({ options, isMultiple, onChoose }: ChoicesProps) {
  if (!isMultiple) {
    return (
      <div className="choices">
        {options.map((option) => (
          <button key={option.id} type="button" className="choice" onClick={() => onChoose(option.id)}>
            <OptionText {...option} />
          </button>
        ))}
      </div>
    );
  }
  return (
    <>
      <div className="choices">
        {options.map((option) => (
          <label key={option.id} className="choice">
            <input type="checkbox" name="answer" value={option.id} />
            <OptionText {...option} />
          </label>
        ))}
      </div>
      <button type="submit" className="button">
        Confirm
      </button>
    </>
  );
}

const OptionText = ({ label, description }: Option) => (
  <span>
    <strong>{label}</strong>
    {description !== undefined && <span className="muted">{description}</span>}
  </span>
);

function TextField({ isMultiple, isOpen }: { isMultiple: boolean; isOpen: boolean }) {
  const id = useId();
  const field = useRef<HTMLTextAreaElement & HTMLInputElement>(null);
  useEffect(() => {
    // A user who is waiting, and has typed nothing else, continues here.
    const active = document.activeElement;
    const isFree = active instanceof HTMLTextAreaElement && active.value === "";
    if (isOpen && isFree) field.current?.focus({ preventScroll: true });
  }, [isOpen]);
  const shared = { id, ref: field, name: "answer", maxLength: 4000, required: true };
  return (
    <>
      <label htmlFor={id} className="muted">
        {isMultiple ? "Your answers, one in each line" : "Your answer"}
      </label>
      <div className="text-answer">
        {isMultiple ? <textarea {...shared} rows={3} /> : <input {...shared} type="text" />}
        <button type="submit" className="button">
          Answer
        </button>
      </div>
    </>
  );
}
