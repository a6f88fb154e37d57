import { defineConfig } from "vitest/config";

// No `@kortyx/source` condition: the demo is tested with the packages as they are published, from `dist`.
export default defineConfig({ test: { include: ["test/**/*.test.ts"] } });
