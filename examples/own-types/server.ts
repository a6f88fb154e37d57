import { setTimeout as sleep } from "node:timers/promises";
import {
  type ChatAgent,
  type ChatTypes,
  createChatRoute,
  createStructuredStreamWriter,
} from "@kortyx/server";
import { z } from "zod";

const context = z.object({ servings: z.number().int().min(1).max(12) });

export interface AppTypes extends ChatTypes {
  context: z.infer<typeof context>;
  structured: { recipe: { title: string; steps: string[] } };
}

const agent: ChatAgent<AppTypes> = {
  async *streamChat(_messages, { context, signal }) {
    const title = `Pancakes for ${context.servings}`;
    const steps = [`Mix ${context.servings} eggs, milk and flour.`, "Rest.", "Heat the butter.", "Fry."];
    const recipe = createStructuredStreamWriter<AppTypes, "recipe">({ dataType: "recipe", streamId: "1" });
    yield recipe.set("title", title);
    for (const step of steps) {
      await sleep(400, undefined, { signal });
      yield recipe.append("steps", step);
    }
    yield recipe.final({ title, steps });
    yield { type: "done" };
  },
};

export default createChatRoute({ agent, schemas: { context } });
