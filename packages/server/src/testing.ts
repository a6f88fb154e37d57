/** For tests of routes and pages: agents and models that follow a script, what a route has sent, and stores that fail. No other entry imports it. */

export { createFaultyRunStores, type Faults, type RunStoreMethod } from "./testing/faulty-run-store.ts";
export {
  type AgentScript,
  type AgentStep,
  createScriptedAgent,
  type ScriptedAgent,
  type ScriptedCall,
} from "./testing/scripted-agent.ts";
export { createScriptedModel, type ScriptedModel } from "./testing/scripted-model.ts";
export { collectTranscript, type TranscriptOptions } from "./testing/transcript.ts";
