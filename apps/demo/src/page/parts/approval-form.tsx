/** The user's decision about a tool call: to approve it, to change its input first, or to deny it. */
import type { InterruptChunk, ToolCallPart } from "@kortyx/client";
import { type FormEvent, useEffect, useRef, useState } from "react";
import type { ChatActions } from "../chat-actions.ts";

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
          {canEdit && (
            <button type="button" className="button" onClick={() => setEditing(!isEditing)}>
              {isEditing ? "Cancel" : "Edit"}
            </button>
          )}
          <button type="button" className="button" onClick={() => actions.deny(call)}>
            Deny
          </button>
        </div>
      </fieldset>
    </form>
  );
}
