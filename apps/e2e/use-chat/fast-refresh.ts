/** Sets up Fast Refresh before React is loaded, as Vite and Next.js do. */
import { injectIntoGlobalHook } from "react-refresh/runtime";

injectIntoGlobalHook(globalThis);
