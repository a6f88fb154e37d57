/** For tests of routes and pages: agents that follow a script, and what a route has sent. No other entry imports it. */
export {
  type AgentScript,
  type AgentStep,
  createScriptedAgent,
  type ScriptedAgent,
  type ScriptedCall,
} from "./testing/scripted-agent.ts";
export { collectTranscript } from "./testing/transcript.ts";
