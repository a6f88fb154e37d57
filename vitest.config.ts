import { defineConfig } from "vitest/config";

// Tests read the sources of sibling packages, so no build is needed before a unit test.
const conditions = ["@kortyx/source"];
const project = (name: string, root: string) => ({
  ssr: { resolve: { conditions } },
  test: { name, root, include: ["test/**/*.test.ts", "test/**/*.test.tsx"] },
});

export default defineConfig({
  test: {
    projects: [
      project("protocol", "packages/protocol"),
      project("server", "packages/server"),
      project("client", "packages/client"),
    ],
  },
});
