/**
 * What waits for the user: the questions that an agent asks together, each for one choice, several choices, or words; and
 * the decision about a tool call, to approve it, to change its input first, or to deny it.
 */
import type { InterruptChunk, InterruptPart, ToolCallPart } from "@kortyx/client";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import type { ChatActions } from "./chat-actions.ts";
import { Button, Icon } from "./elements.tsx";

export interface QuestionCardProps {
  questions: readonly InterruptPart[];
  /** Whether they are waiting for an answer. */
  isOpen: boolean;
  onAnswer: ChatActions["respond"];
}

export function QuestionCard({ questions, isOpen, onAnswer }: QuestionCardProps) {
  /** A single choice needs no confirmation. */
  const isButtons =
    questions.length === 1 && questions.every((each) => isChoice(each) && each.resolution === undefined);

  function onSubmit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const responses = questions.map((interrupt) => {
      const given = data.getAll(interrupt.requestId).flatMap((text) => String(text).split("\n"));
      const answers = given.map((text) => text.trim()).filter((text) => text !== "");
      return { interrupt, answer: interrupt.input.multiple ? answers : answers.join(" ") };
    });
    if (responses.every(({ answer }) => answer.length > 0)) onAnswer(responses);
  }

  return (
    <form className="card question" data-testid="question" onSubmit={onSubmit}>
      {questions.map((question) => (
        <fieldset key={question.requestId} disabled={!isOpen}>
          <legend>
            <Icon name="question" />
            {question.input.question ?? "What do you mean?"}
          </legend>
          {"options" in question.input ? (
            <Choices
              question={question}
              onChoose={isButtons ? (answer) => onAnswer([{ interrupt: question, answer }]) : undefined}
            />
          ) : (
            <TextField question={question} isOpen={isOpen && question === questions[0]} />
          )}
        </fieldset>
      ))}
      {!isButtons && (
        <button type="submit" className="button" disabled={!isOpen}>
          Answer
        </button>
      )}
    </form>
  );
}

const isChoice = ({ input }: InterruptChunk): boolean => input.kind === "choice" && !input.multiple;

/** The answers that a closed question was given. */
const answersTo = ({ resolution }: InterruptPart): unknown[] => [resolution?.answer ?? []].flat();

interface ChoicesProps {
  question: InterruptPart;
  /** For a choice that needs no confirmation. */
  onChoose: ((id: string) => void) | undefined;
}

function Choices({ question, onChoose }: ChoicesProps) {
  const { input, requestId } = question;
  const options = "options" in input ? input.options : [];
  const shared = {
    name: requestId,
    type: isChoice(question) ? "radio" : "checkbox",
    required: isChoice(question),
  };
  return (
    <div className="choices">
      {options.map(({ id, label, description }) => {
        const text = (
          <span>
            <strong>{label}</strong>
            {description !== undefined && <span className="muted">{description}</span>}
          </span>
        );
        return onChoose ? (
          <button key={id} type="button" className="choice" onClick={() => onChoose(id)}>
            {text}
          </button>
        ) : (
          <label key={id} className="choice">
            <input {...shared} value={id} defaultChecked={answersTo(question).includes(id)} />
            {text}
          </label>
        );
      })}
    </div>
  );
}

function TextField({ question, isOpen }: { question: InterruptPart; isOpen: boolean }) {
  const id = useId();
  const field = useRef<HTMLTextAreaElement & HTMLInputElement>(null);
  useEffect(() => {
    // A user who is waiting, and has typed nothing else, continues here.
    const active = document.activeElement;
    const isFree = active instanceof HTMLTextAreaElement && active.value === "";
    if (isOpen && isFree) field.current?.focus({ preventScroll: true });
  }, [isOpen]);
  const { requestId, input } = question;
  const shared = {
    id,
    ref: field,
    name: requestId,
    maxLength: 4000,
    required: true,
    defaultValue: answersTo(question).join("\n"),
    className: "field",
  };
  return (
    <div>
      <label htmlFor={id} className="muted">
        {input.multiple ? "Your answers, one in each line" : "Your answer"}
      </label>
      {input.multiple ? <textarea {...shared} rows={3} /> : <input {...shared} type="text" />}
    </div>
  );
}

export interface ApprovalFormProps {
  call: ToolCallPart;
  question: Readonly<InterruptChunk>;
  actions: Pick<ChatActions, "approve" | "edit" | "deny">;
}

export function ApprovalForm({ call, question, actions }: ApprovalFormProps) {
  const { input } = question;
  const [isEditing, setEditing] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const canEdit = "options" in input && input.options.some(({ id }) => id === "edit");

  useEffect(() => {
    if (isEditing) form.current?.querySelector("textarea")?.focus();
  }, [isEditing]);

  function onSubmit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const changes = Object.fromEntries(new FormData(event.currentTarget));
    if (isEditing) actions.edit(call, { ...(call.input as object), ...changes });
    else actions.approve(call);
  }

  return (
    <form ref={form} onSubmit={onSubmit}>
      <fieldset className="card-body">
        <legend>{input.question ?? "May this tool run?"}</legend>
        {Object.entries(call.input ?? {}).map(([name, value]) =>
          isEditing && typeof value === "string" ? (
            <label key={name}>
              <span className="label">{name}</span>
              <textarea name={name} defaultValue={value} rows={2} className="field" required />
            </label>
          ) : (
            <p key={name} className="prose">
              <span className="label">{name}</span>{" "}
              {typeof value === "string" ? value : JSON.stringify(value)}
            </p>
          ),
        )}
        <div className="buttons">
          <button type="submit" className="button">
            {isEditing ? "Approve the change" : "Approve"}
          </button>
          {canEdit && <Button onClick={() => setEditing(!isEditing)}>{isEditing ? "Cancel" : "Edit"}</Button>}
          <Button onClick={() => actions.deny(call)}>Deny</Button>
        </div>
      </fieldset>
    </form>
  );
}
