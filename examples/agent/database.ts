/** The one database of the example: a file, or `:memory:`. */
import { DatabaseSync } from "node:sqlite";

export const database = new DatabaseSync(process.env.DATABASE ?? "agent.db");
