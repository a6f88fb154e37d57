/** Chooses how the next answer comes: chunk by chunk, or as one JSON value. */
import type { AnswerMode } from "./choosable-transport.ts";

const modes: { mode: AnswerMode; name: string; title: string }[] = [
  { mode: "live", name: "Live", title: "The answer is shown while it is written" },
  { mode: "buffered", name: "Buffered", title: "The answer is shown when it is complete" },
];

export interface ModeSwitchProps {
  mode: AnswerMode;
  onChoose: (mode: AnswerMode) => void;
}

export function ModeSwitch({ mode: chosen, onChoose }: ModeSwitchProps) {
  return (
    <fieldset className="mode-switch">
      <legend className="visually-hidden">How answers come</legend>
      {modes.map(({ mode, name, title }) => (
        <label key={mode} title={title}>
          <input type="radio" name="mode" checked={mode === chosen} onChange={() => onChoose(mode)} />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
