/** What Vite and Next.js do for Fast Refresh, before React is loaded. */
import { injectIntoGlobalHook } from "react-refresh/runtime";

injectIntoGlobalHook(globalThis);
