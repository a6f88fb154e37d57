/** For tests of pages: a `fetch` that follows a script. No other entry imports it. */
export {
  createScriptedFetch,
  type FetchAnswer,
  type ResponseStep,
  type ScriptedFetch,
  type ScriptedRequest,
} from "./testing/scripted-fetch.ts";
