/** Steps and subagents of a stream, as those of AG-UI, which have to be closed before the run ends. */

import { toEventMetadata } from "./ag-ui-metadata.ts";
import type { AGUIRun } from "./ag-ui-run.ts";
import { tagOf } from "./ag-ui-texts.ts";
import { isRecord } from "./chunk-shape.ts";
import type { DataChunk, StepEndChunk, StepStartChunk, TransitionChunk } from "./chunks.ts";

interface Step {
  stepName: string;
  subagentRunId: string | undefined;
}

/** The name of the `data` that describes a subagent. */
const subagentName = "subagent";

/** Writes the steps and subagents of one run. */
export class AGUISteps {
  readonly #run: AGUIRun;
  /** By `stepId`. The same id may be open more than once. */
  readonly #steps = new Map<string, Step[]>();
  readonly #open = new Set<Step>();
  /** The names of the open steps. */
  readonly #names = new Set<string>();
  #transition: Step | undefined;
  readonly #subagents = new Map<string, "running" | "over">();

  constructor(run: AGUIRun) {
    this.#run = run;
  }

  /** The subagent that a chunk belongs to: nodes are not, but for those that have begun as one. */
  subagentOf({ node }: { node?: unknown }): string | undefined {
    return typeof node === "string" && this.#subagents.get(node) === "running" ? node : undefined;
  }

  start({ stepId, name }: StepStartChunk, subagentRunId: string | undefined): void {
    const step = this.#begin(name || stepId, subagentRunId);
    const steps = this.#steps.get(stepId);
    if (steps) steps.push(step);
    else this.#steps.set(stepId, [step]);
  }

  finish({ stepId, finishReason, usage, model }: StepEndChunk): void {
    const step = this.#steps.get(stepId)?.pop();
    if (step) this.#finish(step, { finishReason, usage, model });
  }

  move({ transitionTo, payload }: TransitionChunk): void {
    if (this.#transition) this.#finish(this.#transition);
    this.#transition = this.#begin(transitionTo, undefined, { payload });
  }

  /** @returns whether the chunk describes a subagent. */
  applySubagent({ name, id, data }: DataChunk): boolean {
    if (name !== subagentName || !id || !isRecord(data)) return false;
    const state = this.#subagents.get(id);
    if (data.state === "running" && state === undefined && typeof data.name === "string") {
      this.#subagents.set(id, "running");
      this.#startSubagent(id, data.name, data);
      return true;
    }
    if (state !== "running" || !["done", "waiting", "error"].includes(data.state as string)) return false;
    this.#subagents.set(id, "over");
    this.#finishSteps((step) => step.subagentRunId === id);
    if (data.state === "error") {
      const { message, code } = textsOf(data, ["message", "code"]);
      this.#run.write({
        type: "SUBAGENT_ERROR",
        subagentRunId: id,
        message: message ?? "",
        ...(code !== undefined && { code }),
      });
      return true;
    }
    const { result, interruptIds } = data;
    const isList = Array.isArray(interruptIds) && interruptIds.every((one) => typeof one === "string");
    this.#run.write({
      type: "SUBAGENT_FINISHED",
      subagentRunId: id,
      ...(result != null && { result }),
      ...(data.state === "waiting"
        ? { outcome: { type: "suspended", ...(isList && { interruptIds }) } }
        : data.outcome === "success" && { outcome: { type: "success" } }),
    });
    return true;
  }

  /** Closes everything. */
  end(outcome: "done" | "waiting" | "failed"): void {
    this.#finishSteps(() => true);
    for (const [subagentRunId, state] of this.#subagents) {
      if (state !== "running") continue;
      if (outcome === "failed") {
        const message = "The run ended before the subagent.";
        this.#run.write({ type: "SUBAGENT_ERROR", subagentRunId, message });
      } else {
        const type = outcome === "waiting" ? "suspended" : "success";
        this.#run.write({ type: "SUBAGENT_FINISHED", subagentRunId, outcome: { type } });
      }
    }
    this.#subagents.clear();
  }

  #startSubagent(subagentRunId: string, name: string, data: Record<string, unknown>): void {
    const { parentSubagentRunId: parent, ...texts } = textsOf(data, [
      "description",
      "parentSubagentRunId",
      "parentToolCallId",
      "parentMessageId",
    ]);
    const isKnown = parent !== undefined && parent !== subagentRunId && this.#subagents.has(parent);
    this.#run.write({
      type: "SUBAGENT_STARTED",
      subagentRunId,
      name,
      ...texts,
      ...(isKnown && { parentSubagentRunId: parent }),
    });
  }

  #begin(wanted: string, subagentRunId: string | undefined, own: Record<string, unknown> = {}): Step {
    const nameOf = (name: string) => JSON.stringify([name, subagentRunId]);
    let stepName = wanted;
    for (let number = 2; this.#names.has(nameOf(stepName)); number++) stepName = `${wanted} (${number})`;
    const step = { stepName, subagentRunId };
    this.#names.add(nameOf(stepName));
    this.#open.add(step);
    this.#run.write({ type: "STEP_STARTED", stepName, ...toEventMetadata(undefined, own), ...tagOf(step) });
    return step;
  }

  #finish(step: Step, own: Record<string, unknown> = {}): void {
    if (!this.#open.delete(step)) return;
    const { stepName } = step;
    this.#names.delete(JSON.stringify([stepName, step.subagentRunId]));
    this.#run.write({ type: "STEP_FINISHED", stepName, ...toEventMetadata(undefined, own), ...tagOf(step) });
  }

  #finishSteps(isOver: (step: Step) => boolean): void {
    for (const step of this.#open) if (isOver(step)) this.#finish(step);
  }
}

function textsOf<Name extends string>(
  data: Record<string, unknown>,
  names: Name[],
): { [name in Name]?: string } {
  return Object.fromEntries(
    names.flatMap((name) => (typeof data[name] === "string" ? [[name, data[name]]] : [])),
  ) as { [name in Name]?: string };
}
