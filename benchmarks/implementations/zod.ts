/** The schema library alone: what everything that validates with it loads. */
import type { Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "zod alone",
  packages: [],
  form: "imported by the path that our packages resolve it to",
};
